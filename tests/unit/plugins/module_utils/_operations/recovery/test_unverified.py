# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key that was touched and cannot be read again has failed: it is never called blocked, and no task succeeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeRestate, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation

UNREADABLE = OperatorError("RESTATE_QUERY_FAILED", "No such scanner", http={"status": 500})


def fail_from(restate: FakeRestate, when: str, question: str) -> None:
    """Let a question fail from some moment on."""

    def fail() -> None:
        raise UNREADABLE

    restate.hook(when, lambda: restate.hooks.update({f"before {question}": fail}))


def with_status(restate: FakeRestate) -> None:
    """Add a completed shared invocation, which is purged after the run."""
    shared = invocation("inv_s", "completed", "status", "success", target_service_key="a")
    restate.rows["inv_s"] = shared


@pytest.mark.parametrize("resubmit", [True, False])
def test_a_run_is_purged_and_the_rest_cannot_be_read(resubmit: bool, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    with_status(restate)
    fail_from(restate, "after purge", "status_of")
    task = Task(restate, tmp_path, resubmit=resubmit, skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason, result.purged) == ("failed", "unknown", ["inv_a"])
    assert task.report is not None
    assert task.report.error is not None
    assert task.files() == ([".open.json"] if resubmit else [".json"])
    assert task.ingress.submitted == []
    restate.hooks.clear()
    assert task.recover("a")["a"].outcome == ("recovered" if resubmit else "blank")
    assert task.report.error is None


def test_a_run_is_killed_and_cannot_be_read(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a", "paused"))
    fail_from(restate, "after kill", "status_of")
    task = Task(restate, tmp_path, kill="any", skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason, result.killed) == ("failed", "unknown", ["inv_a"])


def test_a_key_that_was_not_touched_is_blocked(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    restate.hook("before status_of", UNREADABLE)
    task = Task(restate, tmp_path, resubmit=True, skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("blocked", "query_failed")
    assert task.report is not None
    assert task.report.error is None


def test_a_state_that_was_cleared_and_cannot_be_read_again_is_unknown() -> None:
    restate = FakeRestate()
    restate.state["a"] = {"step": b"1"}
    restate.hook("before clear_state", lambda: fail_from_now(restate))
    task = Task(restate, clear=True, skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("failed", "unknown")
    assert "not verified" in result.message


def fail_from_now(restate: FakeRestate) -> None:
    def fail() -> None:
        raise UNREADABLE

    restate.hooks["before invocations_of_keys"] = fail


def refuse(restate: FakeRestate) -> None:
    restate.answers["inv_s"] = "unfinished"


def keep_state(restate: FakeRestate) -> None:
    restate.hook("after purge", lambda: restate.state.update(a={"step": b"1"}))


@pytest.mark.parametrize("trouble", [refuse, keep_state])
def test_a_key_that_is_purged_in_part_has_failed(
    trouble: Callable[[FakeRestate], None], tmp_path: Path
) -> None:
    restate = FakeRestate(run_of("a"))
    with_status(restate)
    trouble(restate)
    task = Task(restate, tmp_path, resubmit=True, skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("failed", "purge_failed")
    assert "inv_a" in result.purged
    assert task.files() == [".open.json"]
    assert task.report is not None
    assert task.report.error is not None


def test_a_new_run_that_cannot_be_read_is_unknown_and_the_next_task_sees_it(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    fail_from(restate, "after submit", "status_of")
    task = Task(restate, tmp_path, resubmit=True, skip_blocked=True)
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason, result.resubmitted) == ("failed", "unknown", "inv_a")
    assert task.files() == [".submitting.json"]
    restate.hooks.clear()
    assert task.recover("a")["a"].outcome == "recovered"
    assert len(task.ingress.submitted) == 1
    assert task.files() == [".json"]
