# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A move that a frozen node, a signal or a lost verification interrupts after its pause loses and hides nothing."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_task import prepare
from tests.integration.audit_log import module_process
from tests.integration.proxy import Answer, Forward, LostError, Proxy, Request, answer, proxy_of
from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, superseded

TIMEOUT = 1.0
MANY = 300


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for open actions."""
    # Ansible reads the variable for its own folders when it is imported.
    prepare()
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    return tmp_path / "dalp.restate"


@pytest.fixture
def second(server: Server) -> Iterator[Proxy]:
    """A second admin URL of the same server."""
    with proxy_of(server.admin_url) as started:
        yield started


def retrying(server: Server, *keys: str) -> tuple[Deployment, Deployment, list[str]]:
    old, new = superseded(server, *[(key, "retry") for key in keys])
    rows = server.query("SELECT id FROM sys_invocation WHERE target_service_name = 'OrderWorkflow'")
    return old, new, sorted(str(row["id"]) for row in rows)


def statuses(server: Server) -> set[str]:
    return {str(row["status"]) for row in server.query("SELECT status FROM sys_invocation")}


def hold_moved(server: Server, ids: list[str], new: Deployment) -> None:
    """Hold that all went on at the new deployment and succeeded there."""
    for each in ids:
        row = server.completed(each)
        assert (row["completion_result"], row["pinned_deployment_id"]) == ("success", new.id)


def freeze(node: Proxy) -> None:
    """Accept every request from now on, and never answer one."""

    def hang(_request: Request, _forward: Forward) -> Answer:
        time.sleep(TIMEOUT + 0.3)
        raise LostError

    for method in ("GET", "POST", "PATCH", "DELETE"):
        node.once(method, "", *[hang] * MANY)


def freeze_after_pauses(node: Proxy, number: int) -> None:
    """Freeze a node for good once it has passed on so many pauses."""
    passed = 0

    def pause(_request: Request, forward: Forward) -> Answer:
        nonlocal passed
        whole = forward()
        passed += 1
        if passed == number:
            freeze(node)
        return whole

    node.once("PATCH", "/pause$", *[pause] * number)


def test_what_was_paused_is_moved_through_the_next_node_when_the_first_one_freezes(
    server: Server, proxy: Proxy, second: Proxy, folder: Path
) -> None:
    old, new, ids = retrying(server, "order-1", "order-2", "order-3")
    freeze_after_pauses(proxy, 3)
    nodes = [proxy.url, second.url]

    moved = server.task(
        "cleanup", admin_url=nodes, service_url=new.url, request_timeout=TIMEOUT, retries=0, **FORCED
    )

    assert "paused" not in statuses(server)
    assert not list(folder.glob("*.open-actions.json"))
    if moved["failed"]:
        again = server.task("cleanup", admin_url=nodes[::-1], service_url=new.url, **FORCED)
        assert not again["failed"], again["msg"]
    assert old.id not in server.deployment_ids()
    hold_moved(server, ids, new)


def test_a_resume_that_pauses_for_its_move_goes_on_at_the_next_node(
    server: Server, proxy: Proxy, second: Proxy, folder: Path
) -> None:
    _old, new, ids = retrying(server, "order-1", "order-2", "order-3")
    freeze_after_pauses(proxy, 2)
    nodes = [proxy.url, second.url]
    asked: dict[str, Any] = {"invocation_ids": ids, "deployment": "latest"}

    server.task("resume", admin_url=nodes, request_timeout=TIMEOUT, retries=0, **asked)

    assert "paused" not in statuses(server)
    assert not list(folder.glob("*.open-actions.json"))
    server.task("resume", admin_url=second.url, **asked)
    hold_moved(server, ids, new)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_move_that_a_signal_ends_leaves_nothing_paused_that_the_next_task_refuses(
    number: signal.Signals, server: Server, proxy: Proxy, folder: Path
) -> None:
    old, new, ids = retrying(server, "order-1")
    arrived, is_over = threading.Event(), threading.Event()

    def hold(_request: Request, _forward: Forward) -> Answer:
        arrived.set()
        is_over.wait(60)
        raise LostError

    # The first resume is told that the invocation must be paused.
    proxy.once("PATCH", "/resume$", lambda _request, forward: forward(), hold)
    process = module_process(
        "cleanup", {"admin_url": proxy.url, "service_url": new.url, "request_timeout": 20, **FORCED}
    )
    assert arrived.wait(30)

    process.send_signal(number)
    result = json.loads(process.communicate(timeout=60)[0])
    is_over.set()

    assert result["error"]["code"] == "RESTATE_INTERRUPTED"
    assert result["migrated"] == []
    is_left = "paused" in statuses(server)
    assert is_left == bool(list(folder.glob("*.open-actions.json")))
    again = server.task("cleanup", service_url=new.url, **FORCED)
    assert again["removed"] == [old.id], again["msg"]
    hold_moved(server, ids, new)


def test_a_move_that_cannot_be_read_afterwards_is_unknown_and_fails(
    server: Server, proxy: Proxy, second: Proxy
) -> None:
    old, new, ids = retrying(server, "order-1")
    schema_error = answer(500, {"message": "Error during planning: no such table"})

    def stop_reading(_request: Request, forward: Forward) -> Answer:
        whole = forward()
        if whole.status == 200:
            proxy.once("POST", "^/query$", *[schema_error] * MANY)
        return whole

    proxy.once("PATCH", "/resume$", *[stop_reading] * MANY)

    result = server.task("cleanup", admin_url=proxy.url, service_url=new.url, retries=0, **FORCED)

    assert result["failed"]
    assert result["changed"]
    assert ids[0] not in result["migrated"]
    assert [each["deployment_id"] for each in result["unknown"]] == [old.id]
    assert result["not_done"] == []
    assert result["remaining"][0]["invocation_ids"] == ids
    assert [(each["deployment_id"], each["reason"]) for each in result["remaining"]] == [(old.id, "unknown")]
    again = server.task("cleanup", admin_url=second.url, service_url=new.url, **FORCED)
    assert again["removed"] == [old.id], again["msg"]
    hold_moved(server, ids, new)


def test_a_pause_that_a_stalled_node_delivers_late_does_not_hinder_the_move(
    server: Server, proxy: Proxy, second: Proxy
) -> None:
    old, new, ids = retrying(server, "order-1")
    is_over, delivered = threading.Event(), threading.Event()

    def late(_request: Request, forward: Forward) -> Answer:
        is_over.wait(60)
        forward()
        delivered.set()
        raise LostError

    proxy.once("PATCH", "/pause$", late)
    nodes = [proxy.url, second.url]

    moved = server.task(
        "cleanup", admin_url=nodes, service_url=new.url, request_timeout=TIMEOUT, retries=0, **FORCED
    )
    is_over.set()

    assert delivered.wait(30)
    assert not moved["failed"], moved["msg"]
    assert (moved["migrated"], moved["removed"]) == (ids, [old.id])
    hold_moved(server, ids, new)
