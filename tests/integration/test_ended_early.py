# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that end before their end: by Ctrl-C, by SIGTERM, by the task's time-out; and machines that cannot run them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.ansible_task import run_task
from tests.integration.audit_log import module_process, outcomes, records
from tests.integration.proxy import Answer, Proxy, Request
from tests.integration.server import Server
from tests.integration.superseded_deployments import superseded
from tests.integration.task_process import TaskProcess


class Held:
    """Calls that wait until they are let go; the server hears of none of them before."""

    def __init__(self) -> None:
        self.arrived, self._released = threading.Event(), threading.Event()

    def __call__(self, _request: Request, forward: Any) -> Answer:
        self.arrived.set()
        self._released.wait(60)
        answer: Answer = forward()
        return answer

    def let_go(self) -> None:
        """Let the calls through."""
        self._released.set()


def cleanup(url: str, log: Path, **more: Any) -> dict[str, Any]:
    return {"admin_url": url, "audit_log": str(log), "reason": "INC-1", "request_timeout": 60, **more}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_cleanup_that_is_ended_while_it_waits_leaves_a_record_and_has_changed_nothing(
    number: signal.Signals, server: Server, proxy: Proxy, log: Path
) -> None:
    old, new = superseded(server, ("order-1", "wait"))
    asked = cleanup(proxy.url, log, service_url=new.url, drain_timeout=300)
    process = module_process("cleanup", asked)
    # It has looked, and looks again.
    wait_until("it waits", lambda: proxy.asked("POST", "/query") >= 6)

    process.send_signal(number)
    result = json.loads(process.communicate(timeout=30)[0])

    assert (result["failed"], result["changed"]) == (True, False)
    assert (result["error"]["code"], result["error"]["reason"]) == ("RESTATE_INTERRUPTED", "signal")
    assert (result["removed"], result["diff"]["before"]) == ([], result["diff"]["after"])
    assert [(each["deployment_id"], each["reason"]) for each in result["remaining"]] == [
        (old.id, "interrupted")
    ]
    assert outcomes(log) == ["failed"]


def test_a_cleanup_that_is_ended_during_a_delete_says_what_was_removed_and_what_is_unknown(
    server: Server, proxy: Proxy, log: Path
) -> None:
    first, second = server.release("release-1"), server.release("other", "release-1")
    new = server.release("new", "release-2")
    held = Held()
    proxy.once("DELETE", second.id, held)
    process = module_process("cleanup", cleanup(proxy.url, log, service_url=new.url, remove="superseded"))
    assert held.arrived.wait(30)

    process.send_signal(signal.SIGTERM)
    result = json.loads(process.communicate(timeout=30)[0])
    held.let_go()

    assert result["changed"]
    assert result["removed"] == [first.id]
    assert [step["deployment_id"] for step in result["done"]] == [first.id]
    assert [step["deployment_id"] for step in result["unknown"]] == [second.id]
    assert result["not_done"] == []
    assert [(each["deployment_id"], each["reason"]) for each in result["remaining"]] == [
        (second.id, "unknown")
    ]
    assert first.id not in result["diff"]["after"]["deployments"]
    data = records(log)[-1]["data"]
    assert (data["outcome"], data["changed"]) == ("failed", True)
    assert data["before_digest"] != data["after_digest"]


def test_a_task_whose_play_has_ended_removes_nothing_any_more(
    server: Server, proxy: Proxy, log: Path
) -> None:
    old, new = superseded(server, ("order-1", "wait"))
    asked = cleanup(proxy.url, log, service_url=new.url, drain_timeout=300)
    task = TaskProcess("cleanup", asked, timeout=4)
    result = task.result()
    assert "Timed out" in result["msg"]

    # What it waited for is there: an orphan would remove the deployment now.
    server.submit("OrderWorkflow", "order-1", "approve")
    wait_until("its record", lambda: log.exists() and outcomes(log))

    assert outcomes(log) == ["failed"]
    assert records(log)[-1]["data"]["error_code"] == "RESTATE_INTERRUPTED"
    assert proxy.writes == []
    assert old.id in server.deployment_ids()


AS_MODULE = ("-e", "dalp_restate_in_process=false")


def test_a_time_out_of_a_module_that_is_sent_is_warned_of(server: Server, proxy: Proxy, log: Path) -> None:
    _old, new = superseded(server, ("order-1", "wait"))
    asked = cleanup(proxy.url, log, service_url=new.url, drain_timeout=300)
    told = TaskProcess("cleanup", asked, timeout=4, options=AS_MODULE).output()
    assert "Timed out" in told
    [warning] = [line for line in told.splitlines() if line.startswith("[WARNING]") and "time-out" in line]
    assert "restate_cleanup was ended by the time-out of its task." in warning
    assert "audit_log" in warning
    wait_until("the record that it names", lambda: log.exists() and outcomes(log) == ["failed"])


def processes_of_this_test() -> list[Path]:
    """Return the processes that were started since this test is under way, save what it was set up with."""
    mark = f"PYTEST_CURRENT_TEST={os.environ['PYTEST_CURRENT_TEST']}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found += [environ.parent] if mark in environ.read_bytes() else []
    return found


def test_the_limit_of_async_leaves_the_attempt_in_the_log(server: Server, proxy: Proxy, log: Path) -> None:
    _old, new = superseded(server)
    held = Held()
    proxy.once("DELETE", "", held)
    asked = cleanup(proxy.url, log, service_url=new.url)
    task = TaskProcess("cleanup", asked, options=("-B", "6", "-P", "1"))
    assert held.arrived.wait(30)
    # It is on disk before the first write is sent, and nothing else will be.
    assert outcomes(log) == ["attempted"]

    assert "did not complete within the requested time" in task.output()
    wait_until("the module is killed", lambda: not processes_of_this_test())
    held.let_go()

    assert outcomes(log) == ["attempted"]
    found = run_task("dalp.restate.restate_audit_info", {"path": str(log)})
    assert [each["data"]["operation"] for each in found["without_outcome"]] == ["cleanup"]


def find_python(release: str) -> str | None:
    """Return a Python of this release that runs; the shims of pyenv do not, unless their release is selected."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{release}.*/bin/python"))
    for python in filter(None, [shutil.which(f"python{release}"), *map(str, pyenv)]):
        if subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
            return python
    return None


@pytest.mark.parametrize("release", ["3.9", "3.10"])
@pytest.mark.parametrize("module", ["restate_doctor", "restate_audit_info"])
def test_a_python_that_is_too_old_is_named_with_the_one_that_is_needed(release: str, module: str) -> None:
    python = find_python(release)
    if python is None:
        pytest.skip(f"there is no Python {release} here")
    args = {"path": "/nowhere"} if module == "restate_audit_info" else {}
    result = run_task(f"dalp.restate.{module}", args, python=python)
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    assert "needs Python 3.11 or later" in result["msg"]
    assert f"is Python {release}." in result["msg"]
    assert "ansible_python_interpreter" in result["error"]["remedy"]
