# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: the only code that serves an unfinished invocation is not removed unless somebody ends that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on_all_versions


def _renamed(server: Server, state: str = "scheduled") -> tuple[Deployment, Deployment, str]:
    """Leave a call of a handler that is not pinned, and release code in which the handler has another name."""
    old = server.release("cron")
    invocation_id = _calls(server, state)
    new = server.release("cron-renamed", force=True)
    return old, new, invocation_id


def _calls(server: Server, state: str) -> str:
    if state == "scheduled":
        first = server.send("/Cron/tick/send", json=1)
        server.completed(first)
        [row] = server.query("SELECT id FROM sys_invocation WHERE status = 'scheduled'")
        return str(row["id"])
    server.serve("cron", None)
    invocation_id = server.send("/Cron/tick/send", json=1)
    server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")
    server.serve("cron", "cron")
    return invocation_id


@on_all_versions
@pytest.mark.parametrize("state", ["scheduled", "paused"])
def test_the_only_code_of_an_unpinned_call_is_not_removed(server: Server, state: str) -> None:
    old, new, _call = _renamed(server, state)

    told = run_three_times(server, "cleanup", service_url=new.url)

    assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "handler_removed")
    assert told.real["error"]["deployment_ids"] == [old.id]
    assert "1 unfinished invocation of Cron/tick" in told.real["msg"]
    assert ("next due at 20" in told.real["msg"]) is (state == "scheduled")
    assert ("schedules itself again" in told.real["error"]["remedy"]) is (state == "scheduled")


def test_where_services_may_vanish_the_call_still_keeps_its_code(server: Server) -> None:
    old, new, call = _renamed(server)

    options: tuple[dict[str, Any], ...] = ({"drain_timeout": 0}, {**FORCED, "migrate_paused": True})
    for asked in options:
        told = run_three_times(server, "cleanup", service_url=new.url, allow_service_removal=True, **asked)

        assert reason(told.real)[0] == "RESTATE_DRAIN_TIMEOUT"
        assert old.id in remaining(told.real)
        assert told.real["error"]["invocation_ids"] == [call]
        assert "next due at 20" in told.real["error"]["remedy"]
        assert "schedules itself again" in told.real["error"]["remedy"]
        assert server.deployment_ids() == {old.id, new.id}


@on_all_versions
@pytest.mark.parametrize("pending", ["cancel", "kill", "abandon"])
def test_the_call_is_ended_as_it_was_asked_and_then_its_code_goes(server: Server, pending: str) -> None:
    old, new, call = _renamed(server)
    forced: dict[str, Any] = {**FORCED, "pending": pending, "allow_service_removal": True}

    told = run_three_times(server, "cleanup", service_url=new.url, **forced)

    done = {"cancel": "cancelled", "kill": "killed", "abandon": "abandoned"}[pending]
    assert told.real[done] == [call]
    assert told.real["impact"]["Cron"][done] == 1
    assert told.real["removed"] == [old.id]
    assert (server.row(call) is not None) is (pending == "abandon")


def test_the_newest_code_that_serves_the_call_is_kept_and_older_ones_go(server: Server) -> None:
    older = server.release("older", "cron")
    old, new, _call = _renamed(server)

    told = run_three_times(
        server, "cleanup", service_url=new.url, allow_service_removal=True, drain_timeout=0
    )

    assert told.real["removed"] == [older.id]
    assert remaining(told.real) == {old.id: "drain_timeout"}


def test_a_call_that_the_release_serves_keeps_nothing(server: Server) -> None:
    old = server.release("cron")
    server.send("/Cron/other/send?delay=1h")
    new = server.release("cron-renamed", force=True)

    told = run_three_times(server, "cleanup", service_url=new.url)

    assert told.real["removed"] == [old.id]


def test_a_dry_run_of_a_release_sees_that_the_call_would_lose_its_code(server: Server) -> None:
    old = server.release("cron")
    _calls(server, "scheduled")
    url = server.serve("cron-renamed", "cron-renamed")
    registered = server.task("redeploy", check=True, service_url=url, allow_service_removal=True)

    foreseen = server.task("cleanup", check=True, service_url=url, assume_registered=registered["deployment"])

    assert reason(foreseen) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "handler_removed")
    assert foreseen["error"]["deployment_ids"] == [old.id]


def test_a_call_that_is_scheduled_after_the_wait_is_foretold_to_keep_its_deployment(server: Server) -> None:
    old = server.release("extra-service")
    server.send("/Invoices/issue/send?delay=1h", json="order-1")
    new = server.release("release-2")
    asked: dict[str, Any] = {"service_url": new.url, "allow_service_removal": True, "drain_timeout": 1}

    told = run_three_times(server, "cleanup", unknown=("waited_seconds",), **asked)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert remaining(told.real) == {old.id: "drain_timeout"}


def test_a_call_that_is_due_within_the_wait_is_foretold_to_drain(server: Server) -> None:
    old = server.release("extra-service")
    server.send("/Invoices/issue/send?delay=2s", json="order-1")
    new = server.release("release-2")
    asked: dict[str, Any] = {"service_url": new.url, "allow_service_removal": True, "drain_timeout": 20}

    foreseen = server.task("cleanup", check=True, **asked)
    real = server.task("cleanup", **asked)

    assert foreseen["removed"] == real["removed"] == [old.id]
    assert 1 <= real["waited_seconds"] <= 20


def test_paused_work_that_the_release_does_not_serve_is_foretold_to_stay(server: Server) -> None:
    old = server.release("cron")
    call = _calls(server, "paused")
    new = server.release("cron-renamed", force=True)
    asked: dict[str, Any] = {"allow_service_removal": True, "force_drain": True, "drain_timeout": 1}

    told = run_three_times(server, "cleanup", unknown=("waited_seconds",), service_url=new.url, **asked)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "handler_not_served")
    assert remaining(told.real) == {old.id: "handler_not_served"}
    assert told.real["error"]["invocation_ids"] == [call]
