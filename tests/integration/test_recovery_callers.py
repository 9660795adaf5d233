# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow tells who waits for what it kills."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from waiting import wait_until

from tests.integration.server import Server
from tests.integration.three_runs import run_three_times
from tests.integration.versions import on, on_all_versions

KEY = "order-1"
RUN: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": KEY, "kill_active": "any"}


def run_of(server: Server) -> str:
    def look() -> str | None:
        rows = server.query(
            f"SELECT id FROM sys_invocation WHERE target_service_key = '{KEY}' AND target_handler_name = 'run' "
            "AND pinned_deployment_id IS NOT NULL"
        )
        return rows[0]["id"] if rows else None

    return str(wait_until("a run", look))


def caller(server: Server, handler: str, argument: str, entry: str) -> str:
    """Start a handler of Caller, and give its id once its journal has the entry."""
    invocation_id = server.send(f"/Caller/{handler}/send", json=argument)
    journal = f"SELECT id FROM sys_journal WHERE id = '{invocation_id}' AND entry_type = 'Command: {entry}'"
    wait_until(entry, lambda: server.query(journal))
    return invocation_id


def told_callers(server: Server) -> list[str]:
    told = server.task("recover_workflow", check=True, **RUN)
    callers: list[str] = told["results"][0]["callers"]
    assert ("gets its failure" in str(told.get("warnings"))) is bool(callers)
    return callers


@on_all_versions
def test_a_caller_and_what_is_attached_are_told(server: Server) -> None:
    server.release("callers")
    waiting = [caller(server, "call", KEY, "Call")]
    run = run_of(server)
    waiting.append(caller(server, "attach", run, "AttachInvocation"))

    assert sorted(told_callers(server)) == sorted(waiting)


@on("1.7.12", "1.6.2")
def test_what_is_told_to_get_the_failure_gets_it(server: Server) -> None:
    server.release("callers")
    run = server.order(KEY, "wait")
    attached = caller(server, "attach", run, "AttachInvocation")

    told = run_three_times(server, "recover_workflow", **RUN)

    assert told.real["results"][0]["callers"] == [attached]
    assert server.completed(attached)["completion_result"] == "failure"


@on_all_versions
def test_who_only_told_it_to_run_does_not_wait(server: Server) -> None:
    server.release("callers")
    caller(server, "tell", KEY, "OneWayCall")
    run_of(server)

    assert told_callers(server) == []


def test_who_is_attached_to_another_run_is_not_named(server: Server) -> None:
    server.release("callers")
    other = server.order("order-2", "wait")
    caller(server, "attach", other, "AttachInvocation")
    server.order(KEY, "wait")

    assert told_callers(server) == []


def test_who_waits_at_the_ingress_is_in_no_table_and_not_named(server: Server) -> None:
    server.release("callers")
    run = server.order(KEY, "wait")
    with (
        httpx.Client(base_url=server.ingress_url, trust_env=False, timeout=0.2) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get(f"/restate/invocation/{run}/attach")

    assert told_callers(server) == []
