# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that was cut off at any step is finished by the next one, and nothing is submitted twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    BORN_AGAIN,
    BORN_ONCE_MORE,
    Crash,
    FakeRestate,
    run_of,
)
from ansible_collections.dalp.restate.tests.unit.recovery_task import KEYS, Task, outcomes

# Cut off at any step, and run again

STEPS = ["before inputs", "before purge", "after purge", "before submit", "after submit"]


@pytest.mark.parametrize("check_first", [False, True], ids=["", "dry-run in between"])
@pytest.mark.parametrize("step", STEPS)
def test_a_second_task_finishes_what_the_first_began_and_nothing_is_submitted_twice(
    step: str, check_first: bool, tmp_path: Path
) -> None:
    restate = FakeRestate(*(run_of(key) for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover(*KEYS)
    if check_first:
        files = task.files()
        predicted = outcomes(task.recover(*KEYS, check_mode=True))
        assert predicted == dict.fromkeys(KEYS, "recovered")
        assert task.files() == files
    assert outcomes(task.recover(*KEYS)) == dict.fromkeys(KEYS, "recovered")
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == KEYS
    assert {row.created_at for row in restate.rows.values()} == {BORN_AGAIN}
    assert task.files() == [".json"] * 3
    for key, payload, _headers in task.ingress.submitted:
        assert payload == key.encode()
    # A third task finds runs that are at work.
    third = task.recover(*KEYS)
    assert outcomes(third) == dict.fromkeys(KEYS, "active_invocation")
    assert task.report is not None
    assert not task.report.changed


@pytest.mark.parametrize("step", ["before kill", "after kill", "before purge", "after purge", "after submit"])
@pytest.mark.parametrize("kill", ["stuck", "any"])
def test_so_does_one_that_kills_and_it_never_kills_what_it_submitted(
    kill: str, step: str, tmp_path: Path
) -> None:
    restate = FakeRestate(*(run_of(key, "paused") for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True, kill=kill)
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover(*KEYS)
    assert outcomes(task.recover(*KEYS)) == dict.fromkeys(KEYS, "recovered")
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == KEYS
    assert {row.created_at for row in restate.rows.values()} == {BORN_AGAIN}
    assert task.files() == [".json"] * 3


@pytest.mark.parametrize("step", ["before submit", "after submit"])
def test_where_runs_leave_no_trace_a_second_task_does_not_guess(step: str, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    restate.forgets = True
    task = Task(restate, tmp_path, resubmit=True, retention="0s")
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover("a", "b")
    sent = len(task.ingress.submitted)
    results = task.recover("a", "b")
    # What was certainly not sent is sent.
    assert outcomes(results) == {"a": "resubmission_unknown", "b": "recovered"}
    assert [key for key, _payload, _headers in task.ingress.submitted[sent:]] == ["b"]
    assert str(next(tmp_path.glob("*.submitting.json"))) in results["a"].message


def test_after_the_retention_a_second_task_does_not_guess(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True, retention="1h")
    restate.hook("after submit", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.rows.clear()
    path = next(tmp_path.iterdir())
    path.write_text(json.dumps({**json.loads(path.read_text()), "taken_at": "2026-01-01T00:00:00.000+00:00"}))
    assert outcomes(task.recover("a")) == {"a": "resubmission_unknown"}
    assert len(task.ingress.submitted) == 1


def test_one_that_somebody_else_submitted_is_left_to_them(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after purge", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.submit("a", b"theirs")
    result = task.recover("a")["a"]
    assert (result.outcome, result.resubmitted_at) == ("recovered", BORN_AGAIN)
    assert task.ingress.submitted == []
    assert task.files() == [".json"]


def test_one_that_failed_again_is_recovered_again(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after submit", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.change("inv_a", status="completed", completion_result="failure")
    result = task.recover("a")["a"]
    assert (result.outcome, result.purged, result.resubmitted_at) == ("recovered", ["inv_a"], BORN_ONCE_MORE)
    assert task.files() == [".json"] * 2
    assert [payload for _key, payload, _headers in task.ingress.submitted] == [b"a", b"a"]


def test_an_input_that_is_forgotten_between_two_tasks_is_taken_from_the_snapshot(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before purge", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.inputs.clear()
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert [payload for _key, payload, _headers in task.ingress.submitted] == [b"a"]
