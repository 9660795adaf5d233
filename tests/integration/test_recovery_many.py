# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow for many keys: which are chosen, and what stops them."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.ansible_task import run_task
from tests.integration.recovery_of_many import created_at_by_key, of_order, outcomes, recover
from tests.integration.server import Server
from tests.integration.three_runs import reason
from tests.integration.versions import on, on_all_versions


@on_all_versions
def test_one_key_that_is_blocked_does_not_stop_the_others(server: Server) -> None:
    server.release("release-1")
    for key, mode in (("bad", "fail"), ("good", "ok"), ("busy", "wait"), ("worse", "fail")):
        server.order(key, mode)

    told = recover(server, workflows=of_order("bad", "good", "busy", "none", "worse", "bad"))

    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "several")
    assert outcomes(told.real) == outcomes(told.predicted)
    assert outcomes(told.real) == {
        "bad": ("recovered", None),
        "good": ("blocked", "already_succeeded"),
        "busy": ("blocked", "active_invocation"),
        "none": ("blank", None),
        "worse": ("recovered", None),
    }
    assert told.real["summary"] == {"blank": 1, "recovered": 2, "blocked": 2, "failed": 0}
    assert outcomes(told.again)["bad"] == ("blank", None)


def without_diff(server: Server, *keys: str, **args: Any) -> dict[str, tuple[str, str | None]]:
    """Recover keys among so many that no diff is shown, and return what became of them."""
    workflows = of_order(*keys, *(f"none-{number}" for number in range(101)))
    recover_task = functools.partial(
        run_task,
        "dalp.restate.restate_recover_workflow",
        {**server.connection, "workflows": workflows, **args},
        diff=False,
    )
    dry, real = recover_task(check=True), recover_task()
    assert outcomes(dry) == outcomes(real)
    assert "diff" not in dry.keys() | real.keys()
    return {key: outcomes(real)[key] for key in keys}


def rows_left(server: Server) -> dict[str, int]:
    tables = ("sys_invocation_status", "state", "sys_promise")
    return {table: server.query(f"SELECT COUNT(1) AS n FROM {table}")[0]["n"] for table in tables}


