# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a template as AWX 24.6.1 does: through ansible-runner, with what the stand-in holds of it."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner  # type: ignore[import-untyped]
import jinja2.sandbox
import yaml

from tests.integration.awx.server import Awx
from tests.integration.awx.site import DATA, MANUAL, ROOT
from tests.integration.awx.surveys import trouble_of_answer, troubles_of_answers


@dataclass(frozen=True)
class Job:
    """What became of a launch, as AWX keeps it; O(output) is what AWX shows."""

    number: int
    status: str
    artifacts: dict[str, Any]
    extra_variables: dict[str, Any]
    output: str
    events: str

    def __str__(self) -> str:
        return f"{self.status}\n{self.output}"


class LaunchRefused(Exception):  # noqa: N818
    """AWX does not launch a template with these answers."""


class _UnsafeDumper(yaml.SafeDumper):
    """Marks each text as not to be templated, as AWX does with all that is not a variable of the template."""

    def represent_data(self, data: Any) -> yaml.Node:
        return (
            self.represent_scalar("!unsafe", data) if isinstance(data, str) else super().represent_data(data)
        )


class Jobs:
    """Launches the templates of an AWX as its user olive. Each job has its own folder in O(folder)."""

    def __init__(self, awx: Awx, folder: Path) -> None:
        self.awx = awx
        self.all: list[Job] = []
        self.folder = folder
        self._numbers = itertools.count(1)

    def launch(self, template: str, **answers: Any) -> Job:
        """Launch a template with the answers to its survey; raise LaunchRefused for what AWX answers with 400."""
        troubles = troubles_of_answers(self._survey("job_templates", template), answers)
        if troubles:
            raise LaunchRefused(troubles)
        return self.run(template, answers, {})

    def run(self, template: str, given: dict[str, Any], told: dict[str, Any]) -> Job:
        """Run a template with these variables, unexamined as in a workflow, and what AWX tells of the workflow."""
        number = next(self._numbers)
        held = self.awx.named("job_templates", template)
        template_id = self.awx.id_of("job_templates", template)
        folder = self.folder / f"job-{number}"
        (folder / "env").mkdir(parents=True)
        (folder / "cp").mkdir()
        _lay_out_project(folder, self.awx.store.objects["projects"][held["project"]])
        self._write_inventory(folder, held["inventory"])
        own = {
            "job_id": number,
            "job_launch_type": "workflow" if told else "manual",
            "job_template_id": template_id,
            "job_template_name": template,
            "user_id": 5,
            "user_name": "olive",
            "user_email": "olive@example.com",
            "inventory_id": held["inventory"],
            **told,
        }
        named = {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in own.items()}
        variables = self.extra_variables("job_templates", template, given)
        of_template = json.loads(held["extra_vars"] or "{}")
        (folder / "env" / "extravars").write_text(_safe_text({**named, **variables}, of_template))
        (folder / "env" / "envvars").write_text(
            json.dumps(
                {
                    **self._environment(template_id, folder / "env"),
                    "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                    "ANSIBLE_FORCE_COLOR": "True",
                    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
                    "ANSIBLE_RETRY_FILES_ENABLED": "False",
                    "AWX_PRIVATE_DATA_DIR": str(folder),
                    "INVENTORY_ID": str(held["inventory"]),
                    "JOB_ID": str(number),
                    "LC_ALL": "C.UTF-8",
                }
            )
        )
        (folder / "env" / "cmdline").write_text(_command_line(held))
        ran = ansible_runner.run(private_data_dir=str(folder), playbook=held["playbook"], quiet=True)
        events = list(ran.events)
        job = Job(number, ran.status, _artifacts(events), variables, ran.stdout.read(), json.dumps(events))
        self.all.append(job)
        return job

    def extra_variables(self, resource: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return those of a template; those defaults of its survey that are answers and what is given outrank them."""
        variables = json.loads(self.awx.named(resource, name)["extra_vars"] or "{}")
        for question in self._survey(resource, name).get("spec", ()):
            default = {question["variable"]: question["default"]}
            if trouble_of_answer(question, default) is None:
                variables |= default
        return {**variables, **given}

    def _survey(self, resource: str, name: str) -> dict[str, Any]:
        held = self.awx.named(resource, name)
        return self.awx.survey_of(name, resource) if held["survey_enabled"] else {}

    def _write_inventory(self, folder: Path, inventory: int) -> None:
        hosts = {
            one["name"]: {
                **json.loads(one["variables"] or "{}"),
                "remote_tower_enabled": "true",
                "remote_tower_id": number,
            }
            for number, one in self.awx.store.objects["hosts"].items()
            if one["inventory"] == inventory
        }
        script = {"all": {"hosts": sorted(hosts)}, "_meta": {"hostvars": hosts}}
        path = folder / "inventory" / "hosts"
        path.parent.mkdir()
        path.write_text(f"#! /usr/bin/env python3\nprint({json.dumps(script)!r})\n")
        path.chmod(0o700)

    def _environment(self, template: int, folder: Path) -> dict[str, str]:
        """Return what the injectors of the template's credentials give; write their files to a folder."""
        store = self.awx.store
        environment: dict[str, str] = {}
        for number in store.associated.get(("job_templates", template, "credentials"), ()):
            credential = store.objects["credentials"][number]
            injectors = store.objects["credential_types"][credential["credential_type"]]["injectors"]
            names: dict[str, Any] = {name: value for name, value in credential["inputs"].items() if value}
            files = {}
            for label, text in injectors.get("file", {}).items():
                path = folder / f"tmp-{number}-{label.partition('.')[2]}"
                path.write_text(_rendered(text, names))
                files[label.partition(".")[2]] = str(path)
            names["tower"] = {"filename": files}
            environment |= {name: _rendered(text, names) for name, text in injectors.get("env", {}).items()}
        return environment


def _rendered(text: str, names: dict[str, Any]) -> str:
    return jinja2.sandbox.ImmutableSandboxedEnvironment().from_string(text).render(**names)


def _lay_out_project(folder: Path, project: dict[str, Any]) -> None:
    source = DATA / "project" if project["local_path"] == MANUAL else ROOT
    shutil.copytree(source / "playbooks", folder / "project" / "playbooks")


def _command_line(template: dict[str, Any]) -> str:
    options = ["--check"] if template["job_type"] == "check" else []
    options += ["-u", "root"] + (["--diff"] if template["diff_mode"] else [])
    return shlex.join([*options, "-l", template["limit"]])


def _safe_text(variables: dict[str, Any], of_template: dict[str, Any]) -> str:
    """Return YAML in which only what the template itself sets may be templated."""
    return "".join(
        yaml.dump(
            {name: value},
            Dumper=yaml.SafeDumper if of_template.get(name) == value else _UnsafeDumper,
            default_flow_style=False,
        )
        for name, value in variables.items()
    )


def _artifacts(events: list[dict[str, Any]]) -> dict[str, Any]:
    ends = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    return {name: value for end in ends for name, value in end.get("artifact_data", {}).items()}
