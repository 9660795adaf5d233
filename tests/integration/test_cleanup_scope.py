# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: which deployments a cleanup leaves to other applications and to a rollback, and its impact."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining, superseded
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on_all_versions

KILL = {**FORCED, "pending": "kill"}


@on_all_versions
def test_a_release_leaves_the_draining_deployment_of_another_application_alone(server: Server) -> None:
    drains, orders = superseded(server, ("order-1", "wait"), ("order-2", "wait"))
    old_cron = server.release("cron")
    new_cron = server.release("newer-cron", "cron")

    told = run_three_times(server, "cleanup", service_url=new_cron.url, **{**KILL, "remove": "replaced"})

    assert told.real["removed"] == [old_cron.id]
    assert told.real["killed"] == []
    assert told.real["impact"] == {}
    assert remaining(told.real) == {drains.id: "not_replaced", orders.id: "latest"}
    [entry] = [each for each in told.real["remaining"] if each["reason"] == "not_replaced"]
    assert "OrderWorkflow" in entry["services"]


def test_superseded_still_means_every_application(server: Server) -> None:
    drains, _orders = superseded(server, ("order-1", "wait"))
    old_cron = server.release("cron")
    new_cron = server.release("newer-cron", "cron")

    told = run_three_times(server, "cleanup", service_url=new_cron.url, **KILL)

    assert told.real["removed"] == [drains.id, old_cron.id]
    assert told.real["impact"] == {
        "OrderWorkflow": {"migrated": 0, "cancelled": 0, "killed": 1, "abandoned": 0}
    }
    assert (
        told.predicted["msg"].partition("Invocations")[2]
        == told.real["msg"].partition("Invocations")[2]
        != ""
    )


def test_the_newest_replaced_deployments_stay_for_a_rollback(server: Server) -> None:
    oldest, older, old = (server.release(name, "release-1") for name in ("a", "b", "c"))
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, remove="replaced", keep_revisions=2)

    assert told.real["removed"] == [oldest.id]
    assert remaining(told.real) == {older.id: "keep_revisions", old.id: "keep_revisions"}


def test_what_stays_for_another_reason_counts_as_a_revision(server: Server) -> None:
    older, old = (server.release(name, "release-1") for name in ("a", "b"))
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, keep=[old.id], keep_revisions=1)

    assert told.real["removed"] == [older.id]
    assert remaining(told.real) == {old.id: "keep"}


def test_a_revision_that_is_kept_keeps_its_pending_work(server: Server) -> None:
    old, new = superseded(server, ("order-1", "wait"))

    told = run_three_times(server, "cleanup", service_url=new.url, keep_revisions=1, **KILL)

    assert not told.real["changed"]
    assert remaining(told.real) == {old.id: "keep_revisions"}


def test_after_a_rollback_the_release_that_was_taken_back_stays(server: Server) -> None:
    oldest, old = server.release("oldest", "release-1"), server.release("release-1")
    new = server.release("release-2")
    server.register(old.url, force=True)

    told = run_three_times(server, "cleanup", service_url=old.url, remove="replaced", keep_revisions=1)

    assert told.real["removed"] == [oldest.id]
    assert remaining(told.real) == {new.id: "keep_revisions"}


def test_a_task_that_fails_counts_its_impact_too(server: Server) -> None:
    older = server.release("older", "release-1")
    server.order("order-1", "wait")
    old = server.release("release-1")
    paused = server.payment("payment-1")
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "paused_invocations")
    assert told.real["removed"] == [older.id]
    assert remaining(told.real) == {old.id: "paused_invocations"}
    assert told.real["impact"]["OrderWorkflow"]["migrated"] == 1
    assert "OrderWorkflow (1 migrated)" in told.real["msg"]
    assert paused not in told.real["migrated"]


def _two_revisions_of_a_service_that_vanishes(server: Server) -> tuple[Deployment, Deployment, Deployment]:
    older = server.release("older", "ledger-only")
    held = server.send("/Ledger/hold/send", json="order-1")
    server.wait_for_row(held, lambda row: "pinned_deployment_id" in row)
    return older, server.release("ledger-only"), server.release("order-only")


@on_all_versions
def test_a_deployment_stays_that_would_bring_back_the_older_one_that_stays(server: Server) -> None:
    older, latest, new = _two_revisions_of_a_service_that_vanishes(server)
    asked: dict[str, Any] = {"service_url": new.url, "allow_service_removal": True, "drain_timeout": 0}

    told = run_three_times(server, "cleanup", **asked)

    assert told.real["removed"] == []
    assert remaining(told.real) == {older.id: "drain_timeout", latest.id: "older_revision_returns"}


def test_both_go_when_the_work_that_holds_the_older_one_is_ended(server: Server) -> None:
    older, latest, new = _two_revisions_of_a_service_that_vanishes(server)
    asked: dict[str, Any] = {**KILL, "service_url": new.url, "remove": "all", "allow_service_removal": True}

    told = run_three_times(server, "cleanup", **asked)

    assert told.real["removed"] == [older.id, latest.id]


def test_work_that_begins_on_the_latest_is_not_ended_when_that_one_has_to_stay(server: Server) -> None:
    older, latest, new = _two_revisions_of_a_service_that_vanishes(server)
    held = server.send("/Ledger/hold/send", json="order-2")
    server.wait_for_row(held, lambda row: "pinned_deployment_id" in row)
    asked: dict[str, Any] = {**FORCED, "service_url": new.url, "remove": "all", "allow_service_removal": True}

    told = run_three_times(server, "cleanup", **asked)

    assert remaining(told.real) == {older.id: "handler_not_served", latest.id: "older_revision_returns"}
    assert told.real["impact"] == {}
