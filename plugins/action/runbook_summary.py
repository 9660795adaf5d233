# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the summary of a runbook, as plain lines, and writes its report where one is asked for."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils._errors import OperatorError
from ..module_utils._redact import Patterns, visible
from ..module_utils._task.options import AUDIT_SPEC
from ..module_utils._task.redaction import Redactor, patterns_of
from ..plugin_utils.command_line import Command
from ..plugin_utils.display import show
from ..plugin_utils.job_template import JobTemplate
from ..plugin_utils.lines import Line
from ..plugin_utils.option_values import read_option
from ..plugin_utils.report.files import VARIABLE, report_path, write_page
from ..plugin_utils.report.of_run import page_of_run
from ..plugin_utils.summary import Run, Step, lines

_SPEC = {
    "title": {"type": "str", "required": True},
    "steps": {"type": "list", "elements": "str", "default": []},
    "results": {"type": "list", "elements": "dict", "required": True},
    "records": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs where the playbook runs, and on no host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Print the summary; return it, and the audit records as an artifact of the job."""
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, variables)
        _validated, args = self.validate_argument_spec(_SPEC)
        patterns = self._patterns(variables)
        command = self._command(variables, patterns, _stated(args["results"]))
        names = ["doctor", *args["steps"], "doctor"]
        shown = Redactor.of_site(patterns).for_people
        found = map(shown, _of_this_run(args["results"], args["records"]))
        before, *steps, after = map(Step, names, found)
        run = Run(args["title"], variables["inventory_hostname"], before, tuple(steps), after, command)
        error = _nothing_selected(run, variables.get("ansible_run_tags", ["all"]))
        if error:
            return {**result, "failed": True, "msg": error}
        report, warnings = self._report(run, variables)
        told = [*lines(run), *(Line(text) for text in (["", "REPORT", *report] if report else []))]
        summary = [line._replace(text=visible(line.text)) for line in told]
        show([Line(""), *summary])
        result |= {"changed": False, "lines": [line.text for line in summary], "report": report}
        if warnings:
            result["warnings"] = warnings
        stats: dict[str, t.Any] = {"restate_audit_records": args["records"]}
        if run.plan_digests is not None:
            stats["restate_plan_digests"] = result["plan_digests"] = run.plan_digests
        return {**result, "ansible_stats": {"data": stats, "aggregate": True, "per_host": False}}

    def _report(self, run: Run, variables: dict[str, t.Any]) -> tuple[list[str], list[str]]:
        """Return where the report was written, and what kept it from being so."""
        try:
            given = self._templar.template(variables.get(VARIABLE))
            path = report_path(given, run.host, variables.get("ansible_play_hosts_all") or [])
            files, _changed = write_page(page_of_run(run), path) if path else ([], False)
        except Exception as exc:
            # Whatever it is, a person must be told what the run did, and it did it.
            return [], [f"The report was not written: {type(exc).__name__}: {exc}"]
        return [str(file) for file in files], []

    def _command(
        self, variables: dict[str, t.Any], patterns: Patterns, stated: dict[str, str]
    ) -> Command | JobTemplate:
        template = variables.get("awx_job_template_name")
        if template:
            return JobTemplate(template, variables.get("awx_workflow_job_name") or "")
        return Command(context.CLIARGS, variables["inventory_hostname"], patterns, stated)

    def _patterns(self, variables: dict[str, t.Any]) -> Patterns:
        """Return the patterns of what must not be shown; where they cannot be read, one that matches all."""
        name = "restate_redact_patterns"
        try:
            given = self._templar.template(variables.get(name))
            read = read_option(name, given, AUDIT_SPEC["redact_patterns"])
        except (AnsibleError, OperatorError):
            read = [r"(?s).+"]
        return patterns_of({"redact_patterns": read})[0]


def _stated(results: list[dict[str, t.Any]]) -> dict[str, str]:
    """Return the variables that say what a cleanup removes, as the cleanup of this run had them."""
    arguments = (each.get("audit", {}).get("data", {}).get("arguments", {}) for each in results)
    removes = [str(each["remove"]) for each in arguments if "remove" in each]
    return {"restate_remove": removes[-1]} if removes else {}


def _of_this_run(
    results: list[dict[str, t.Any]], records: list[dict[str, t.Any]]
) -> t.Iterator[dict[str, t.Any]]:
    """Leave out what a runbook that ran before in the same play has left."""
    ids = {record["id"] for record in records}
    for result in results:
        is_old = result.get("audit") and result["audit"]["id"] not in ids
        yield {} if is_old else result


def _nothing_selected(run: Run, tags: t.Sequence[str]) -> str | None:
    """Return what is wrong where the tags select no step, so that nothing was done."""
    names = [step.name for step in run.steps if "check" not in step.name]
    if "all" in tags or "doctor" in tags or run.failed or any(step.has_run for step in run.steps):
        return None
    return (
        f"RESTATE_INVALID_ARGUMENT: --tags {','.join(tags)} selects no step of this runbook; nothing was done. "
        f"What to do: Use one of doctor, {', '.join(names)}."
    )
