# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data files for AWX: they are as the modules are, and safe as they stand."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "extensions" / "awx"
RUNBOOKS = (
    *("doctor", "release", "redeploy", "rollback", "cleanup", "resume", "recover_workflow", "recover_failed"),
)
WRITING = RUNBOOKS[1:]


class Loader(yaml.SafeLoader):
    """Reads what Ansible marks as not to be templated, too."""


Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def read(name: str) -> dict[str, Any]:
    with (DATA / name).open(encoding="utf-8") as file:
        return yaml.load(file, Loader=Loader)


def script() -> Any:
    spec = importlib.util.spec_from_file_location("awx_surveys", ROOT / "scripts" / "awx_surveys.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["awx_surveys"] = module
    spec.loader.exec_module(module)
    return module


SURVEYS = read("surveys.yml")["awx_surveys"]
TEMPLATES = {one["name"]: one for one in read("controller/templates.yml")["controller_templates"]}
WORKFLOWS = read("controller/workflows.yml")["controller_workflows"]


def question(survey: str, variable: str) -> dict[str, Any]:
    return next(each for each in SURVEYS[survey]["spec"] if each["variable"] == variable)


def test_the_surveys_are_what_the_modules_say() -> None:
    assert (DATA / "surveys.yml").read_text(encoding="utf-8") == script().text(), "make awx-surveys"


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_runbook_is_there_as_it_is_and_as_a_dry_run(runbook: str) -> None:
    run = TEMPLATES[f"{{{{ awx_title }}}}: {runbook}"]
    dry_run = TEMPLATES[f"{{{{ awx_title }}}}: {runbook} (dry run)"]
    assert (run["job_type"], dry_run["job_type"]) == ("run", "check")
    assert dry_run["diff_mode"]
    assert run["playbook"] == dry_run["playbook"] == f"{{{{ awx_playbooks }}}}/{runbook}.yml"


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_playbook_of_a_template_is_in_either_project(name: str) -> None:
    playbook = TEMPLATES[name]["playbook"].replace("{{ awx_playbooks }}", "playbooks")
    assert (ROOT / playbook).is_file()
    [imported] = yaml.safe_load((DATA / "project" / playbook).read_text())
    assert imported["ansible.builtin.import_playbook"] == f"dalp.restate.{Path(playbook).stem}"


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_who_launches_chooses_nothing_but_answers(name: str) -> None:
    asked = {key for key, value in TEMPLATES[name].items() if key.startswith("ask_") and value}
    assert not asked
    assert TEMPLATES[name]["allow_simultaneous"] is False


@pytest.mark.parametrize("runbook", WRITING)
def test_a_write_asks_for_its_reason(runbook: str) -> None:
    assert question(runbook, "restate_reason")["required"]
    assert not question(f"{runbook}_dry_run", "restate_reason")["required"]


def test_what_is_dangerous_is_off_and_says_what_it_costs() -> None:
    kill = question("recover_workflow", "restate_kill_active")
    assert kill["default"] == "never"
    assert "A kill takes along whatever the invocation called" in kill["question_description"]
    pending = question("release", "restate_pending")
    assert (question("release", "restate_force_drain")["default"], pending["default"]) == ("false", "")
    assert "without compensation" in pending["question_description"]
    removal = question("release", "restate_allow_service_removal")
    assert removal["default"] == ""
    assert "which then fails with every attempt" in removal["question_description"]
    assert "may vanish with their only deployment" in removal["question_description"]


def test_no_secret_is_asked() -> None:
    asked = {each["variable"] for survey in SURVEYS.values() for each in survey["spec"]}
    assert not asked & {
        f"restate_{name}" for name in ("auth_token", "headers", "dalp_api_key", "audit_webhook")
    }
    assert not asked & {"restate_admin_url", "restate_ingress_url", "restate_dalp_url"}


def test_nothing_in_a_help_text_is_taken_for_a_template() -> None:
    texts = [each["question_description"] for survey in SURVEYS.values() for each in survey["spec"]]
    assert not [text for text in texts if "{{" in text or "{%" in text]


def test_a_job_may_take_longer_than_any_answer_lets_it_wait() -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "awx" / "defaults" / "main.yml").read_text())
    waits = ("restate_drain_timeout", "restate_wait_timeout")
    longest = [
        each["max"] for survey in SURVEYS.values() for each in survey["spec"] if each["variable"] in waits
    ]
    assert max(longest) < defaults["awx_job_timeout"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda each: str(each["name"]).partition(": ")[2])
def test_a_run_follows_an_approval_only(workflow: dict[str, Any]) -> None:
    nodes = {each["identifier"]: each for each in workflow["simplified_workflow_nodes"]}
    leading = {
        (name, edge)
        for name, node in nodes.items()
        for edge in ("success_nodes", "failure_nodes", "always_nodes")
        if "run" in node.get(edge, ())
    }
    assert leading == {("approval", "success_nodes")}
    assert not nodes["approval"].get("failure_nodes")
    assert not nodes["run"].get("failure_nodes", nodes["run"].get("always_nodes"))
    # A gate that breaks must not pass for one that has found nothing to do.
    assert nodes["nothing to approve"]["failure_nodes"] == ["approval"]
    assert not nodes["nothing to approve"].get("success_nodes")


def test_what_the_credential_gives_is_what_the_modules_read() -> None:
    options = importlib.import_module("ansible_collections.dalp.restate.plugins.module_utils._task.options")
    specs = {**options.CONNECTION_SPEC, **options.AUDIT_SPEC}
    known = {name for spec in specs.values() for name in spec.get("fallback", (None, ()))[1]}
    for kind in read("controller/credential_types.yml")["controller_credential_types"]:
        assert kind["injectors"]["env"].keys() <= known
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        assert "extra_vars" not in kind["injectors"]
        assert secret


def test_the_image_is_built_with_the_collection_and_what_it_needs(tmp_path: Path) -> None:
    definition = DATA / "execution-environment.yml"
    command = [str(Path(sys.executable).with_name("ansible-builder")), "create", "-f", str(definition)]
    subprocess.run([*command, "-c", str(tmp_path)], check=True, capture_output=True)
    [collection] = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text())["collections"]
    assert collection["name"] == yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"] + ".git"
    image = next(path for name in ("Containerfile", "Dockerfile") if (path := tmp_path / name).exists())
    assert "ansible-core>=2.19" in image.read_text()
    needed = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text())
    assert (ROOT / needed["dependencies"]["python"]).is_file()
