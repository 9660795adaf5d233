# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow: which keys get a fresh start, and which are left and why."""

from __future__ import annotations

from typing import Any

import pytest
from waiting import wait_until

from tests.integration.versions import on, on_all_versions
from tests.integration.world import Rehearsal, World, compared, reason, rehearse

KEY = "order-1"
NOTHING = {"sys_invocation_status": 0, "state": 0, "sys_promise": 0}


def recover(world: World, service: str = "OrderWorkflow", key: str = KEY, **args: Any) -> Rehearsal:
    return rehearse(world, "recover_workflow", service_name=service, service_key=key, **args)


def assert_blocked(told: Rehearsal, why: str, *ids: str) -> None:
    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", why)
    assert set(told.real["error"].get("invocation_ids", [])) == set(ids)
    assert told.real["outcome"] == "blocked"
    assert told.real["summary"] == {"blank": 0, "recovered": 0, "blocked": 1, "failed": 0}
    assert told.before == told.after


def assert_recovered(told: Rehearsal, world: World, key: str = KEY, service: str = "OrderWorkflow") -> None:
    assert told.real["outcome"] == "recovered"
    assert told.real["changed"]
    assert told.again["outcome"] == "blank"
    assert world.of_key(key, service) == NOTHING


# A run that is over


@on("1.7.12", "1.5.3")
def test_a_key_of_which_there_is_nothing_is_blank(world: World) -> None:
    world.release("release-1")

    told = recover(world)

    assert told.real["outcome"] == "blank"
    assert not told.real["changed"]
    assert told.real["steps"] == []


@on_all_versions
def test_a_failed_run_is_purged_and_its_key_starts_from_nothing(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "fail")
    other = world.order("order-2", "fail")

    told = recover(world)

    assert_recovered(told, world)
    assert told.real["results"][0]["purged"] == [run]
    assert world.order(KEY, "ok") == run
    assert (world.row(other) or {})["completion_result"] == "failure"


def test_completed_shared_invocations_of_a_failed_run_go_with_it(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "fail")
    shared = world.submit("OrderWorkflow", KEY, "status")
    approval = world.submit("OrderWorkflow", KEY, "approve")
    for invocation_id in (shared, approval):
        world.completed(invocation_id)

    told = recover(world)

    assert_recovered(told, world)
    assert told.real["results"][0]["purged"][0] == run
    assert set(told.real["results"][0]["purged"]) == {run, shared, approval}


@on("1.7.12", "1.5.3")
def test_a_run_that_succeeded_is_never_repeated(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "ok")

    assert_blocked(recover(world, kill_active="any", clear_orphaned_state=True), "already_succeeded", run)


def test_a_run_that_succeeded_is_left_while_something_of_its_key_is_active(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "ok")
    world.await_approval(KEY)

    assert_blocked(recover(world, kill_active="any"), "already_succeeded", run)


# Something is unfinished


