# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command, snippet and example of the documentation, run as it stands but for names, ids and URLs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_task import run_task
from tests.integration.dalp.server import OPERATOR_KEY, DalpServer
from tests.integration.guides import (
    GUIDES,
    ROOT,
    Snippet,
    commands,
    replaced,
    snippets,
    with_outputs,
    write,
)
from tests.integration.playbook import environment
from tests.integration.returned_keys import COLLECTION, MODULES, block
from tests.integration.server import Server

# These start a sandbox, a benchmark or a proof of their own, or need an AWX: test_sandbox.py, test_cluster.py and
# test_awx.py do what they show.
ELSEWHERE = ("roles/sandbox/README.md", "roles/awx/README.md", "docs/awx.md")

ALL = [one for guide in GUIDES for one in snippets(guide)]
CONSOLE = [one for one in ALL if one.language == "console" and one.guide not in ELSEWHERE]
YAML = [one for one in ALL if one.language == "yaml" and one.guide not in ELSEWHERE]
RUNNABLE = [one for one in YAML if "collections:" not in one.text]

LOG = "restate-audit.jsonl"
# What these do needs work that does not drain by itself; the others would wait for it.
ABOUT_PENDING_WORK = ("force_drain", "STALE_DEPLOYMENTS")
ABOUT_PAUSED_WORK = ("restate_force_drain", "resume", "recover_failed", "PAUSED_INVOCATIONS")
# What is left when a cleanup has removed the old release.
AFTER_A_CLEANUP = "dalp.restate.recover_workflow -e"
# What stands before a release, or is one.
NOT_YET_REGISTERED = {
    ("docs/quickstart.md", "Look, then release"),
    ("docs/release.md", "See what would happen"),
    ("docs/release.md", "Do it"),
    ("docs/through-dalp.md", "A release"),
}


