# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fresh start of a workflow key takes, and what forbids it."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.key_plan import (
    KeyPlan,
    Rules,
    plan_key,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.key_state import KeyState
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation


def failed(id_: str = "run") -> Invocation:
    return invocation(id_, "completed", "run", "failure")


def succeeded(id_: str = "run") -> Invocation:
    return invocation(id_, "completed", "run", "success")


def run(status: str) -> Invocation:
    return invocation("run", status, "run")


def shared(status: str, id_: str = "shared", result: str | None = None) -> Invocation:
    return invocation(id_, status, "status", result or ("success" if status == "completed" else None))


def seen(
    *rows: Invocation, state: str = "", promises: str = "", retries: dict[str, int] | None = None
) -> KeyState:
    return KeyState(
        "Flow",
        "k",
        invocations=rows,
        run_handlers=frozenset({"run"}),
        retries=retries or {},
        state=tuple(state.split()),
        promises=tuple(promises.split()),
    )


def rules(kill: str = "never", retries: int = 3, clear: bool = False) -> Rules:
    return Rules(kill_active=kill, stuck_after_retries=retries, clear_orphaned_state=clear)


NEVER, STUCK, ANY, CLEAR = rules(), rules("stuck"), rules("any"), rules(clear=True)

# fmt: off
OUTCOMES = [
    pytest.param(seen(), NEVER, "blank", id="nothing of the key is blank"),
    pytest.param(seen(), ANY, "blank", id="nothing of the key is blank whatever may be killed"),
    pytest.param(seen(shared("completed")), NEVER, "blank", id="completed shared handlers alone are blank"),
    pytest.param(seen(failed()), NEVER, "recovered: purge run", id="a failed run is purged"),
    pytest.param(seen(failed(), state="a b", promises="p"), NEVER, "recovered: purge run", id="state and promises go with the run, no state call"),
    pytest.param(seen(failed(), state="a"), CLEAR, "recovered: purge run", id="the state call never follows a purge"),
    pytest.param(seen(shared("completed"), failed()), NEVER, "recovered: purge run, purge shared", id="the run is purged before shared handlers"),
    pytest.param(seen(failed(), shared("completed", result="failure")), NEVER, "recovered: purge run, purge shared", id="failed shared handlers are purged too"),
    pytest.param(seen(succeeded()), NEVER, "already_succeeded: run", id="a run that succeeded is left"),
    pytest.param(seen(succeeded()), ANY, "already_succeeded: run", id="a run that succeeded is left whatever may be killed"),
    pytest.param(seen(succeeded(), state="a"), rules("any", clear=True), "already_succeeded: run", id="a run that succeeded is left with its state"),
    pytest.param(seen(succeeded(), shared("suspended")), NEVER, "already_succeeded: run", id="a run that succeeded and a waiting shared handler"),
    pytest.param(seen(succeeded(), shared("suspended")), ANY, "already_succeeded: run", id="a waiting shared handler of a run that succeeded is not killed"),
    pytest.param(seen(invocation("run", "completed")), NEVER, "already_succeeded: run", id="a completed run without a result is not taken for failed"),
    pytest.param(seen(run("invoked")), NEVER, "active_invocation: run", id="a running run is left"),
    pytest.param(seen(run("suspended")), NEVER, "active_invocation: run", id="a suspended run is left"),
    pytest.param(seen(run("paused")), NEVER, "active_invocation: run", id="a paused run is left in strict mode"),
    pytest.param(seen(run("scheduled")), NEVER, "active_invocation: run", id="a scheduled run is left"),
    pytest.param(seen(failed(), shared("suspended")), NEVER, "active_invocation: shared", id="a failed run with a waiting shared handler is left"),
    pytest.param(seen(shared("invoked")), NEVER, "active_invocation: shared", id="an active shared handler without a run is left"),
    pytest.param(seen(shared("invoked"), state="a"), CLEAR, "active_invocation: shared", id="state is not cleared under an active shared handler"),
    pytest.param(seen(run("paused")), STUCK, "recovered: kill run, purge run", id="a paused run is stuck"),
    pytest.param(seen(run("invoked"), retries={"run": 3}), STUCK, "recovered: kill run, purge run", id="a run tried often enough is stuck"),
    pytest.param(seen(run("invoked"), retries={"run": 2}), STUCK, "active_invocation: run", id="a run tried less often is not stuck"),
    pytest.param(seen(run("invoked"), retries={"run": 4}), rules("stuck", retries=5), "active_invocation: run", id="how often is the operator's choice"),
    pytest.param(seen(run("invoked")), STUCK, "active_invocation: run", id="a run whose attempts are unknown is not stuck"),
    pytest.param(seen(run("suspended"), retries={"run": 9}), STUCK, "active_invocation: run", id="a suspended run waits, however often it was tried"),
    pytest.param(seen(run("paused"), shared("invoked")), STUCK, "active_invocation: run shared", id="all that is unfinished must be stuck"),
    pytest.param(seen(run("paused"), shared("paused")), STUCK, "recovered: kill run, kill shared, purge run, purge shared", id="all stuck: all killed, then purged, the run first"),
    pytest.param(seen(shared("paused"), failed()), STUCK, "recovered: kill shared, purge run, purge shared", id="a failed run and a stuck shared handler"),
    pytest.param(seen(run("suspended")), ANY, "recovered: kill run, purge run", id="any: a waiting run is killed"),
    pytest.param(seen(run("invoked"), shared("completed")), ANY, "recovered: kill run, purge run, purge shared", id="any: completed shared handlers are purged with it"),
    pytest.param(seen(failed(), shared("inboxed")), ANY, "recovered: kill shared, purge run", id="a killed inboxed handler leaves nothing to purge"),
    pytest.param(seen(run("scheduled")), ANY, "recovered: kill run", id="a killed scheduled run leaves nothing to purge"),
    pytest.param(seen(run("inboxed")), ANY, "recovered: kill run", id="a killed inboxed run leaves nothing to purge"),
    pytest.param(seen(run("scheduled"), promises="p"), ANY, "promise_without_run: run", id="no purge of a run that never began would clear the promise"),
    pytest.param(seen(run("scheduled"), state="a"), ANY, "run_unknown: run", id="no purge of a run that never began would clear the state"),
    pytest.param(seen(run("scheduled"), state="a"), rules("any", clear=True), "recovered: kill run, clear_state", id="the state under a run that never began is cleared where that is allowed"),
    pytest.param(seen(state="a"), NEVER, "run_unknown:", id="state without a run"),
    pytest.param(seen(state="a"), ANY, "run_unknown:", id="state without a run is not cleared for kill_active"),
    pytest.param(seen(shared("completed"), state="a"), NEVER, "run_unknown: shared", id="state without a run names what is left of the key"),
    pytest.param(seen(state="a"), CLEAR, "recovered: clear_state", id="state without a run is cleared where that is allowed"),
    pytest.param(seen(shared("completed"), state="a"), CLEAR, "recovered: purge shared, clear_state", id="shared handlers are purged before orphaned state is cleared"),
    pytest.param(seen(promises="p"), CLEAR, "promise_without_run:", id="nothing clears a promise without a run"),
    pytest.param(seen(promises="p", state="a"), CLEAR, "promise_without_run:", id="a promise without a run keeps its state, too"),
    pytest.param(seen(shared("suspended"), promises="p"), ANY, "promise_without_run: shared", id="a shared handler that waits for a promise is not killed in vain"),
    pytest.param(seen(shared("suspended"), state="a"), ANY, "run_unknown: shared", id="unfinished, with state and without a run, is not killed in vain"),
    pytest.param(seen(shared("suspended")), ANY, "recovered: kill shared, purge shared", id="an unfinished shared handler alone is killed"),
]
# fmt: on


