# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: what it removes, what it leaves, and what becomes of the work that is still pending."""

from __future__ import annotations

import threading
from typing import Any

from tests.integration.versions import on, on_all_versions
from tests.integration.world import Deployment, World, reason, rehearse

FORCED: dict[str, Any] = {"remove": "superseded", "force_drain": True, "drain_timeout": 0}


def superseded(
    world: World, *planted: tuple[str, str], by: str = "release-2"
) -> tuple[Deployment, Deployment]:
    """Plant orders (key, mode) on release 1, and supersede it."""
    old = world.release("release-1")
    for key, mode in planted:
        world.order(key, mode)
    return old, world.release("new", by)


def remaining(result: dict[str, Any]) -> dict[str, str]:
    return {entry["deployment_id"]: entry["reason"] for entry in result["remaining"]}


# What goes and what stays


@on_all_versions
def test_a_drained_deployment_goes_and_completed_work_never_holds_it(world: World) -> None:
    old, new = superseded(world, ("order-1", "ok"), ("order-2", "fail"))

    told = rehearse(world, "cleanup", service_url=new.url)

    assert told.real["changed"]
    assert told.real["removed"] == [old.id]
    assert told.real["steps"][0]["action"] == "remove"
    assert world.deployment_ids() == {new.id}
    assert told.real["kept"]["deployment_id"] == new.id


def test_superseded_leaves_what_is_the_latest_of_some_service(world: World) -> None:
    extra = world.release("extra-service")
    old, new = world.release("release-1"), world.release("release-2")

    told = rehearse(world, "cleanup", service_url=new.url, remove="superseded")

    assert told.real["removed"] == [old.id]
    assert remaining(told.real) == {extra.id: "latest"}


def test_what_is_kept_by_id_or_url_or_is_younger_than_min_age_stays(world: World) -> None:
    by_id, by_url, goes = (world.release(name, "release-1") for name in ("a", "b", "c"))
    new = world.release("release-2")

    told = rehearse(world, "cleanup", service_url=new.url, keep=[by_id.id, by_url.url + "/"])

    assert told.real["removed"] == [goes.id]
    assert remaining(told.real) == {by_id.id: "keep", by_url.id: "keep"}

    told = rehearse(world, "cleanup", service_url=new.url, min_age="1h")

    assert not told.real["changed"]
    assert set(remaining(told.real).values()) == {"min_age"}


def test_a_typo_in_keep_costs_no_deployment(world: World) -> None:
    _old, new = superseded(world)

    for typo in ("dp_nope", "http://nowhere:9080"):
        told = rehearse(world, "cleanup", service_url=new.url, keep=[typo])
        assert reason(told.real)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"
        assert typo in told.real["msg"]


@on("1.5.3")
def test_an_unregistered_url_touches_nothing(world: World) -> None:
    superseded(world)

    told = rehearse(world, "cleanup", service_url=world.services.url("elsewhere"))

    assert reason(told.real)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"


@on("1.7.12", "1.5.3")
def test_a_service_is_removed_only_where_that_is_allowed(world: World) -> None:
    extra = world.release("extra-service")
    new = world.release("release-2")

    told = rehearse(world, "cleanup", service_url=new.url)

    assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "service_removed")
    assert "Invoices" in told.real["msg"]
    assert told.real["error"]["deployment_ids"] == [extra.id]

    told = rehearse(world, "cleanup", service_url=new.url, allow_service_removal=True)

    assert told.real["removed"] == [extra.id]
    assert {service["name"] for service in told.after["services"]} == {
        "Counter",
        "Ledger",
        "OrderWorkflow",
        "PaymentWorkflow",
    }


@on("1.7.12", "1.5.3")
def test_an_older_revision_never_comes_back(world: World) -> None:
    oldest, older, newest = (world.release(name, "release-1") for name in ("a", "b", "c"))

    for allow in (False, True):
        told = rehearse(world, "cleanup", service_url=older.url, allow_service_removal=allow)
        assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "older_revision_returns")
        assert told.real["error"]["deployment_ids"] == [newest.id]

    # Over the whole set: the oldest alone may go.
    told = rehearse(world, "cleanup", service_url=older.url, keep=[newest.id])
    assert told.real["removed"] == [oldest.id]


@on("1.7.12", "1.5.3")
def test_nothing_goes_while_the_kept_deployment_is_silent(world: World) -> None:
    _old, new = superseded(world)
    world.serve("new", None)

    told = rehearse(world, "cleanup", service_url=new.url)

    assert reason(told.real)[0] == "RESTATE_SERVICE_UNREACHABLE"
    assert told.real["error"]["deployment_ids"] == [new.id]