@on("1.7.12", "1.5.3")
def test_nothing_unfinished_is_touched_by_default(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")

    assert_blocked(recover(world), "active_invocation", run)


@on_all_versions
def test_a_run_that_keeps_failing_is_stuck(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")

    told = recover(world, kill_active="stuck")

    assert_recovered(told, world)
    assert told.real["results"][0]["killed"] == [run]
    assert told.real["results"][0]["purged"] == [run]


def test_a_run_that_failed_a_few_times_is_not_stuck_yet(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")

    assert_blocked(
        recover(world, kill_active="stuck", stuck_after_retries=1_000_000), "active_invocation", run
    )


@on_all_versions
def test_a_paused_run_is_stuck(world: World) -> None:
    world.release("release-1")
    run = world.payment("payment-1")

    told = recover(world, "PaymentWorkflow", "payment-1", kill_active="stuck")

    assert_recovered(told, world, "payment-1", "PaymentWorkflow")
    assert told.real["results"][0]["killed"] == [run]


def test_a_run_whose_deployment_is_gone_is_stuck(world: World) -> None:
    gone = world.release("gone", "release-1")
    world.order(KEY, "retry")
    world.delete(gone.id)
    world.release("release-1")

    assert_recovered(recover(world, kill_active="stuck"), world)


@on("1.7.12", "1.6.2")
def test_a_run_that_waits_is_not_stuck_and_is_killed_only_by_any(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "wait")
    shared = world.await_approval(KEY)

    assert_blocked(recover(world, kill_active="stuck"), "active_invocation", run, shared)

    told = recover(world, kill_active="any")

    assert_recovered(told, world)
    assert set(told.real["results"][0]["killed"]) == {run, shared}


@on("1.5.3")
def test_a_run_is_not_purged_before_its_last_attempt_is_let_go(world: World) -> None:
    world.release("release-1")
    run = world.order(KEY, "wait")
    args: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": KEY, "kill_active": "any"}
    predicted = world.task("recover_workflow", check=True, **args)

    blocked = world.task("recover_workflow", **args)

    assert any("run the task again after a minute" in warning for warning in predicted["warnings"])
    assert reason(blocked) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "purge_failed")
    assert blocked["done"] == [{"action": "kill", "invocation_id": run}]
    assert blocked["not_done"] == [{"action": "purge", "invocation_id": run}]

    # The attempt ends with its service.
    world.serve("release-1", "release-1")
    recovered = world.task("recover_workflow", **args)

    assert recovered["outcome"] == "recovered", recovered["msg"]
    assert world.order(KEY, "ok") == run


def test_one_active_invocation_keeps_a_key_from_being_stuck(world: World) -> None:
    world.release("release-1")
    world.order(KEY, "retry")
    world.await_approval(KEY)

    told = recover(world, kill_active="stuck")

    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "active_invocation")


@on("1.7.12", "1.6.2")
def test_what_a_kill_takes_along_is_listed_before(world: World) -> None:
    world.release("release-1")
    parent = world.order(KEY, "child")
    (child,) = world.children(parent)

    told = recover(world, kill_active="any")

    assert_recovered(told, world)
    assert told.real["results"][0]["children"] == [child]
    assert any(child in warning for warning in told.predicted["warnings"])
    wait_until("the child ends", lambda: (world.row(child) or {}).get("status") in (None, "completed"))


@on_all_versions
def test_a_run_that_never_began_is_killed_and_leaves_nothing_to_purge(world: World) -> None:
    world.release("release-1")
    run = world.send(f"/OrderWorkflow/{KEY}/run/send", params={"delay": "3600s"}, json={"mode": "ok"})

    assert_blocked(recover(world, kill_active="stuck"), "active_invocation", run)

    told = recover(world, kill_active="any")

    assert_recovered(told, world)
    assert told.real["results"][0]["killed"] == [run]
    assert told.real["results"][0]["purged"] == []


# No run


@on_all_versions
def test_state_without_a_run_may_be_that_of_a_run_that_succeeded(world: World) -> None:
    world.release("zero-retention")
    world.submit("ForgetfulWorkflow", KEY, "run", {})
    wait_until(
        "state without a run",
        lambda: (
            world.of_key(KEY, "ForgetfulWorkflow")
            == {"sys_invocation_status": 0, "state": 1, "sys_promise": 0}
        ),
    )

    assert_blocked(recover(world, "ForgetfulWorkflow"), "run_unknown")

    told = recover(world, "ForgetfulWorkflow", clear_orphaned_state=True)

    assert_recovered(told, world, KEY, "ForgetfulWorkflow")
    assert told.real["results"][0]["cleared"] == ["step"]
    assert told.real["steps"] == [{"action": "clear_state"}]


@on("1.7.12", "1.5.3")
def test_a_promise_without_a_run_is_left_since_nothing_clears_it(world: World) -> None:
    world.release("release-1")
    approval = world.submit("OrderWorkflow", KEY, "approve")
    world.completed(approval)

    assert_blocked(
        recover(world, kill_active="any", clear_orphaned_state=True), "promise_without_run", approval
    )


def test_a_completed_shared_invocation_alone_does_not_matter(world: World) -> None:
    world.release("release-1")
    world.completed(world.submit("OrderWorkflow", KEY, "status"))

    told = recover(world)

    assert told.real["outcome"] == "blank"
    assert any("1 completed shared invocation" in warning for warning in told.real["warnings"])
    assert told.before == told.after


def test_an_unfinished_shared_invocation_alone_is_left(world: World) -> None:
    world.release("release-1")
    shared = world.await_approval(KEY)

    assert_blocked(recover(world), "active_invocation", shared)

    # Its promise would outlive it, and nothing in Restate clears that.
    assert_blocked(recover(world, kill_active="any"), "promise_without_run", shared)


# The service


def test_a_service_that_is_no_workflow_is_refused(world: World) -> None:
    world.release("release-1")

    for service in ("Counter", "Ledger", "OrderWorkflo"):
        refused = world.task("recover_workflow", service_name=service, service_key=KEY)
        assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
        assert service in refused["msg"]


@on("1.7.12", "1.5.3")
def test_a_key_of_a_service_that_is_no_longer_registered_is_recovered(world: World) -> None:
    old = world.release("release-1")
    world.order(KEY, "fail")
    world.delete(old.id)

    args: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": KEY}
    predicted = world.task("recover_workflow", check=True, **args)
    real = world.task("recover_workflow", **args)

    assert compared(predicted) == compared(real)
    assert real["outcome"] == "recovered"
    assert world.of_key(KEY) == NOTHING
    # Now the name could as well be a typo.
    assert reason(world.task("recover_workflow", **args))[0] == "RESTATE_INVALID_ARGUMENT"


# Keys


HOSTILE = (
    "o'brien",
    "a/b/c",
    "100%",
    "50%25",
    "with space",
    "schlüssel-✓",
    "back\\slash",
    "');--",
    '"q"',
    "a_b",
    "?#&",
)


@on("1.7.12", "1.5.3")
def test_no_key_reaches_further_than_itself(world: World) -> None:
    world.release("release-1")
    runs = {key: world.submit("OrderWorkflow", key, "run", {"mode": "fail"}) for key in HOSTILE}
    runs["aXb"] = world.submit("OrderWorkflow", "aXb", "run", {"mode": "fail"})
    for run in runs.values():
        world.completed(run)

    for key in HOSTILE:
        recovered = world.task("recover_workflow", service_name="OrderWorkflow", service_key=key)
        assert recovered.get("outcome") == "recovered", (key, recovered["msg"])
        assert recovered["results"][0]["purged"] == [runs.pop(key)]
        left = world.query("SELECT id FROM sys_invocation_status")
        assert {row["id"] for row in left} == set(runs.values())


@pytest.mark.parametrize("key", ["{{ 6 * 7 }}", " "])
def test_a_key_is_taken_as_it_is_given(world: World, key: str) -> None:
    world.release("release-1")
    run = world.order(key, "fail")

    told = recover(world, key=key)

    assert told.real["results"][0]["service_key"] == key
    assert told.real["results"][0]["purged"] == [run]