@pytest.mark.parametrize(("state_of_key", "asked", "expected"), OUTCOMES)
def test_plan(state_of_key: KeyState, asked: Rules, expected: str) -> None:
    plan = plan_key(state_of_key, asked)
    if plan.outcome == "blocked":
        shown = f"{plan.reason}: {' '.join(plan.invocation_ids)}".rstrip()
        assert not plan.has_steps
        assert plan.message
    else:
        steps = ", ".join(steps_of(plan))
        shown = f"{plan.outcome}: {steps}" if steps else plan.outcome
        assert plan.reason is None
        assert not plan.invocation_ids
    assert shown == expected


def steps_of(plan: KeyPlan) -> list[str]:
    calls = [f"kill {row.id}" for row in plan.kill] + [f"purge {row.id}" for row in plan.purge]
    return calls + ["clear_state"] * plan.clear_state


def test_the_run_is_told_by_the_registered_handler_and_not_by_its_name() -> None:
    state_of_key = KeyState(
        "Flow",
        "k",
        invocations=(
            invocation("a", "completed", "run", "failure"),
            invocation("b", "completed", "main", "success"),
        ),
        run_handlers=frozenset({"main"}),
    )
    assert plan_key(state_of_key, NEVER).reason == "already_succeeded"


def test_what_is_not_stuck_is_explained_with_the_number_that_was_asked() -> None:
    plan = plan_key(seen(run("invoked")), rules("stuck", retries=7))
    assert "run is invoked" in plan.message
    assert "7 times" in plan.message


def test_a_diff_shows_each_invocation_with_its_status_and_result_in_a_stable_order() -> None:
    described = seen(shared("completed", "b"), run("paused"), state="z a", promises="p").to_result()
    assert described == {
        "invocations": {"b": "status completed (success)", "run": "run paused"},
        "state": ["a", "z"],
        "promises": ["p"],
    }
    assert seen().to_result() == {}
