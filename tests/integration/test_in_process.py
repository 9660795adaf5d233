# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tasks run in Ansible's own process, that it makes no difference to them, and what ends one there."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.action.normal import ActionModule as SendingAction
from ansible.template import trust_as_template
from waiting import wait_until

from tests.integration import ways
from tests.integration.ansible_task import prepare, run_task
from tests.integration.audit_log import outcomes, records
from tests.integration.playbook import environment
from tests.integration.proxy import Proxy
from tests.integration.server import Server
from tests.integration.test_ended_early import Held

HERE, SENT = "it ran in process", "it was sent"
OWN = Path(sys.executable)


@pytest.fixture
def in_process() -> Any:
    """The file, as Ansible has imported it."""
    prepare()
    return importlib.import_module("ansible_collections.dalp.restate.plugins.plugin_utils.in_process")


@pytest.fixture
def where(in_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks tell where they would run, and do nothing else."""
    monkeypatch.setattr(in_process.ActionInProcess, "_refused", lambda _self: {"msg": HERE})
    monkeypatch.setattr(in_process.ActionInProcess, "_params", {}, raising=False)
    monkeypatch.setattr(SendingAction, "run", lambda _self, _tmp, _variables: {"msg": SENT})


@pytest.mark.parametrize(
    ("expected", "keywords"),
    [
        pytest.param(HERE, {}, id="nothing else"),
        pytest.param(HERE, {"become": False}, id="no become"),
        pytest.param(HERE, {"environment": {}}, id="an empty environment"),
        pytest.param(HERE, {"environment": "{{ {} }}"}, id="an environment that comes to nothing"),
        pytest.param(HERE, {"delegate_to": "localhost"}, id="delegated to the controller"),
        pytest.param(HERE, {"connection": "ansible.builtin.local"}, id="its connection by its whole name"),
        pytest.param(SENT, {"become": True}, id="become"),
        pytest.param(SENT, {"environment": {"A": "b"}}, id="an environment"),
        pytest.param(SENT, {"async": 10, "poll": 0}, id="async"),
        pytest.param(SENT, {"connection": "ssh"}, id="another machine"),
        pytest.param(SENT, {"delegate_to": "bastion", "vars": {"ansible_connection": "ssh"}}, id="a bastion"),
    ],
)
def test_a_task_runs_in_process_where_that_is_as_good_as_sending_it(
    expected: str, keywords: dict[str, Any], where: None
) -> None:
    assert run_task("dalp.restate.restate_doctor", {}, **keywords)["msg"] == expected


@pytest.mark.parametrize(
    ("expected", "interpreter"),
    [
        pytest.param(HERE, trust_as_template("{{ ansible_playbook_python }}"), id="the controller's"),
        pytest.param(HERE, str(OWN.with_name("python3")), id="the controller's by another name"),
        pytest.param(HERE, "auto_silent", id="to be discovered"),
        pytest.param(SENT, str(OWN.resolve()), id="the one that the environment was made from"),
        pytest.param(SENT, "/usr/bin/python3", id="another one"),
        pytest.param(SENT, "python3", id="whichever is found there"),
    ],
)
def test_a_task_runs_in_process_on_the_interpreter_of_the_controller_only(
    expected: str, interpreter: str, where: None
) -> None:
    assert run_task("dalp.restate.restate_doctor", {}, python=interpreter)["msg"] == expected


def test_a_task_is_sent_where_the_controller_lacks_a_library(
    where: None, in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "unmet_requirement", lambda: "httpx is missing")
    assert run_task("dalp.restate.restate_doctor", {})["msg"] == SENT


@pytest.mark.parametrize(
    ("expected", "switch"),
    [(HERE, True), (HERE, "yes"), (SENT, "no"), (SENT, trust_as_template("{{ 1 == 2 }}"))],
)
def test_a_variable_switches_it_off(
    expected: str, switch: object, where: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "variables", lambda _python: {"dalp_restate_in_process": switch})
    assert run_task("dalp.restate.restate_doctor", {})["msg"] == expected


def test_what_the_switch_cannot_mean_is_an_error(where: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "variables", lambda _python: {"dalp_restate_in_process": "perhaps"})
    result = run_task("dalp.restate.restate_doctor", {})
    assert result["failed"]
    assert "perhaps" in str(result["msg"])


OF_ONE_RUN = re.compile(
    r'("(?:id|time|attempt|latency_ms|duration_ms|failed_at|created_at|linehash)": )("[^"]*"|[0-9.]+)'
)


def told(result: dict[str, Any]) -> Any:
    """Return what a result tells, without times, the ids of records, and how Ansible words a failure."""
    own = {name: value for name, value in result.items() if name != "exception"}
    return json.loads(OF_ONE_RUN.sub(r'\1"x"', json.dumps(own, default=str, sort_keys=True)))


@pytest.mark.parametrize("check", [False, True], ids=["for real", "as a dry run"])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (
            "doctor",
            {"fail_on": "critical", "reason": "{{ 'a' ~ 1 }}", "audit_context": {"day": 1, "x": "{{ 2 }}"}},
        ),
        (
            "doctor",
            {"auth_token": "t0ken-of-mine", "headers": {"X-Key": "hidden-one"}, "actor": "t0ken-of-mine"},
        ),
        ("doctor", {"fail_onn": [], "auth_token": "t0ken-of-mine"}),
        ("doctor", {"fail_on": "never"}),
        ("doctor", {"retries": "many"}),
        ("doctor", {"request_timeout": "0"}),
        ("doctor", {"redact_patterns": ["127"]}),
        ("doctor", {"audit_log": "relative/audit.jsonl"}),
        ("redeploy", {"service_url": "{{ url }}"}),
        ("redeploy", {"service_url": "{{ url }}", "metadata": {"n": 1, "since": "2026-01-01"}}),
        ("redeploy", {}),
        ("cleanup", {"service_url": "{{ url }}", "keep": "a,b"}),
        ("recover_workflow", {"service_name": "OrderWorkflow"}),
        ("recover_workflow", {"service_name": "OrderWorkflow", "service_key": "order-1"}),
        ("resume", {"invocation_ids": ["inv_1"]}),
        ("resume", {"workflows": [{"service_name": "OrderWorkflow"}]}),
        ("audit_info", {"path": "/nowhere"}),
        ("audit_info", {"path": "/dev/null", "limit": "1"}),
    ],
)
def test_both_ways_give_the_same_result(
    module: str, options: dict[str, Any], check: bool, server: Server
) -> None:
    url = server.release("release-1").url
    server.order("order-1", "fail")
    connection = {} if module == "audit_info" else server.connection
    given = {**connection, **json.loads(json.dumps(options).replace("{{ url }}", url))}
    if module == "redeploy" and not check:
        # The first of two that are the same would change what the second one finds.
        run_task("dalp.restate.restate_redeploy", given)
    results = []
    for way in (ways.AS_MODULE, ways.IN_PROCESS):
        with ways.run_tasks(way):
            results.append(told(run_task(f"dalp.restate.restate_{module}", given, check=check)))
        if not check and module == "recover_workflow":
            # The second one ends another run, and so carries out another plan.
            results[-1].pop("plan_digest", None)
            server.order("order-1", "fail")
    assert results[0] == results[1]


class TwoHosts:
    """A play of one task on two hosts, of which the first one does not get an answer."""

    def __init__(
        self, directory: Path, task: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
    ) -> None:
        inventory = {"all": {"hosts": {"first": first, "second": second}, "vars": ways.variables()}}
        (directory / "hosts.json").write_text(json.dumps(inventory))
        play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [task]}
        (directory / "play.json").write_text(json.dumps([play]))
        command = [str(OWN.with_name("ansible-playbook")), "-i", str(directory / "hosts.json")]
        self.process = subprocess.Popen(
            [*command, str(directory / "play.json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(ANSIBLE_NOCOLOR="1", ANSIBLE_CALLBACK_RESULT_FORMAT="json", LC_ALL="C.UTF-8"),
        )

    def workers(self) -> list[int]:
        """The processes that Ansible has made for hosts."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in children.read_text().split()]

    def output(self) -> str:
        """Wait for the end, and return what was printed."""
        return self.process.communicate(timeout=60)[0]


def removal(server: Server, proxy: Proxy, log: Path, **keywords: Any) -> tuple[dict[str, Any], Held]:
    """Prepare a cleanup of two deployments that hangs in the deletion of the second one."""
    server.release("release-1")
    second = server.release("other", "release-1")
    new = server.release("new", "release-2")
    held = Held()
    proxy.once("DELETE", second.id, held)
    options = {
        "service_url": new.url,
        "remove": "superseded",
        "admin_url": "{{ url }}",
        "request_timeout": 60,
    }
    task = {"dalp.restate.restate_cleanup": {**options, "audit_log": "{{ log | default(omit) }}"}, **keywords}
    return task, held


def first_removed(output: str) -> str:
    """Return the deployment that a warning says was removed."""
    match = re.search(r"done: \[{.*?(dp_\w+).*?; unknown: \[", output)
    return match[1] if match else ""


def test_a_time_out_of_the_task_leaves_a_record_of_what_was_done_and_ends_its_host_only(
    server: Server, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    task, held = removal(server, proxy, log, timeout=6)
    play = TwoHosts(tmp_path, task, {"url": proxy.url, "log": str(log)}, {"url": "http://127.0.0.1:9"})
    output = play.output()
    held.let_go()

    assert "Timed out after 6 second(s)" in output
    done = first_removed(output)
    assert done
    assert done not in server.deployment_ids()
    data = records(log)[-1]["data"]
    assert (data["outcome"], data["changed"], data["error_code"]) == ("failed", True, "RESTATE_INTERRUPTED")
    assert "Timed out after 6 second(s)" in data["error_message"]
    assert len(re.findall(r"failed=1", output.partition("PLAY RECAP")[2])) == 2


def test_a_signal_to_a_worker_ends_the_task_of_its_host_only(
    server: Server, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    task, held = removal(server, proxy, log, loop=[1, 2])
    play = TwoHosts(tmp_path, task, {"url": proxy.url, "log": str(log)}, {"url": "http://127.0.0.1:9"})
    assert held.arrived.wait(30)
    [worker, *_others] = play.workers()
    os.kill(worker, signal.SIGTERM)
    output = play.output()
    held.let_go()

    assert "was ended by SIGTERM" in output
    assert "Nothing was sent." in output
    assert "worker was found in a dead state" not in output
    assert len(re.findall(r"failed=1", output.partition("PLAY RECAP")[2])) == 2
    assert outcomes(log) == ["attempted", "failed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_end_of_ansible_ends_its_tasks_with_a_record(
    number: signal.Signals, server: Server, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    task, held = removal(server, proxy, log, loop=[1, 2])
    play = TwoHosts(tmp_path, task, {"url": proxy.url, "log": str(log)}, {"url": "http://127.0.0.1:9"})
    assert held.arrived.wait(30)
    play.process.send_signal(number)
    play.output()
    wait_until("its record", lambda: outcomes(log) == ["attempted", "failed"])
    held.let_go()
    assert records(log)[-1]["data"]["error_code"] == "RESTATE_INTERRUPTED"
