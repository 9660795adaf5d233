# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launches a template as AWX does: through ansible-runner, with what the data files make of survey and credential."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner  # type: ignore[import-untyped]
import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "extensions" / "awx"
TEXTS = ("text", "textarea", "password")


class _Loader(yaml.SafeLoader):
    """Reads what Ansible marks as not to be templated, too."""


_Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def data(name: str) -> Any:
    """Return what a data file holds, as it stands."""
    return yaml.load((DATA / name).read_text(encoding="utf-8"), Loader=_Loader)


@dataclass(frozen=True)
class Job:
    """What became of a launch; O(output) is what AWX shows."""

    status: str
    artifacts: dict[str, Any]
    output: str
    events: str


def answers_of(survey: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the extra variables that a survey becomes: defaults, and empty text for what is not answered."""
    found = {}
    for question in data("surveys.yml")["awx_surveys"][survey]["spec"]:
        variable, default = question["variable"], question["default"]
        if variable in given:
            found[variable] = given[variable]
        elif question["type"] in TEXTS:
            found[variable] = "" if "{{" in default else default
        elif default != "":
            found[variable] = default.splitlines() if question["type"] == "multiselect" else default
        assert found.get(variable) or not question["required"], f"{variable} must be answered"
    return found


def environment_of(credential: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the environment that a credential's injectors give, and write their files, as AWX does."""
    kind = data("controller/credential_types.yml")["controller_credential_types"][0]
    files = {}
    for name, template in kind["injectors"]["file"].items():
        path = folder / name.partition(".")[2]
        path.write_text(jinja2.Template(template).render(**credential))
        files[path.name] = str(path)
    names = {**credential, "tower": {"filename": files}}
    return {name: jinja2.Template(text).render(**names) for name, text in kind["injectors"]["env"].items()}


def launch(
    folder: Path,
    playbook: str,
    extra_variables: dict[str, Any],
    credential: dict[str, str],
    *,
    is_dry_run: bool,
) -> Job:
    """Run a playbook of the manual project as a job of AWX, and return what AWX would keep of it."""
    shutil.copytree(DATA / "project", folder / "project")
    for name in ("env", "inventory"):
        (folder / name).mkdir()
    host = data("controller/hosts.yml")["controller_hosts"][0]["variables"]
    inventory = {"all": {"hosts": {"staging": host, "elsewhere": {"ansible_connection": "local"}}}}
    (folder / "inventory" / "hosts.json").write_text(json.dumps(inventory))
    template = f"Restate: {playbook}"
    told = {"job_id": 7, "job_template_id": 3, "job_template_name": template, "user_name": "olive"}
    named = {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in told.items()}
    (folder / "env" / "extravars").write_text(json.dumps({**extra_variables, **named}))
    (folder / "env" / "envvars").write_text(
        json.dumps(
            {
                **environment_of(credential, folder),
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "AWX_PRIVATE_DATA_DIR": str(folder),
                "LC_ALL": "C.UTF-8",
            }
        )
    )
    (folder / "env" / "cmdline").write_text("--diff --limit staging" + (" --check" if is_dry_run else ""))
    ran = ansible_runner.run(private_data_dir=str(folder), playbook=f"playbooks/{playbook}.yml", quiet=True)
    events = list(ran.events)
    artifacts: dict[str, Any] = {}
    for event in events:
        artifacts |= (
            event["event_data"].get("artifact_data", {}) if event["event"] == "playbook_on_stats" else {}
        )
    return Job(ran.status, artifacts, ran.stdout.read(), json.dumps(events))
