# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit log of real operations: after success, failure, a kill and a signal."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

from tests.integration.audit_log import KEY, KILL, module_process, outcomes, records, recovery, result_of
from tests.integration.proxy import Proxy, before
from tests.integration.server import Server


class UnansweredKill:
    """A recovery whose kill call has arrived and gets no answer."""

    def __init__(self, proxy: Proxy, log: Path) -> None:
        self._arrived, self._released = threading.Event(), threading.Event()
        proxy.once("PATCH", KILL, before(self._wait))
        args = recovery(proxy.url, log, kill_active="any", request_timeout=60)
        self.process = module_process("recover_workflow", args)
        assert self._arrived.wait(30)

    def _wait(self) -> None:
        self._arrived.set()
        self._released.wait(30)

    def end(self, number: signal.Signals) -> str:
        """Send the process a signal, and return what it still says."""
        try:
            self.process.send_signal(number)
            return self.process.communicate(timeout=30)[0]
        finally:
            self._released.set()


def test_a_recovery_is_in_the_log_before_and_after_its_writes(
    server: Server, proxy: Proxy, log: Path
) -> None:
    server.release("release-1")
    server.order(KEY, "wait")
    seen: list[str] = []
    proxy.once("PATCH", KILL, before(lambda: seen.extend(outcomes(log))))

    planned = server.task(
        "recover_workflow", check=True, **recovery(proxy.url, log, kill_active="any", actor="ada")
    )
    assert proxy.writes == []
    real = server.task("recover_workflow", **recovery(proxy.url, log, kill_active="any", actor="ada"))

    assert not real["failed"], real["msg"]
    assert seen == ["planned", "attempted"]
    assert outcomes(log) == ["planned", "attempted", "succeeded"]
    assert {(one["subject"], one["data"]["actor"]) for one in records(log)} == {
        (f"OrderWorkflow/{KEY}", "ada")
    }
    told = result_of("audit_info", path=str(log))
    assert (told["last_hash"], told["without_outcome"]) == (real["audit"]["linehash"], [])
    assert planned["audit"]["linehash"] == records(log)[1]["previoushash"]


def test_a_module_that_is_killed_leaves_an_attempt_without_an_outcome(
    server: Server, proxy: Proxy, log: Path
) -> None:
    server.release("release-1")
    server.order(KEY, "wait")

    blocked = UnansweredKill(proxy, log)
    assert outcomes(log) == ["attempted"]
    blocked.end(signal.SIGKILL)

    assert blocked.process.returncode == -signal.SIGKILL
    told = result_of("audit_info", path=str(log))
    assert [one["data"]["attempt"] for one in told["without_outcome"]] == [records(log)[0]["data"]["attempt"]]
    assert "1 attempt without an outcome" in told["msg"]
    again = server.task("recover_workflow", **recovery(server.admin_url, log, kill_active="any"))
    assert not again["failed"], again["msg"]
    assert len(result_of("audit_info", path=str(log))["without_outcome"]) == 1


def test_a_module_that_is_terminated_leaves_a_failed_record(server: Server, proxy: Proxy, log: Path) -> None:
    server.release("release-1")
    server.order(KEY, "wait")

    result = json.loads(UnansweredKill(proxy, log).end(signal.SIGTERM))

    assert result["failed"]
    assert (result["error"]["code"], result["error"]["reason"]) == ("RESTATE_INTERRUPTED", "signal")
    assert result["changed"]
    assert outcomes(log) == ["attempted", "failed"]
    assert records(log)[-1]["data"]["error_code"] == "RESTATE_INTERRUPTED"
    assert "SIGTERM" in records(log)[-1]["data"]["error_message"]
    assert result_of("audit_info", path=str(log))["without_outcome"] == []


def test_a_log_that_was_edited_fails_the_task_that_verifies_it(server: Server, tmp_path: Path) -> None:
    # Not the fixture's log, which must be whole in the end.
    log = tmp_path / "edited.jsonl"
    server.release("release-1")
    for actor in ("ada", "bob"):
        server.task("doctor", audit_log=str(log), actor=actor)
    log.write_text(log.read_text().replace('"ada"', '"eve"', 1))

    result = result_of("audit_info", path=str(log), fail_if_broken=True)

    assert (result["failed"], result["verified"]) == (True, False)
    assert result["broken"]["line"] == 1
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert result["error"]["reason"] == result["broken"]["reason"]
