# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow: which keys get a fresh start, and which are left and why."""

from __future__ import annotations

from typing import Any

import pytest
from waiting import wait_until

from tests.integration.recovery_of_one import KEY, NOTHING, assert_blocked, assert_recovered, recover
from tests.integration.server import Server
from tests.integration.three_runs import compared, reason
from tests.integration.versions import on, on_all_versions

# A run that is over


@on("1.7.12", "1.5.3")
def test_a_key_of_which_there_is_nothing_is_blank(server: Server) -> None:
    server.release("release-1")

    told = recover(server)

    assert told.real["outcome"] == "blank"
    assert not told.real["changed"]
    assert told.real["steps"] == []


@on_all_versions
def test_a_failed_run_is_purged_and_its_key_starts_from_nothing(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    other = server.order("order-2", "fail")

    told = recover(server)

    assert_recovered(told, server)
    assert told.real["results"][0]["purged"] == [run]
    assert server.order(KEY, "ok") == run
    assert (server.row(other) or {})["completion_result"] == "failure"


def test_completed_shared_invocations_of_a_failed_run_go_with_it(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    shared = server.submit("OrderWorkflow", KEY, "status")
    approval = server.submit("OrderWorkflow", KEY, "approve")
    for invocation_id in (shared, approval):
        server.completed(invocation_id)

    told = recover(server)

    assert_recovered(told, server)
    assert told.real["results"][0]["purged"][0] == run
    assert set(told.real["results"][0]["purged"]) == {run, shared, approval}


@on("1.7.12", "1.5.3")
def test_a_run_that_succeeded_is_never_repeated(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "ok")

    assert_blocked(recover(server, kill_active="any", clear_orphaned_state=True), "already_succeeded", run)


def test_a_run_that_succeeded_is_left_while_something_of_its_key_is_active(server: Server) -> None:
    server.release("release-1")
    run = server.order(KEY, "ok")
    server.await_approval(KEY)

    assert_blocked(recover(server, kill_active="any"), "already_succeeded", run)


# No run


@on_all_versions
def test_state_without_a_run_may_be_that_of_a_run_that_succeeded(server: Server) -> None:
    server.release("zero-retention")
    server.submit("ForgetfulWorkflow", KEY, "run", {})
    wait_until(
        "state without a run",
        lambda: (
            server.count_rows_of_key(KEY, "ForgetfulWorkflow")
            == {"sys_invocation_status": 0, "state": 1, "sys_promise": 0}
        ),
    )

    assert_blocked(recover(server, "ForgetfulWorkflow"), "run_unknown")

    told = recover(server, "ForgetfulWorkflow", clear_orphaned_state=True)

    assert_recovered(told, server, KEY, "ForgetfulWorkflow")
    assert told.real["results"][0]["cleared"] == ["step"]
    assert told.real["steps"] == [{"action": "clear_state"}]


@on("1.7.12", "1.5.3")
def test_a_promise_without_a_run_is_left_since_nothing_clears_it(server: Server) -> None:
    server.release("release-1")
    approval = server.submit("OrderWorkflow", KEY, "approve")
    server.completed(approval)

    assert_blocked(
        recover(server, kill_active="any", clear_orphaned_state=True), "promise_without_run", approval
    )


def test_a_completed_shared_invocation_alone_does_not_matter(server: Server) -> None:
    server.release("release-1")
    server.completed(server.submit("OrderWorkflow", KEY, "status"))

    told = recover(server)

    assert told.real["outcome"] == "blank"
    assert any("1 completed shared invocation" in warning for warning in told.real["warnings"])
    assert told.before == told.after


def test_an_unfinished_shared_invocation_alone_is_left(server: Server) -> None:
    server.release("release-1")
    shared = server.await_approval(KEY)

    assert_blocked(recover(server), "active_invocation", shared)

    # Its promise would outlive it, and nothing in Restate clears that.
    assert_blocked(recover(server, kill_active="any"), "promise_without_run", shared)


# The service


def test_a_service_that_is_no_workflow_is_refused(server: Server) -> None:
    server.release("release-1")

    for service in ("Counter", "Ledger", "OrderWorkflo"):
        refused = server.task("recover_workflow", service_name=service, service_key=KEY)
        assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
        assert service in refused["msg"]


@on("1.7.12", "1.5.3")
def test_a_key_of_a_service_that_is_no_longer_registered_is_recovered(server: Server) -> None:
    old = server.release("release-1")
    server.order(KEY, "fail")
    server.delete(old.id)

    args: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": KEY}
    predicted = server.task("recover_workflow", check=True, **args)
    real = server.task("recover_workflow", **args)

    assert compared(predicted) == compared(real)
    assert real["outcome"] == "recovered"
    assert server.count_rows_of_key(KEY) == NOTHING
    # Now the name could as well be a typo.
    assert reason(server.task("recover_workflow", **args))[0] == "RESTATE_INVALID_ARGUMENT"


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
def test_no_key_reaches_further_than_itself(server: Server) -> None:
    server.release("release-1")
    runs = {key: server.submit("OrderWorkflow", key, "run", {"mode": "fail"}) for key in HOSTILE}
    runs["aXb"] = server.submit("OrderWorkflow", "aXb", "run", {"mode": "fail"})
    for run in runs.values():
        server.completed(run)

    for key in HOSTILE:
        recovered = server.task("recover_workflow", service_name="OrderWorkflow", service_key=key)
        assert recovered.get("outcome") == "recovered", (key, recovered["msg"])
        assert recovered["results"][0]["purged"] == [runs.pop(key)]
        left = server.query("SELECT id FROM sys_invocation_status")
        assert {row["id"] for row in left} == set(runs.values())


@pytest.mark.parametrize("key", ["{{ 6 * 7 }}", " "])
def test_a_key_is_taken_as_it_is_given(server: Server, key: str) -> None:
    server.release("release-1")
    run = server.order(key, "fail")

    told = recover(server, key=key)

    assert told.real["results"][0]["service_key"] == key
    assert told.real["results"][0]["purged"] == [run]
