# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a result says is there now is what was read, or certainly so; of all else it says that it is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeRestate, lost, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task, outcomes

GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")
UNKNOWN = {"unknown": "the task was cut off before it could read this again"}


def changed(task: Task) -> bool:
    assert task.report is not None
    return task.report.changed


# What others do meanwhile


@pytest.mark.parametrize("status", ["completed", "paused"])
def test_a_run_that_somebody_else_purged_is_not_shown_any_more(status: str) -> None:
    restate = FakeRestate(run_of("a", status))
    restate.hook("before status_of", restate.rows.clear)
    task = Task(restate, kill="any")
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert (task.after, changed(task)) == ({"a": {}}, False)
    assert restate.writes == []


def test_a_run_that_somebody_else_purged_and_submitted_is_shown() -> None:
    restate = FakeRestate(run_of("a"))

    def somebody_else() -> None:
        restate.rows.clear()
        restate.submit("a", b"theirs")

    restate.hook("before status_of", somebody_else)
    task = Task(restate)
    task.recover("a")
    assert task.after["a"]["invocations"] == {"inv_a": "run invoked"}
    assert restate.writes == []


def test_a_state_that_somebody_else_cleared_is_not_shown_any_more() -> None:
    restate = FakeRestate()
    restate.state["a"] = {"x": b"1"}
    restate.hook("before state_values", restate.state.clear)
    task = Task(restate, clear=True)
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert (task.after, changed(task)) == ({"a": {}}, False)
    assert restate.writes == []


# Answers that are lost


def always_lost() -> None:
    raise lost()


def test_a_clearing_whose_answer_was_lost_may_have_changed_something() -> None:
    restate = FakeRestate(run_of("b"))
    restate.state["a"] = {"x": b"1"}
    restate.hooks["before clear_state"] = always_lost
    task = Task(restate, clear=True)
    results = task.recover("a", "b")
    # What was acknowledged is done, also where it could not be read again.
    assert outcomes(results) == {"a": "interrupted", "b": "recovered"}
    assert (results["a"].cleared, results["b"].purged) == ([], ["inv_b"])
    assert (task.after, changed(task)) == ({"a": UNKNOWN, "b": UNKNOWN}, True)


def test_a_clearing_alone_whose_answer_was_lost_may_have_changed_something() -> None:
    restate = FakeRestate()
    restate.state["a"] = {"x": b"1"}
    restate.hooks["before clear_state"] = always_lost
    task = Task(restate, clear=True)
    task.recover("a")
    assert changed(task)


def test_a_submission_alone_whose_answer_was_lost_may_have_changed_something(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), retries=0)
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before submit", GONE)
    task.recover("a")
    assert task.after == {"a": {}}
    restate.hook("before submit", lost())
    task.recover("a")
    assert (task.after, changed(task)) == ({"a": UNKNOWN}, True)


def test_after_a_submission_whose_answer_was_lost_what_was_not_sent_is_blank(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"), retries=0)
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before submit", lost())
    results = task.recover("a", "b")
    assert outcomes(results) == dict.fromkeys("ab", "resubmission_failed")
    assert task.after == {"a": UNKNOWN, "b": {}}
    assert task.files() == [".open.json", ".submitting.json"]
    assert [Path(results[key].snapshot).exists() for key in "ab"] == [True, True]


def test_what_was_submitted_and_not_seen_yet_is_unknown(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after submit", lambda: restate.hook("before status_of", GONE))
    results = task.recover("a")
    assert (results["a"].reason, results["a"].resubmitted) == ("interrupted", "inv_a")
    assert task.after == {"a": UNKNOWN}


# Snapshots


def test_the_snapshot_that_is_named_is_there_when_a_run_failed_again(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after submit", lambda: restate.hook("before status_of", GONE))
    task.recover("a")
    restate.change("inv_a", status="completed", completion_result="failure")
    result = task.recover("a")["a"]
    assert result.outcome == "recovered"
    assert Path(result.snapshot).exists()
