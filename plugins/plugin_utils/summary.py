# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a runbook tells a person at its end: what was found, done and left, and what to do next."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .advice import with_variables
from .command_line import Command
from .job_template import JobTemplate
from .lines import Line

Result = t.Mapping[str, t.Any]

_WHAT_TO_DO = " What to do: "
_NOUNS = {"critical": "critical finding", "warning": "warning"}
_CODE = re.compile(r"(RESTATE|OFFCHAIN)_[A-Z_]+: ")
_SUBJECTS = ("deployment_id", "invocation_id", "workflow", "service", "service_url")
"""What a step is about, by the first of these that it has."""
_SHOWN = 20
_SEVERITY_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


@dataclass(frozen=True)
class Step:
    """A step of a runbook and its result; an empty one where it did not run."""

    name: str
    result: Result

    @property
    def has_failed(self) -> bool:
        """Whether the step was tried and failed."""
        return bool(self.result.get("failed"))

    @property
    def has_run(self) -> bool:
        """Whether the step was tried."""
        return bool(self.result) and not self.result.get("skipped")

    @property
    def is_dry(self) -> bool:
        """Whether the step was a dry run: what decides is its own check mode."""
        return bool(self.result.get("audit", {}).get("data", {}).get("check_mode"))

    @property
    def message(self) -> str:
        """What the step says of itself; a result of Ansible's own may say nothing."""
        said = str(self.result.get("msg") or ("failed" if self.has_failed else "done"))
        # Ansible's own errors have several lines.
        told = " ".join(said.splitlines())
        # Ansible puts its own words before the error of a lookup.
        code = _CODE.search(told)
        return told[code.start() :] if code else told

    @property
    def is_check(self) -> bool:
        """Whether it is a look before the work, of which there is nothing to tell but a refusal."""
        is_left_out = bool(self.result.get("left_out"))
        return "audit" not in self.result and not self.has_failed and not is_left_out


@dataclass(frozen=True)
class Run:
    """One run of a runbook on a host; O(before) and O(after) are examinations, empty where there was none."""

    title: str
    host: str
    before: Step
    steps: tuple[Step, ...]
    after: Step
    command: Command | JobTemplate

    @property
    def failed(self) -> list[Step]:
        """The steps that failed, in their order."""
        return [step for step in (self.before, *self.steps, self.after) if step.has_failed]

    @property
    def is_dry(self) -> bool:
        """Whether nothing could be changed."""
        return any(step.is_dry for step in (self.before, *self.steps))

    @property
    def plan_digests(self) -> dict[str, str] | None:
        """The digests of what the steps of a dry run would do, by step; None where no step has a plan.

        After a run for real there are none: what was approved is done with.
        """
        planned = [step for step in self.steps if "audit" in step.result and "findings" not in step.result]
        if not planned:
            return None
        return {
            step.name: step.result["plan_digest"]
            for step in planned
            if step.is_dry and "plan_digest" in step.result
        }

    @property
    def needs_new_plan(self) -> bool:
        """Whether what was approved does not hold any more, or not for all that is left."""
        return any(step.has_failed and _code(step) == "RESTATE_PLAN_CHANGED" for step in self.steps) or (
            self.is_approved and any(step.result.get("changed") for step in self.steps)
        )

    @property
    def is_approved(self) -> bool:
        """Whether the steps were given plans for real."""
        records = [step.result.get("audit", {}).get("data", {}) for step in self.steps]
        return not self.is_dry and any("plan_digest" in each.get("arguments", {}) for each in records)

    @property
    def last_examination(self) -> Result:
        """The last examination that saw something, or an empty result."""
        seen = [step.result for step in (self.before, *self.steps, self.after) if "findings" in step.result]
        return seen[-1] if seen else {}


