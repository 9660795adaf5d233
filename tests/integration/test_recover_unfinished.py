# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow: what becomes of a key of which something is unfinished."""

from __future__ import annotations

from typing import Any

from waiting import wait_until

from tests.integration.recovery_of_one import KEY, assert_blocked, assert_recovered, recover
from tests.integration.server import Server
from tests.integration.three_runs import reason
from tests.integration.versions import on, on_all_versions


@on("1.7.12", "1.5.3")
def test_nothing_unfinished_is_touched_by_default(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")

    assert_blocked(recover(server), "active_invocation", run)


@on_all_versions
def test_a_run_that_keeps_failing_is_stuck(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")

    told = recover(server, kill_active="stuck")

    assert_recovered(told, server)
    assert told.real["results"][0]["killed"] == [run]
    assert told.real["results"][0]["purged"] == [run]


def test_a_run_that_failed_a_few_times_is_not_stuck_yet(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")

    assert_blocked(
        recover(server, kill_active="stuck", stuck_after_retries=1_000_000), "active_invocation", run
    )


@on_all_versions
def test_a_paused_run_is_stuck(server: Server) -> None:
    server.release("release-1")
    run = server.payment("payment-1")

    told = recover(server, "PaymentWorkflow", "payment-1", kill_active="stuck")

    assert_recovered(told, server, "payment-1", "PaymentWorkflow")
    assert told.real["results"][0]["killed"] == [run]


def test_a_run_whose_deployment_is_gone_is_stuck(server: Server) -> None:
    gone = server.release("gone", "release-1")
    server.order(KEY, "retry")
    server.delete(gone.id)
    server.release("release-1")

    assert_recovered(recover(server, kill_active="stuck"), server)


@on("1.7.12", "1.6.2")
def test_a_run_that_waits_is_not_stuck_and_is_killed_only_by_any(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "wait")
    shared = server.await_approval(KEY)

    assert_blocked(recover(server, kill_active="stuck"), "active_invocation", run, shared)

    told = recover(server, kill_active="any")

    assert_recovered(told, server)
    assert set(told.real["results"][0]["killed"]) == {run, shared}


@on("1.5.3")
def test_a_run_is_not_purged_before_its_last_attempt_is_let_go(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "wait")
    args: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": KEY, "kill_active": "any"}
    predicted = server.task("recover_workflow", check=True, **args)

    blocked = server.task("recover_workflow", **args)

    assert any("run the task again after a minute" in warning for warning in predicted["warnings"])
    assert reason(blocked) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "purge_failed")
    assert blocked["done"] == [{"action": "kill", "invocation_id": run}]
    assert blocked["not_done"] == [{"action": "purge", "invocation_id": run}]

    # The attempt ends with its service.
    server.serve("release-1", "release-1")
    recovered = server.task("recover_workflow", **args)

    assert recovered["outcome"] == "recovered", recovered["msg"]
    assert server.order(KEY, "ok") == run


def test_one_active_invocation_keeps_a_key_from_being_stuck(server: Server) -> None:
    server.release("release-1")
    server.order(KEY, "retry")
    server.await_approval(KEY)

    told = recover(server, kill_active="stuck")

    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "active_invocation")


@on("1.7.12", "1.6.2")
def test_what_a_kill_takes_along_is_listed_before(server: Server) -> None:
    server.release("release-1")
    parent = server.order(KEY, "child")
    (child,) = server.children(parent)

    told = recover(server, kill_active="any")

    assert_recovered(told, server)
    assert told.real["results"][0]["children"] == [child]
    assert any(child in warning for warning in told.predicted["warnings"])
    wait_until("the child ends", lambda: (server.row(child) or {}).get("status") in (None, "completed"))


@on_all_versions
def test_a_run_that_never_began_is_killed_and_leaves_nothing_to_purge(server: Server) -> None:
    server.release("release-1")
    run = server.send(f"/OrderWorkflow/{KEY}/run/send", params={"delay": "3600s"}, json={"mode": "ok"})

    assert_blocked(recover(server, kill_active="stuck"), "active_invocation", run)

    told = recover(server, kill_active="any")

    assert_recovered(told, server)
    assert told.real["results"][0]["killed"] == [run]
    assert told.real["results"][0]["purged"] == []
