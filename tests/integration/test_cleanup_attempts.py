# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: what becomes of an attempt that runs on a superseded deployment and is not pinned to it yet."""

from __future__ import annotations

import pytest

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions


def _slow(server: Server, seconds: float) -> tuple[Deployment, Deployment, str]:
    """Start a call on the old release that does nothing for some seconds, and supersede the release."""
    old = server.release("slow-start-1")
    invocation_id = server.send("/SlowStarter/begin/send", json=seconds)
    row = server.wait_for_row(invocation_id, lambda row: row["status"] == "running")
    assert "pinned_deployment_id" not in row
    return old, server.release("new", "slow-start-2"), invocation_id


@on_all_versions
def test_an_attempt_that_is_not_pinned_yet_is_counted_and_listed(server: Server) -> None:
    old, new, invocation_id = _slow(server, 30)

    seen = server.task("doctor")
    told = run_three_times(server, "cleanup", service_url=new.url, drain_timeout=0)

    counted = {each["id"]: each["pending_invocations"] for each in seen["deployments"]["items"]}
    assert counted[old.id] == told.real["remaining"][0]["pending_invocations"] == 1
    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["error"]["invocation_ids"] == [invocation_id]
    assert server.deployment_ids() == {old.id, new.id}


@on_all_versions
def test_an_attempt_that_is_not_pinned_yet_is_killed(server: Server) -> None:
    old, new, invocation_id = _slow(server, 30)

    told = run_three_times(server, "cleanup", service_url=new.url, pending="kill", **FORCED)

    assert told.real["killed"] == [invocation_id]
    assert told.real["impact"]["SlowStarter"]["killed"] == 1
    assert told.real["removed"] == [old.id]


@on_all_versions
def test_an_attempt_that_is_not_pinned_yet_is_cancelled(server: Server) -> None:
    old, new, invocation_id = _slow(server, 2)

    real = server.task("cleanup", service_url=new.url, pending="cancel", **FORCED)

    assert real["cancelled"] == [invocation_id]
    assert real["removed"] == [old.id], real["msg"]
    assert server.completed(invocation_id)["completion_failure"].endswith("ancelled")


@on("1.7.12", "1.6.2")
def test_an_attempt_that_is_not_pinned_yet_is_paused_and_moved(server: Server) -> None:
    old, new, invocation_id = _slow(server, 3)

    foreseen = server.task("cleanup", check=True, service_url=new.url, **FORCED)
    real = server.task("cleanup", service_url=new.url, **FORCED)

    assert foreseen["migrated"] == real["migrated"] == [invocation_id], real["msg"]
    assert foreseen["removed"] == real["removed"] == [old.id]
    row = server.completed(invocation_id)
    assert row["completion_result"] == "success"
    assert row["pinned_deployment_id"] == new.id


def test_what_an_operator_paused_is_still_left_alone(server: Server) -> None:
    old = server.release("release-1")
    paused = server.order("order-1", "wait")
    assert server.http.patch(f"/invocations/{paused}/pause").is_success
    server.wait_for_row(paused, lambda row: row["status"] == "paused")
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "paused_invocations")
    assert remaining(told.real) == {old.id: "paused_invocations"}


@on_all_versions
@pytest.mark.parametrize("state", ["suspended", "backing-off", "unpinned", "scheduled", "paused"])
def test_the_count_and_the_list_agree(server: Server, state: str) -> None:
    old, new = _in_state(server, state)

    result = server.task("cleanup", service_url=new.url, allow_service_removal=True, drain_timeout=0)

    (entry,) = [each for each in result["remaining"] if each["deployment_id"] == old.id]
    assert entry["pending_invocations"] == len(entry["invocation_ids"]) == 1


def _in_state(server: Server, state: str) -> tuple[Deployment, Deployment]:
    old = (
        server.release("extra-service") if state in ("unpinned", "scheduled") else server.release("release-1")
    )
    if state == "unpinned":
        server.serve("extra-service", None)
        invocation_id = server.send("/Invoices/issue/send", json="order-1")
        server.wait_for_row(invocation_id, lambda row: row.get("retry_count", 0) >= 1)
    elif state == "scheduled":
        server.send("/Invoices/issue/send?delay=1h", json="order-1")
    elif state == "paused":
        server.payment("payment-1")
    else:
        server.order("order-1", {"suspended": "wait", "backing-off": "retry"}[state])
    return old, server.release("release-2")