def lines(run: Run) -> list[Line]:
    """Return the summary of a run."""
    told = [_headline(run), Line("")]
    told += [Line("FOUND"), *_found(run), Line("")]
    if run.steps and any("findings" not in step.result for step in run.steps):
        told += [Line("WOULD BE DONE" if run.is_dry else "DONE"), *_done(run), Line("")]
        told += [Line("LEFT"), *(_left(run) or [Line("  - nothing")]), Line("")]
    told += [Line("NEXT"), *next_steps(run), Line("")]
    told += [Line("RECORDED (fact restate_audit, artifact restate_audit_records)"), *_recorded(run)]
    return told


def _headline(run: Run) -> Line:
    told, colour = health(run.last_examination)
    if run.failed:
        return Line(f"{run.title} on {run.host}: FAILED; {told}", "red")
    ended = "dry run, nothing was changed" if run.is_dry else "done"
    return Line(f"{run.title} on {run.host}: {ended}; {told}", colour)


def health(examination: Result) -> tuple[str, str]:
    """Return how healthy an examination found the server, and the colour of that."""
    findings = examination.get("findings")
    if findings is None:
        return "Restate was not examined", "yellow"
    numbers = {name: sum(each["severity"] == name for each in findings) for name in ("critical", "warning")}
    shown = ", ".join(
        f"{number} {_NOUNS[name]}{'s' * (number > 1)}" for name, number in numbers.items() if number
    )
    if not examination.get("healthy"):
        return f"Restate is NOT healthy{f' ({shown})' if shown else ''}", "red"
    if any(each["code"] == "NOTHING_REGISTERED" for each in findings) and not shown:
        return "Restate answers, and nothing is registered there", "yellow"
    return (f"Restate needs attention ({shown})", "yellow") if shown else ("Restate is healthy", "green")


def _finding(finding: Result) -> Line:
    severity = finding["severity"]
    return Line(f"  - {severity}: {finding['message']}", _SEVERITY_COLOURS.get(severity))


def _found(run: Run) -> list[Line]:
    first = next((step for step in (run.before, *run.steps) if step.has_run), None)
    if first is None or not (first is run.before or "findings" in first.result):
        return [Line("  - nothing: it was not examined")]
    found = [_finding(each) for each in first.result.get("findings", [])]
    return [*(found or [Line(f"  - {first.message}")]), *_not_asked(first)]


def _not_asked(examination: Step) -> list[Line]:
    """Return what an examination left out, where its message does not say so; DALP's route can ask no service."""
    result = examination.result
    arguments = result.get("audit", {}).get("data", {}).get("arguments", {})
    is_told = "were not asked" in examination.message and not result.get("findings")
    if "findings" not in result or arguments.get("probe_services", True) or is_told:
        return []
    why = "DALP asks none" if arguments.get("backend") == "dalp" else "restate_probe_services: false"
    return [Line(f"  - services were not asked whether they answer ({why})", "yellow")]


def _done(run: Run) -> list[Line]:
    told = []
    for step in run.steps:
        if not step.has_run:
            if "check" in step.name:
                continue
            reason = f", since {run.failed[0].name} failed" if run.failed else ": nothing asked for it"
            told.append(Line(f"  - {step.name}: not tried{reason}", "yellow" if run.failed else None))
            continue
        if step.is_check:
            continue
        what = step.message.partition(_WHAT_TO_DO)[0]
        told.append(Line(f"  - {step.name}: {what}", "red" if step.has_failed else None))
        told += [Line(run.command.completed(f"    note: {each}"), "yellow") for each in _notes(step.result)]
        told += [Line(f"    {each}") for each in (*_removed(step.result), *_done_before(step.result))]
    return told


def _removed(result: Result) -> t.Iterator[str]:
    """Yield which deployments went, or would go."""
    removed = result.get("removed") or []
    urls = {each.get("deployment_id"): each.get("service_url") for each in result.get("steps", [])}
    if removed:
        yield f"removed: {_some([f'{each} at {urls[each]}' if urls.get(each) else each for each in removed])}"


