# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: what becomes of the work that is still pending."""

from __future__ import annotations

import threading

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining, superseded
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions

# Waiting


@on("1.7.12", "1.5.3")
def test_pending_work_is_waited_for_and_the_dry_run_says_so_without_waiting(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"))
    release = threading.Timer(2.5, server.submit, ("OrderWorkflow", "order-1", "approve"))

    foreseen = server.task("cleanup", check=True, service_url=new.url, drain_timeout=30)
    release.start()
    real = server.task("cleanup", service_url=new.url, drain_timeout=30)
    release.join()

    assert foreseen["removed"] == real["removed"] == [old.id]
    assert foreseen["steps"][0]["conditional"]
    assert any("must drain first" in warning for warning in foreseen["warnings"])
    assert foreseen["audit"]["data"]["duration_ms"] < 2500
    assert not real["failed"], real["msg"]
    assert server.deployment_ids() == {new.id}


@on("1.7.12", "1.5.3")
def test_what_does_not_drain_stays_and_the_rest_goes(server: Server) -> None:
    drained = server.release("drained", "release-1")
    old, new = superseded(server, ("order-1", "wait"), ("order-2", "retry"))

    told = run_three_times(server, "cleanup", service_url=new.url, drain_timeout=0)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["removed"] == [drained.id]
    assert told.real["error"]["deployment_ids"] == [old.id]
    assert len(told.real["error"]["invocation_ids"]) == 2
    assert told.real["remaining"][0]["pending_invocations"] == 2
    assert server.deployment_ids() == {old.id, new.id}
    assert [step["deployment_id"] for step in told.real["done"]] == [drained.id]
    assert [step["deployment_id"] for step in told.real["not_done"]] == [old.id]


@on_all_versions
def test_work_that_waits_for_its_first_attempt_counts_as_pending(server: Server) -> None:
    extra = server.release("extra-service")
    new = server.release("release-2")
    server.serve("extra-service", None)
    waiting = _issue(server)

    told = run_three_times(
        server, "cleanup", service_url=new.url, allow_service_removal=True, drain_timeout=0
    )

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["error"]["invocation_ids"] == [waiting]
    assert extra.id in server.deployment_ids()


def _issue(server: Server) -> str:
    """Call the plain service Invoices, and give the invocation's id once it was tried in vain."""
    invocation_id = server.send("/Invoices/issue/send", json="order-1")
    server.wait_for_row(invocation_id, lambda row: row.get("retry_count", 0) >= 1)
    return invocation_id


# Migration


@on("1.7.12", "1.6.2")
def test_pending_work_is_moved_and_goes_on(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"), ("order-2", "retry"))
    waiting, retrying = (
        row["id"]
        for row in server.query(
            "SELECT id, target_service_key FROM sys_invocation_status ORDER BY target_service_key"
        )
    )

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert set(told.real["migrated"]) == {waiting, retrying}
    assert told.real["removed"] == [old.id]
    assert server.completed(retrying)["completion_result"] == "success"
    server.submit("OrderWorkflow", "order-1", "approve")
    assert server.completed(waiting)["completion_result"] == "success"


@on("1.7.12", "1.6.2")
def test_paused_work_is_left_unless_it_is_to_be_moved_too(server: Server) -> None:
    old = server.release("release-1")
    paused = server.payment("payment-1")
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "paused_invocations")
    assert told.real["error"]["invocation_ids"] == [paused]
    assert remaining(told.real) == {old.id: "paused_invocations"}

    told = run_three_times(server, "cleanup", service_url=new.url, migrate_paused=True, **FORCED)

    assert told.real["migrated"] == [paused]
    assert told.real["removed"] == [old.id]
    assert server.completed(paused)["completion_result"] == "success"


@on("1.5.3")
def test_migration_needs_a_newer_server_and_nothing_is_touched(server: Server) -> None:
    server.release("drained", "release-1")
    _old, new = superseded(server, ("order-1", "wait"))

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real)[0] == "RESTATE_UNSUPPORTED"


@on("1.7.12", "1.6.2")
def test_work_is_not_moved_to_a_release_that_does_not_serve_its_handler(server: Server) -> None:
    old = server.release("release-1")
    moved = server.order("order-1", "wait")
    left = server.await_approval("order-2")
    new = Deployment(
        server.register(server.serve("new", "handler-removed"), breaking=True), server.services.url("new")
    )

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "handler_not_served")
    assert told.real["migrated"] == [moved]
    assert told.real["error"]["invocation_ids"] == [left]
    assert remaining(told.real) == {old.id: "handler_not_served"}
    assert (server.row(left) or {})["pinned_deployment_id"] == old.id


@on("1.7.12", "1.6.2")
def test_a_journal_that_the_release_does_not_fit_is_reported(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"), by="journal-changed")

    real = server.task("cleanup", service_url=new.url, **FORCED)

    assert real["removed"] == [old.id]
    assert any("RT0016" in warning for warning in real["warnings"]), real


# What is not moved


@on_all_versions
def test_pending_work_is_killed_with_what_it_called(server: Server) -> None:
    old = server.release("release-1")
    parent = server.order("order-1", "child")
    (child,) = server.children(parent)
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, pending="kill", **FORCED)

    assert set(told.real["killed"]) == {parent, child}
    assert told.real["removed"] == [old.id]
    assert server.completed(parent)["completion_failure"] == "[409] killed"
    rows = server.query("SELECT id FROM sys_invocation_status WHERE status != 'completed'")
    assert rows == []


@on_all_versions
def test_pending_work_is_cancelled(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"))

    told = run_three_times(server, "cleanup", service_url=new.url, pending="cancel", **FORCED)

    (cancelled,) = told.real["cancelled"]
    assert told.real["removed"] == [old.id]
    assert server.completed(cancelled)["completion_failure"].endswith("ancelled")


@on("1.7.12", "1.5.3")
def test_pending_work_is_abandoned_and_can_still_be_seen(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"))

    told = run_three_times(server, "cleanup", service_url=new.url, pending="abandon", **FORCED)

    (abandoned,) = told.real["abandoned"]
    assert told.real["removed"] == [old.id]
    assert (server.row(abandoned) or {})["pinned_deployment_id"] == old.id
    seen = server.task("doctor")
    assert "ZOMBIE_INVOCATIONS" in {finding["code"] for finding in seen["findings"]}