@on_all_versions
def test_without_a_diff_nothing_is_left_of_what_is_recovered(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    server.order("worse", "fail")

    told = without_diff(server, "bad", "worse")

    assert told == {"bad": ("recovered", None), "worse": ("recovered", None)}
    assert rows_left(server) == {"sys_invocation_status": 0, "state": 0, "sys_promise": 0}


# 1.5.3 lets go of an attempt only after a while.
@on("1.6.2", "1.7.12")
def test_without_a_diff_nothing_is_left_of_what_is_killed(server: Server) -> None:
    server.release("release-1")
    server.order("waiting", "wait")
    assert rows_left(server) == {"sys_invocation_status": 1, "state": 1, "sys_promise": 1}

    told = without_diff(server, "waiting", kill_active="any")

    assert told == {"waiting": ("recovered", None)}
    assert rows_left(server) == {"sys_invocation_status": 0, "state": 0, "sys_promise": 0}


def test_the_state_of_few_keys_is_told_whether_a_diff_is_asked_for_or_not(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    options = {**server.connection, "workflows": of_order("bad"), "audit_detail": "full"}

    real = run_task("dalp.restate.restate_recover_workflow", options, diff=False)

    data = real["audit"]["data"]
    assert data["before"]["OrderWorkflow/bad"]["state"] == ["step"]
    assert data["after"] == {"OrderWorkflow/bad": {}}
    assert real["diff"] == {"before": data["before"], "after": data["after"]}


@on_all_versions
def test_a_key_is_read_as_well_among_many_as_among_few(server: Server) -> None:
    server.release("release-1")
    for key, mode in (("bad", "fail"), ("busy", "wait"), ("it's", "fail"), ("good", "ok")):
        server.order(key, mode)
    keys = ["bad", "busy", "it's", "good"]

    few = server.task("recover_workflow", check=True, workflows=of_order(*keys))
    # That many are looked for among all invocations.
    many = server.task("recover_workflow", check=True, workflows=of_order(*keys, *map(str, range(100))))

    assert many["results"][: len(keys)] == few["results"]
    assert [each["purged"] != [] for each in few["results"]] == [True, False, True, False]
    assert {each["outcome"] for each in many["results"][len(keys) :]} == {"blank"}


def test_blocked_keys_can_be_tolerated(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    server.order("good", "ok")

    told = recover(server, workflows=of_order("bad", "good"), skip_blocked=True)

    assert not told.real["failed"]
    assert told.real["summary"]["blocked"] == 1


@on_all_versions
def test_a_selection_takes_the_oldest_failures_and_says_how_many_are_left(server: Server) -> None:
    server.release("release-1")
    for number in range(5):
        server.order(f"key-{number}", "fail")
    server.order("good", "ok")

    dry = server.task("recover_workflow", check=True, select={"limit": 3})
    real = server.task("recover_workflow", select={"limit": 3})

    assert outcomes(dry) == outcomes(real) == {f"key-{number}": ("recovered", None) for number in range(3)}
    assert dry["left_over"] == real["left_over"] == 2
    assert set(created_at_by_key(server)) == {"key-3", "key-4", "good"}


@on("1.7.12", "1.5.3")
def test_a_selection_looks_into_the_failure_and_at_the_time(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    select = {"limit": 10, "service_name": "OrderWorkflow"}

    for more, found in (
        ({"failure_matches": "refused the c.rd$"}, 1),
        ({"failure_matches": "^card"}, 0),
        ({"failed_after": "1h"}, 1),
        ({"failed_before": "1h"}, 0),
        ({"failed_before": "2020-01-01T00:00:00Z"}, 0),
    ):
        result = server.task("recover_workflow", check=True, select={**select, **more})
        assert len(result["results"]) == found, more


def test_paused_and_retrying_runs_are_chosen_and_killed_only_where_that_is_allowed(server: Server) -> None:
    server.release("release-1")
    server.order("again", "retry")
    server.payment("stopped")
    select = {"limit": 10, "kinds": ["paused", "backing_off"]}

    strict = server.task("recover_workflow", select=select)
    told = recover(server, select=select, kill_active="stuck")

    assert set(outcomes(strict).values()) == {("blocked", "active_invocation")}
    assert outcomes(told.real) == {"again": ("recovered", None), "stopped": ("recovered", None)}


@pytest.mark.parametrize(
    "select",
    [
        pytest.param({"limit": 0}, id="no limit"),
        pytest.param({"limit": 1, "failure_matches": "("}, id="no expression"),
        pytest.param({"limit": 1, "failed_before": "yesterday"}, id="no time"),
        pytest.param({"limit": 1, "failed_before": "2026-11-22T00:00:00"}, id="no zone"),
        pytest.param({"limit": 1, "service_name": "Nope"}, id="no service"),
    ],
)
def test_a_selection_that_cannot_be_right_is_refused(server: Server, select: dict[str, Any]) -> None:
    server.release("release-1")
    result = server.task("recover_workflow", select=select)
    assert reason(result)[0] == "RESTATE_INVALID_ARGUMENT"


def test_more_keys_than_one_query_names_are_recovered_and_verified(server: Server) -> None:
    server.release("release-1")
    keys = [f"many-{number}" for number in range(1100)]
    for key in keys:
        server.api.submit("OrderWorkflow", key, "run", {"mode": "fail"})
    wait_until(
        "all failed",
        lambda: (
            server.query("SELECT count(1) AS n FROM sys_invocation_status WHERE status = 'completed'")[0]["n"]
            == len(keys)
        ),
        60,
    )

    result = server.task("recover_workflow", select={"limit": 2000})

    assert result["summary"]["recovered"] == len(keys)
    assert created_at_by_key(server) == {}
