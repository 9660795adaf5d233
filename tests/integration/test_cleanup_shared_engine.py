# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup on an engine that several applications share: services that are split, moved, merged or dropped."""

from __future__ import annotations

from typing import Any

from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import run_three_times
from tests.integration.versions import on_all_versions

RELEASE: dict[str, Any] = {**FORCED, "pending": "kill", "remove": "replaced"}
ONE_REVISION: dict[str, Any] = {"remove": "replaced", "keep_revisions": 1}


def _still_waits(server: Server, invocation_id: str) -> bool:
    row = server.row(invocation_id)
    return row is not None and row["status"] != "completed"


def test_a_release_leaves_a_deployment_that_is_shared_with_another_application(server: Server) -> None:
    shared = server.release("order-and-ledger")
    order = server.order("order-1", "wait")
    ledger = server.release("ledger-only")

    told = run_three_times(server, "cleanup", service_url=ledger.url, **RELEASE)

    assert not told.real["changed"]
    assert remaining(told.real) == {shared.id: "latest"}
    assert _still_waits(server, order)


def test_a_deployment_that_was_split_into_two_is_replaced_by_neither(server: Server) -> None:
    shared = server.release("order-and-ledger")
    order = server.order("order-1", "wait")
    orders, ledger = server.release("order-only"), server.release("ledger-only")

    for kept, other, missing in ((orders, ledger, "Ledger"), (ledger, orders, "OrderWorkflow")):
        told = run_three_times(server, "cleanup", service_url=kept.url, **RELEASE)

        assert not told.real["changed"]
        assert remaining(told.real) == {shared.id: "not_replaced", other.id: "latest"}
        [entry] = [each for each in told.real["remaining"] if each["reason"] == "not_replaced"]
        assert entry["services"] == [missing]
    assert _still_waits(server, order)


@on_all_versions
def test_an_overwritten_deployment_keeps_the_work_of_the_service_that_it_dropped(server: Server) -> None:
    overwritten = server.release("app", "order-and-ledger")
    order = server.order("order-1", "wait")
    server.serve("app", "ledger-only")
    server.register(overwritten.url, force=True)
    ledger = server.release("ledger-only")

    told = run_three_times(server, "cleanup", service_url=ledger.url, **RELEASE)

    assert not told.real["changed"]
    assert remaining(told.real) == {overwritten.id: "not_replaced"}
    assert told.real["remaining"][0]["services"] == ["OrderWorkflow"]
    assert _still_waits(server, order)


def test_a_service_that_moved_to_another_application_leaves_its_old_deployment_there(server: Server) -> None:
    shared = server.release("order-and-ledger")
    hold = server.send("/Ledger/hold/send", json="order-1")
    server.wait_for_row(hold, lambda row: "pinned_deployment_id" in row)
    billing = server.release("billing", "ledger-only")
    orders = server.release("order-only")

    told = run_three_times(server, "cleanup", service_url=orders.url, **RELEASE)

    assert not told.real["changed"]
    assert remaining(told.real) == {shared.id: "not_replaced", billing.id: "latest"}
    assert _still_waits(server, hold)


@on_all_versions
def test_what_a_kill_ends_on_the_deployment_of_another_application_is_counted(server: Server) -> None:
    shared = server.release("order-and-ledger")
    ledger = server.release("ledger-only")
    order = server.order("order-1", "child")
    [hold] = server.children(order)
    orders = server.release("order-only")

    told = run_three_times(server, "cleanup", service_url=orders.url, **{**RELEASE, "remove": "superseded"})

    assert told.real["removed"] == [shared.id]
    assert remaining(told.real) == {ledger.id: "latest"}
    assert told.real["killed"] == [order]
    assert {name: each["killed"] for name, each in told.real["impact"].items()} == {
        "Ledger": 1,
        "OrderWorkflow": 1,
    }
    assert server.completed(hold)["completion_failure"] == "[409] killed"


def test_a_release_that_merges_applications_keeps_a_rollback_target_for_each(server: Server) -> None:
    older, orders = server.release("older", "order-only"), server.release("order-only")
    ledger = server.release("ledger-only")
    merged = server.release("order-and-ledger")

    told = run_three_times(server, "cleanup", service_url=merged.url, **ONE_REVISION)

    assert told.real["removed"] == [older.id]
    assert remaining(told.real) == {orders.id: "keep_revisions", ledger.id: "keep_revisions"}


def test_a_release_that_drops_a_service_keeps_a_rollback_target(server: Server) -> None:
    old = server.release("order-and-ledger")
    new = server.release("order-only")

    told = run_three_times(
        server, "cleanup", service_url=new.url, keep_revisions=1, allow_service_removal=True
    )

    assert told.real["removed"] == []
    assert remaining(told.real) == {old.id: "keep_revisions"}


def test_a_dry_run_of_a_release_counts_the_revision_that_would_be_replaced(server: Server) -> None:
    oldest, old = server.release("oldest", "release-1"), server.release("release-1")
    url = server.serve("release-2", "release-2")
    registered = server.task("redeploy", check=True, service_url=url)
    asked = {"service_url": url, **ONE_REVISION}

    foreseen = server.task("cleanup", check=True, assume_registered=registered["deployment"], **asked)
    server.task("redeploy", service_url=url)
    real = server.task("cleanup", **asked)

    assert foreseen["removed"] == real["removed"] == [oldest.id]
    assert remaining(foreseen) == remaining(real) == {old.id: "keep_revisions"}


def test_keep_revisions_composes_with_other_limits(server: Server) -> None:
    oldest, older, old = (server.release(name, "release-1") for name in ("oldest", "older", "old"))
    new = server.release("release-2")
    asked = {"service_url": new.url, "keep": [oldest.id], **ONE_REVISION}

    young = run_three_times(server, "cleanup", min_age="1h", **asked)

    assert remaining(young.real) == {oldest.id: "keep", older.id: "min_age", old.id: "min_age"}

    told = run_three_times(server, "cleanup", max_removed=1, **asked)

    assert told.real["removed"] == [older.id]
    assert remaining(told.real) == {oldest.id: "keep", old.id: "keep_revisions"}


def test_keep_revisions_cannot_be_negative(server: Server) -> None:
    release = server.release("release-1")

    told = run_three_times(server, "cleanup", service_url=release.url, keep_revisions=-1)

    assert told.real["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "keep_revisions" in told.real["msg"]


def test_a_task_that_an_error_ends_counts_what_it_has_ended(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    order = server.order("order-1", "wait")
    new = server.release("release-2")
    proxy.once("DELETE", "/deployments/", answer(403))

    result = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **RELEASE)

    assert result["failed"]
    assert result["killed"] == [order]
    assert result["impact"]["OrderWorkflow"]["killed"] == 1
    assert "OrderWorkflow (1 killed)" in result["msg"]
