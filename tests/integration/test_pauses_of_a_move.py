# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task pauses for a move goes on, in that task or in the next one; what an operator paused stays paused."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.ansible_task import prepare
from tests.integration.proxy import Answer, Fault, Forward, LostError, Proxy, Request
from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining, superseded
from tests.integration.three_runs import reason
from tests.integration.versions import on

TIMEOUT = 0.5
MOVE: dict[str, Any] = {**FORCED, "request_timeout": TIMEOUT, "retries": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what tasks leave open."""
    # Ansible reads it for its own folders when it is imported.
    prepare()
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    return tmp_path / "dalp.restate"


class Frozen:
    """Swallows requests, as a node that accepts and never answers, while it is on."""

    def __init__(self) -> None:
        self.is_on = threading.Event()

    def fault(self, _request: Request, forward: Forward) -> Answer:
        if not self.is_on.is_set():
            return forward()
        time.sleep(TIMEOUT + 0.3)
        raise LostError


@pytest.fixture
def frozen() -> Frozen:
    return Frozen()


def pass_on(_request: Request, forward: Forward) -> Answer:
    return forward()


def hang(_request: Request, _forward: Forward) -> Answer:
    time.sleep(TIMEOUT + 0.3)
    raise LostError


def retrying(server: Server) -> tuple[Deployment, Deployment, str]:
    old, new = superseded(server, ("order-1", "retry"))
    [row] = server.query("SELECT id FROM sys_invocation WHERE target_service_name = 'OrderWorkflow'")
    return old, new, str(row["id"])


def is_paused(server: Server, invocation_id: str) -> bool:
    return bool((server.row(invocation_id) or {})["status"] == "paused")


@on("1.7.12", "1.6.2")
@pytest.mark.parametrize("number", [1, 2, 4])
def test_what_was_paused_goes_on_when_the_calls_that_resume_it_time_out(
    server: Server, proxy: Proxy, number: int
) -> None:
    old, new, invocation_id = retrying(server)
    # The first one is told that it must be paused first.
    faults: list[Fault] = [pass_on, *[hang] * number]
    proxy.once("PATCH", "/resume$", *faults)

    result = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **MOVE)

    assert proxy.is_used_up
    assert not is_paused(server, invocation_id)
    if result["failed"]:
        assert invocation_id not in result["migrated"]
        again = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **MOVE)
        assert not again["failed"], again["msg"]
    assert server.deployment_ids() == {new.id}
    assert server.completed(invocation_id)["completion_result"] == "success"
    assert old.id not in server.deployment_ids()


def test_what_a_task_left_paused_is_moved_by_the_next_one(
    server: Server, proxy: Proxy, frozen: Frozen, folder: Path
) -> None:
    old, new, invocation_id = retrying(server)
    proxy.once("PATCH", "/resume$", pass_on, *[frozen.fault] * 200)
    frozen.is_on.set()

    first = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **MOVE)

    assert first["failed"]
    assert is_paused(server, invocation_id)
    assert invocation_id in str(first["warnings"])
    assert list(folder.glob("*.open-actions.json"))

    frozen.is_on.clear()
    foreseen = server.task("cleanup", check=True, admin_url=proxy.url, service_url=new.url, **FORCED)
    again = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **FORCED)

    assert foreseen["migrated"] == again["migrated"] == [invocation_id], again["msg"]
    assert again["removed"] == [old.id]
    assert server.completed(invocation_id)["completion_result"] == "success"
    assert not list(folder.glob("*.open-actions.json"))


def test_what_a_task_left_paused_is_moved_by_one_that_goes_round_the_frozen_node(
    server: Server, proxy: Proxy, frozen: Frozen, folder: Path
) -> None:
    old, new, invocation_id = retrying(server)
    proxy.once("PATCH", "/resume$", pass_on, *[frozen.fault] * 200)
    frozen.is_on.set()
    server.task("cleanup", admin_url=proxy.url, service_url=new.url, **MOVE)
    assert is_paused(server, invocation_id)

    again = server.task("cleanup", service_url=new.url, **FORCED)

    assert again["migrated"] == [invocation_id], again["msg"]
    assert again["removed"] == [old.id]
    assert not list(folder.glob("*.open-actions.json"))


def test_what_a_task_left_paused_and_somebody_resumed_is_no_longer_its_own(
    server: Server, proxy: Proxy, frozen: Frozen, folder: Path
) -> None:
    old, new, invocation_id = retrying(server)
    proxy.once("PATCH", "/resume$", pass_on, *[frozen.fault] * 200)
    frozen.is_on.set()
    server.task("cleanup", admin_url=proxy.url, service_url=new.url, **MOVE)
    assert is_paused(server, invocation_id)
    frozen.is_on.clear()

    resumed = server.task("resume", admin_url=proxy.url, invocation_ids=[invocation_id], deployment="keep")
    assert not list(folder.glob("*.open-actions.json")), resumed
    server.http.patch(f"/invocations/{invocation_id}/pause").raise_for_status()
    server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")
    left = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **FORCED)

    assert remaining(left) == {old.id: "paused_invocations"}


def slow(server: Server, seconds: float) -> tuple[Deployment, Deployment, str]:
    """Start a call on the old release that does nothing for some seconds, and supersede the release."""
    old = server.release("slow-start-1")
    invocation_id = server.send("/SlowStarter/begin/send", json=seconds)
    server.wait_for_row(invocation_id, lambda row: row["status"] == "running")
    return old, server.release("new", "slow-start-2"), invocation_id


def test_an_attempt_that_outlasts_the_move_keeps_its_deployment_and_the_next_task_moves_it(
    server: Server,
) -> None:
    old, new, invocation_id = slow(server, 24)

    real = server.task("cleanup", service_url=new.url, **FORCED)

    assert reason(real) == ("RESTATE_DRAIN_TIMEOUT", "attempt_running")
    assert remaining(real) == {old.id: "attempt_running"}
    assert real["migrated"] == []
    assert server.row(invocation_id)
    # The pause that the task asked for takes effect when the attempt ends.
    server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")

    again = server.task("cleanup", service_url=new.url, **FORCED)

    assert again["migrated"] == [invocation_id], again["msg"]
    assert again["removed"] == [old.id]
    assert server.completed(invocation_id)["completion_result"] == "success"


def test_attempts_that_outlast_the_move_are_waited_for_together(server: Server) -> None:
    old = server.release("slow-start-1")
    ids = [server.send("/SlowStarter/begin/send", json=60) for _ in range(12)]
    wait_until(
        "all attempted",
        lambda: len(server.query("SELECT id FROM sys_invocation WHERE status = 'running'")) == len(ids),
    )
    new = server.release("new", "slow-start-2")

    started = time.monotonic()
    real = server.task("cleanup", service_url=new.url, **FORCED)
    seconds = time.monotonic() - started

    assert remaining(real) == {old.id: "attempt_running"}
    assert seconds < 40