class World:
    """A Restate as the guides describe it: two releases of the orders, and what is in trouble on the first."""

    def __init__(self, server: Server, dalp: DalpServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self._dalp = dalp
        self.old = server.release("release-1")
        for key in ("order-1001", "order-1002"):
            server.order(key, "fail")
        self.new_url = server.serve("release-2", "release-2")
        self.log = directory / LOG

    def names(self) -> dict[str, str]:
        """Return what the guides call things, each with what it is called here."""
        admin, ingress = self.server.admin_url, self.server.sandbox.ingress_url
        return {
            **dict.fromkeys(["http://restate.internal:9070", "http://restate:9070"], admin),
            **dict.fromkeys(["http://restate.example.com:9070", "https://restate.example.com:9070"], admin),
            **{f"http://n{number}.example.com:9070": admin for number in (1, 2, 3)},
            "http://restate:8080": ingress,
            "http://orders-v1:9080": self.old.url,
            **dict.fromkeys(["http://orders-v2:9080/", "http://orders-v2:9080"], self.new_url),
            **dict.fromkeys(["http://ddwf:9080/", "http://ddwf:9080"], self.new_url),
            "https://your-platform.example.com": self._dalp.url,
            "{{ vault_restate_token }}": "a-token-of-nobody",
            "{{ vault_dalp_api_key }}": OPERATOR_KEY,
            "/var/log/restate-audit.jsonl": str(self.log),
            "/var/lib/restate-snapshots": str(self.directory / "snapshots"),
            "InvitationWorkflow": "OrderWorkflow",
            "invitation_01j8m7k2q3r4s5t6u7v8w9x0y1_1770000000000": "order-1001",
        }

    def shown(self, output: str) -> str:
        """Return an output with the names of the guides."""
        return replaced(
            output,
            {
                self.server.admin_url: "http://restate.internal:9070",
                self.old.url: "http://orders-v1:9080",
                self.new_url: "http://orders-v2:9080",
                self.old.id: "dp_166c8s...",
                f"{self.directory}/": "",
            },
        )

    def prepare(self, text: str, *, registered: bool) -> str:
        """Make what a text needs, and return the text with the names of this world."""
        if any(word in text for word in ABOUT_PENDING_WORK):
            for key in ("order-1003", "order-1004", "order-1005"):
                self.server.order(key, "wait")
        paused = (
            self.server.payment("payment-2001") if any(word in text for word in ABOUT_PAUSED_WORK) else ""
        )
        if registered:
            self.server.register(self.new_url)
        if AFTER_A_CLEANUP in text:
            self.server.delete(self.old.id)
        if LOG in text:
            self.server.task("doctor", audit_log=str(self.log))
        names = self.names()
        for invocation_id in _ids(text):
            names[invocation_id] = paused if "latest" not in text else self._zombie()
        return replaced(text, names)

    def _zombie(self) -> str:
        doomed = self.server.release("doomed", "release-1")
        invocation_id = self.server.order("order-1007", "wait")
        self.server.delete(doomed.id)
        return invocation_id

    def run(self, command: str, inventory: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a reader does, with an inventory beside it."""
        (self.directory / "inventory.yml").write_text(inventory)
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        more = {"DALP_API_URL": self._dalp.url, "DALP_API_KEY": OPERATOR_KEY}
        own = environment(PATH=tools, ANSIBLE_NOCOLOR="1", LC_ALL="C.UTF-8", **more)
        return subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env=own, capture_output=True, text=True, check=False
        )

    def inventory(self, **variables: Any) -> str:
        """Return an inventory of one environment."""
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return json.dumps({"all": {"hosts": {"staging": {**host, **variables}}}})


@pytest.fixture
def world(server: Server, dalp: DalpServer, tmp_path: Path) -> World:
    return World(server, dalp, tmp_path)


def _ids(text: str) -> set[str]:
    return {word.strip("[],\"'") for word in text.split() if word.strip("[],\"'").startswith("inv_")}


def _is_registered(snippet: Snippet) -> bool:
    return (snippet.guide, snippet.heading) not in NOT_YET_REGISTERED


def _inventory_of(guide: str, world: World) -> str:
    """Return the inventory that a guide shows, or that of the first steps."""
    of_guide = [one for one in YAML if one.guide == guide and one.text.startswith("# inventory.yml")]
    [first] = [
        one for one in YAML if one.guide == "docs/quickstart.md" and one.text.startswith("# inventory.yml")
    ]
    return replaced((of_guide or [first])[0].text, world.names())


def _as_it_can_be_tried(command: str, world: World) -> str:
    """Return a command that writes nothing outside the test's directory, and starts no sandbox."""
    if command.startswith("make "):
        return f"make -C {ROOT} --dry-run {command.partition('#')[0].removeprefix('make ')}"
    if command.startswith("ansible-galaxy collection build"):
        return f"{command} --output-path {world.directory} {ROOT}"
    if command.startswith("ansible-galaxy collection install"):
        return f"{command} -p collections"
    if command.startswith("python3 -m pip install"):
        return command.replace(
            "python3 -m pip install", f"uv pip install --offline --python {sys.executable}"
        )
    if command.startswith("curl "):
        return command.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
    return command


@pytest.mark.parametrize("snippet", CONSOLE, ids=str)
def test_a_command_of_a_guide_runs_and_prints_what_the_guide_shows(
    snippet: Snippet, world: World, pytestconfig: pytest.Config
) -> None:
    text = world.prepare(snippet.text, registered=_is_registered(snippet))
    inventory = _inventory_of(snippet.guide, world)
    outputs = []
    for command in commands(text):
        ran = world.run(_as_it_can_be_tried(command.text, world), inventory)
        assert ran.returncode == (2 if command.is_shown_to_fail else 0), ran.stdout + ran.stderr
        outputs.append(world.shown(ran.stdout))
    written = with_outputs(snippet.text, outputs)
    if pytestconfig.getoption("write_outputs"):
        write(snippet, written)
    else:
        assert snippet.text == written, "run make docs-outputs"


def _as_a_playbook(text: str, world: World) -> tuple[str, str]:
    """Return the playbook and the inventory that a snippet is, or that it is a part of."""
    content = yaml.safe_load(text)
    see: dict[str, Any] = {"dalp.restate.restate_doctor": {}}
    play: dict[str, Any] = {"hosts": "all", "gather_facts": False}
    if isinstance(content, list):
        is_play = "hosts" in content[0]
        playbook = content if is_play else [{**play, "tasks": content}]
        return json.dumps(playbook), world.inventory()
    if "all" in content:
        return json.dumps([{**play, "roles": ["dalp.restate.doctor"]}]), text
    if "module_defaults" in content:
        return json.dumps([{**play, **content, "tasks": [see]}]), world.inventory()
    return json.dumps([{**play, "roles": ["dalp.restate.doctor"]}]), world.inventory(**content)


@pytest.mark.parametrize("snippet", RUNNABLE, ids=str)
def test_a_snippet_of_a_guide_runs(snippet: Snippet, world: World) -> None:
    text = world.prepare(snippet.text, registered=True)
    playbook, inventory = _as_a_playbook(text, world)
    (world.directory / "playbook.yml").write_text(playbook)

    ran = world.run("ansible-playbook -i inventory.yml playbook.yml", inventory)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ok=0" not in ran.stdout


def test_the_requirements_file_of_the_first_steps_installs_the_collection_that_is_built(world: World) -> None:
    [text] = [one.text for one in YAML if one.text.startswith("collections:")]
    (world.directory / "requirements.yml").write_text(text)

    ran = world.run(
        f"ansible-galaxy collection build {ROOT} && "
        "ansible-galaxy collection install -r requirements.yml -p installed --force",
        "",
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (
        world.directory / "installed/ansible_collections/dalp/restate/plugins/modules/restate_doctor.py"
    ).exists()


EXAMPLES = [
    pytest.param(task, id=f"{name}-{number}")
    for name in MODULES
    for number, task in enumerate(yaml.safe_load(block(name, "EXAMPLES")), start=1)
]


@pytest.mark.parametrize("task", EXAMPLES)
def test_an_example_of_a_module_succeeds(task: dict[str, Any], world: World) -> None:
    text = world.prepare(json.dumps(task), registered="restate_redeploy" not in json.dumps(task))
    [(module, options)] = [entry for entry in json.loads(text).items() if entry[0].startswith(COLLECTION)]
    if "admin_url" in options:
        options.setdefault("ingress_url", world.server.sandbox.ingress_url)
    result = run_task(module, options, python=world.server.python)
    assert not result["failed"], result["msg"]