def _done_before(result: Result) -> t.Iterator[str]:
    """Yield what was done before a failure, by what it was."""
    done: dict[str, list[str]] = {}
    for each in result.get("done", []):
        subject = next((str(each[name]) for name in _SUBJECTS if name in each), "")
        done.setdefault(each["action"], []).append(subject)
    for action, subjects in done.items():
        yield f"done before the failure: {action} {_some(subjects)}".rstrip()


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more; the result names all" if more > 0 else "")


def _notes(result: Result) -> list[str]:
    reason = result.get("changed_reason")
    changed = "changed" if result.get("changed") else "not changed"
    return [*([f"{changed}: {reason}"] if reason else []), *result.get("warnings", [])]


def _left(run: Run) -> list[Line]:
    told = []
    for step in run.steps:
        for each in step.result.get("remaining", []):
            pending = each.get("pending_invocations")
            shown = f", {pending} pending" if pending is not None else ""
            of = f" of {', '.join(each['services'])}" if each.get("services") else ""
            told.append(
                Line(
                    f"  - deployment {each['deployment_id']} at {each.get('service_url')}: {each['reason']}{of}{shown}"
                )
            )
        told += [Line(f"  - {with_variables(each)}") for each in _blocked(step.result)]
    if not run.is_dry:
        told += [_finding(each) for each in run.after.result.get("findings", [])]
    return told


def _blocked(result: Result) -> list[str]:
    blocked = [each for each in result.get("results", []) if each.get("outcome") in ("blocked", "failed")]
    return [
        f"{each.get('target') or _key(each)}: {each.get('reason')}, {each.get('message')}" for each in blocked
    ]


def _key(each: Result) -> str:
    return f"{each.get('service_name')}/{each.get('service_key')}" if "service_key" in each else str(each)


def next_steps(run: Run) -> list[Line]:
    """Return what to do next; a line that does not begin as one of a list is a command."""
    if not run.failed and run.is_dry and any(step.result.get("changed") for step in run.steps):
        what = "do exactly this" if run.plan_digests and run.command.holds_plans else "do it"
        return [Line(f"  - {what}:"), Line(run.command.for_real(run.plan_digests), "green")]
    told = list(dict.fromkeys(_remedy(step) for step in run.failed))
    shown = [Line(run.command.completed(f"  - {with_variables(remedy)}")) for remedy in told]
    if run.failed and run.needs_new_plan:
        shown += [
            Line("  - see what is left to be done, in a new dry run:"),
            Line(run.command.dry_run(), "green"),
        ]
    elif run.failed:
        shown += [Line("  - then again, with what you decided:"), Line(run.command.again(), "green")]
    if not (run.failed and run.is_dry):
        findings = run.last_examination.get("findings", [])
        shown += [
            Line(run.command.completed(f"  - {_advice(each)}"))
            for each in findings
            if each["remedy"] not in told
        ]
    return shown or [Line("  - nothing")]


def _advice(finding: Result) -> str:
    return f"{finding['code']}: {with_variables(finding['remedy'])}"


def _code(step: Step) -> str | None:
    error = step.result.get("error")
    if isinstance(error, dict):
        return error.get("code")
    # A gate of the runbook has a message and no more.
    found = _CODE.match(step.message)
    return found[0].removesuffix(": ") if found else None


def _remedy(step: Step) -> str:
    error = step.result.get("error")
    if isinstance(error, dict) and error.get("remedy"):
        return str(error["remedy"])
    return step.message.partition(_WHAT_TO_DO)[2] or step.message


def _recorded(run: Run) -> list[Line]:
    told = []
    for step in (run.before, *run.steps, run.after):
        record = step.result.get("audit")
        if record:
            data = record["data"]
            reason = f": {data['reason']}" if data.get("reason") else ""
            told.append(
                Line(f"  - {record['time']} {record['type']} {record['subject']}, by {data['actor']}{reason}")
            )
    return told or [Line("  - nothing")]