def test_the_kept_deployment_is_asked_with_its_registered_headers(world: World) -> None:
    old = world.release("release-1")
    url = world.serve("release-2", "release-2", header="x-key=the-value-of-the-key")
    world.register(url, additional_headers={"x-key": "the-value-of-the-key"})

    told = rehearse(world, "cleanup", service_url=url)

    assert told.real["removed"] == [old.id]
    assert "the-value" not in told.told


# assume_registered


@on("1.7.12", "1.5.3")
def test_a_whole_release_is_predicted_before_anything_is_registered(world: World) -> None:
    drained = world.release("drained", "release-1")
    current = world.release("release-1")
    world.order("order-1", "wait")
    url = world.serve("release-2", "release-2")
    before = world.snapshot()
    predicted = world.task("redeploy", check=True, service_url=url)

    foreseen = world.task(
        "cleanup",
        check=True,
        service_url=url,
        assume_registered=predicted["deployment"],
        remove="superseded",
    )

    assert world.snapshot() == before
    assert not foreseen["failed"], foreseen["msg"]
    assert foreseen["kept"] == {"service_url": url}
    assert foreseen["removed"] == [drained.id, current.id]
    assert [step["action"] for step in foreseen["steps"]] == ["remove", "wait_then_remove"]


def test_assume_registered_is_refused_outside_check_mode(world: World) -> None:
    world.release("release-1")
    url = world.serve("release-2", "release-2")
    predicted = world.task("redeploy", check=True, service_url=url)
    before = world.snapshot()

    refused = world.task("cleanup", service_url=url, assume_registered=predicted["deployment"])

    assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
    assert world.snapshot() == before


def test_an_assumed_migration_looks_at_what_the_release_will_serve(world: World) -> None:
    old = world.release("release-1")
    moved = world.order("order-1", "wait")
    left = world.await_approval("order-2")
    url = world.serve("new", "handler-removed")
    predicted = world.task("redeploy", check=True, service_url=url)

    args = {"service_url": url, **FORCED}
    foreseen = world.task("cleanup", check=True, assume_registered=predicted["deployment"], **args)

    assert foreseen["migrated"] == [moved]
    assert remaining(foreseen) == {old.id: "handler_not_served"}
    assert foreseen["error"]["invocation_ids"] == [left]
    world.register(url)
    real = world.task("cleanup", **args)
    for key in ("migrated", "removed", "remaining", "steps"):
        assert real[key] == foreseen[key]


# Waiting


@on("1.7.12", "1.5.3")
def test_pending_work_is_waited_for_and_the_dry_run_says_so_without_waiting(world: World) -> None:
    old, new = superseded(world, ("order-1", "wait"))
    release = threading.Timer(2.5, world.submit, ("OrderWorkflow", "order-1", "approve"))

    foreseen = world.task("cleanup", check=True, service_url=new.url, drain_timeout=30)
    release.start()
    real = world.task("cleanup", service_url=new.url, drain_timeout=30)
    release.join()

    assert foreseen["removed"] == real["removed"] == [old.id]
    assert foreseen["steps"][0]["conditional"]
    assert any("must drain first" in warning for warning in foreseen["warnings"])
    assert foreseen["audit"]["data"]["duration_ms"] < 2500
    assert not real["failed"], real["msg"]
    assert world.deployment_ids() == {new.id}


@on("1.7.12", "1.5.3")
def test_what_does_not_drain_stays_and_the_rest_goes(world: World) -> None:
    drained = world.release("drained", "release-1")
    old, new = superseded(world, ("order-1", "wait"), ("order-2", "retry"))

    told = rehearse(world, "cleanup", service_url=new.url, drain_timeout=0)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["removed"] == [drained.id]
    assert told.real["error"]["deployment_ids"] == [old.id]
    assert len(told.real["error"]["invocation_ids"]) == 2
    assert told.real["remaining"][0]["pending_invocations"] == 2
    assert world.deployment_ids() == {old.id, new.id}
    assert [step["deployment_id"] for step in told.real["done"]] == [drained.id]
    assert [step["deployment_id"] for step in told.real["not_done"]] == [old.id]


@on_all_versions
def test_work_that_waits_for_its_first_attempt_counts_as_pending(world: World) -> None:
    extra = world.release("extra-service")
    new = world.release("release-2")
    world.serve("extra-service", None)
    waiting = _issue(world)

    told = rehearse(world, "cleanup", service_url=new.url, allow_service_removal=True, drain_timeout=0)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["error"]["invocation_ids"] == [waiting]
    assert extra.id in world.deployment_ids()


def _issue(world: World) -> str:
    """Call the plain service Invoices, and give the invocation's id once it was tried in vain."""
    invocation_id = world.send("/Invoices/issue/send", json="order-1")
    world.settled(invocation_id, lambda row: row.get("retry_count", 0) >= 1)
    return invocation_id


# Migration


@on("1.7.12", "1.6.2")
def test_pending_work_is_moved_and_goes_on(world: World) -> None:
    old, new = superseded(world, ("order-1", "wait"), ("order-2", "retry"))
    waiting, retrying = (
        row["id"]
        for row in world.query(
            "SELECT id, target_service_key FROM sys_invocation_status ORDER BY target_service_key"
        )
    )

    told = rehearse(world, "cleanup", service_url=new.url, **FORCED)

    assert set(told.real["migrated"]) == {waiting, retrying}
    assert told.real["removed"] == [old.id]
    assert world.completed(retrying)["completion_result"] == "success"
    world.submit("OrderWorkflow", "order-1", "approve")
    assert world.completed(waiting)["completion_result"] == "success"


@on("1.7.12", "1.6.2")
def test_paused_work_is_left_unless_it_is_to_be_moved_too(world: World) -> None:
    old = world.release("release-1")
    paused = world.payment("payment-1")
    new = world.release("release-2")

    told = rehearse(world, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "paused_invocations")
    assert told.real["error"]["invocation_ids"] == [paused]
    assert remaining(told.real) == {old.id: "paused_invocations"}

    told = rehearse(world, "cleanup", service_url=new.url, migrate_paused=True, **FORCED)

    assert told.real["migrated"] == [paused]
    assert told.real["removed"] == [old.id]
    assert world.completed(paused)["completion_result"] == "success"


@on("1.5.3")
def test_migration_needs_a_newer_server_and_nothing_is_touched(world: World) -> None:
    world.release("drained", "release-1")
    _old, new = superseded(world, ("order-1", "wait"))

    told = rehearse(world, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real)[0] == "RESTATE_UNSUPPORTED"


@on("1.7.12", "1.6.2")
def test_work_is_not_moved_to_a_release_that_does_not_serve_its_handler(world: World) -> None:
    old = world.release("release-1")
    moved = world.order("order-1", "wait")
    left = world.await_approval("order-2")
    new = Deployment(
        world.register(world.serve("new", "handler-removed"), breaking=True), world.services.url("new")
    )

    told = rehearse(world, "cleanup", service_url=new.url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "handler_not_served")
    assert told.real["migrated"] == [moved]
    assert told.real["error"]["invocation_ids"] == [left]
    assert remaining(told.real) == {old.id: "handler_not_served"}
    assert (world.row(left) or {})["pinned_deployment_id"] == old.id


@on("1.7.12", "1.6.2")
def test_a_journal_that_the_release_does_not_fit_is_reported(world: World) -> None:
    old, new = superseded(world, ("order-1", "wait"), by="journal-changed")

    real = world.task("cleanup", service_url=new.url, **FORCED)

    assert real["removed"] == [old.id]
    assert any("RT0016" in warning for warning in real["warnings"]), real


# What is not moved


@on_all_versions
def test_pending_work_is_killed_with_what_it_called(world: World) -> None:
    old = world.release("release-1")
    parent = world.order("order-1", "child")
    (child,) = world.children(parent)
    new = world.release("release-2")

    told = rehearse(world, "cleanup", service_url=new.url, pending="kill", **FORCED)

    assert set(told.real["killed"]) == {parent, child}
    assert told.real["removed"] == [old.id]
    assert world.completed(parent)["completion_failure"] == "[409] killed"
    rows = world.query("SELECT id FROM sys_invocation_status WHERE status != 'completed'")
    assert rows == []


@on_all_versions
def test_pending_work_is_cancelled(world: World) -> None:
    old, new = superseded(world, ("order-1", "wait"))

    told = rehearse(world, "cleanup", service_url=new.url, pending="cancel", **FORCED)

    (cancelled,) = told.real["cancelled"]
    assert told.real["removed"] == [old.id]
    assert world.completed(cancelled)["completion_failure"].endswith("ancelled")


@on("1.7.12", "1.5.3")
def test_pending_work_is_abandoned_and_can_still_be_seen(world: World) -> None:
    old, new = superseded(world, ("order-1", "wait"))

    told = rehearse(world, "cleanup", service_url=new.url, pending="abandon", **FORCED)

    (abandoned,) = told.real["abandoned"]
    assert told.real["removed"] == [old.id]
    assert (world.row(abandoned) or {})["pinned_deployment_id"] == old.id
    seen = world.task("doctor")
    assert "ZOMBIE_INVOCATIONS" in {finding["code"] for finding in seen["findings"]}
