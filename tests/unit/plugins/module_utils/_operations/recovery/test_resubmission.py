# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that was destroyed is submitted again with its own input."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    BORN_AGAIN,
    FakeIngress,
    FakeRestate,
    entry,
    lost,
    run_of,
)
from ansible_collections.dalp.restate.tests.unit.recovery_task import KEYS, Task, outcomes

# Resubmission


def test_the_input_is_submitted_again_byte_for_byte(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    restate.inputs["inv_a"] = entry(b"\x00no json\xff", ("x-tenant", "t1"), ("host", "old"))
    task = Task(restate, tmp_path, resubmit=True)
    result = task.recover("a")["a"]
    assert task.ingress.submitted == [
        ("a", b"\x00no json\xff", {"content-type": "application/json", "x-tenant": "t1"})
    ]
    assert (result.resubmitted, result.resubmitted_at) == ("inv_a", BORN_AGAIN)
    assert task.files() == [".json"]
    kept = json.loads(Path(result.snapshot or "").read_text())
    assert kept["resubmitted"] == {"invocation_id": "inv_a", "created_at": BORN_AGAIN}


@pytest.mark.parametrize("status", ["completed", "paused"])
def test_what_is_predicted_is_what_comes(status: str, tmp_path: Path) -> None:
    restate = FakeRestate(*(run_of(key, status) for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True, kill="stuck")
    predicted = task.recover(*KEYS, check_mode=True)
    after = task.after
    assert restate.writes == []
    assert list(tmp_path.iterdir()) == []
    real = task.recover(*KEYS)
    # When it will be created nobody knows.
    for result in real.values():
        result.resubmitted_at = None
    assert predicted == real
    assert task.after == after


def test_an_ingress_of_another_restate_is_found_out(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    task.ingress = FakeIngress(FakeRestate())
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("failed", "resubmission_failed")
    assert "ingress_url" in result.message
    assert result.resubmitted is None
    assert task.files() == [".submitting.json"]
    assert result.snapshot == str(next(tmp_path.iterdir()))


def test_an_ingress_that_takes_it_for_another_key_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    monkeypatch.setattr(task.ingress, "submit", lambda *_target: restate.submit("other", b""))
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason, result.resubmitted) == ("failed", "resubmission_failed", None)
    assert task.files() == [".submitting.json"]


REFUSED = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no!", http={"status": 400})
GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")


@pytest.mark.parametrize(
    ("error", "expected", "files"),
    [
        pytest.param(REFUSED, ["resubmission_failed", "recovered"], [".json", ".open.json"], id="refused"),
        pytest.param(
            GONE, ["resubmission_failed"] * 2, [".open.json"] * 2, id="gone: the others do not wait"
        ),
    ],
)
def test_a_submission_that_fails_is_still_owed_and_made_up_for(
    error: OperatorError, expected: list[str], files: list[str], tmp_path: Path
) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before submit", error)
    first = task.recover("a", "b")
    assert list(outcomes(first).values()) == expected
    assert task.files() == files
    assert not any("unknown" in state for state in task.after.values())
    second = task.recover("a", "b")
    assert {result.resubmitted for result in second.values()} <= {"inv_a", "inv_b", None}
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == ["a", "b"]
    assert task.files() == [".json"] * 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submission_whose_answer_was_lost_is_sent_again_and_taken_once(when: str, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook(f"{when} submit", lost())
    result = task.recover("a")["a"]
    assert (result.outcome, result.resubmitted_at) == ("recovered", BORN_AGAIN)
    assert task.files() == [".json"]


def test_a_submission_that_may_have_been_taken_stays_marked_as_sent(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), retries=1)

    def gone() -> None:
        raise GONE

    def first_lost() -> None:
        restate.hooks["before submit"] = gone
        raise lost()

    task = Task(restate, tmp_path, resubmit=True)
    restate.hooks["before submit"] = first_lost
    assert task.recover("a")["a"].reason == "resubmission_failed"
    assert task.files() == [".submitting.json"]
    assert "unknown" in task.after["a"]


# A run that was left owes nothing: it may yet succeed


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_run_that_was_left_owes_no_resubmission(verb: str, tmp_path: Path) -> None:
    status = "paused" if verb == "kill" else "completed"
    restate = FakeRestate(run_of("a", status))
    restate.hook(f"before {verb}", REFUSED)
    task = Task(restate, tmp_path, resubmit=True, kill="stuck")
    assert task.recover("a")["a"].outcome == "blocked"
    assert task.files() == [".json"]
    # It succeeds, and in time Restate forgets it.
    restate.rows.clear()
    assert outcomes(task.recover("a")) == {"a": "blank"}
    assert task.ingress.submitted == []


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_run_that_may_have_been_destroyed_owes_a_resubmission(verb: str, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a", "paused" if verb == "kill" else "completed"))
    restate.answers["inv_a"] = "rpc for partition 1 failed: connection closed"
    task = Task(restate, tmp_path, resubmit=True, kill="stuck")
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("failed", "unknown")
    assert task.files() == [".open.json"]
    # It was carried out, as the next task sees.
    restate.answers.clear()
    restate.rows.clear()
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert [key for key, _payload, _headers in task.ingress.submitted] == ["a"]


def test_a_run_that_succeeded_meanwhile_owes_no_resubmission(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before status_of", lambda: restate.rows.update(inv_a=run_of("a", result="success")))
    assert outcomes(task.recover("a")) == {"a": "already_succeeded"}
    assert task.files() == [".json"]


# Two tasks with one folder


@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("when", ["before purge", "after purge", "before invocations_of_keys"])
def test_two_tasks_at_once_submit_a_key_once(when: str, forgets: bool, tmp_path: Path) -> None:
    retention = "0s" if forgets else "1d"
    restate = FakeRestate(run_of("a"))
    one = Task(restate, tmp_path, resubmit=True, retention=retention)
    other = Task(restate, tmp_path, resubmit=True, retention=retention)
    others: list[Any] = []

    def run_the_other() -> None:
        restate.forgets = forgets
        others.append(other.recover("a")["a"])

    # The first reading is that of the plan.
    times = iter([2 if when.endswith("keys") else 1])

    def come() -> None:
        left = next(times, 1)
        if left > 1:
            restate.hook(when, come)
        else:
            run_the_other()

    restate.hook(when, come)
    result = one.recover("a")["a"]
    submitted = [*one.ingress.submitted, *other.ingress.submitted]
    assert [key for key, _payload, _headers in submitted] == ["a"]
    assert [each.resubmitted for each in (result, *others)].count("inv_a") == 1
    assert task_after(restate, tmp_path, retention) in ("blank", "active_invocation")


def task_after(restate: FakeRestate, folder: Path, retention: str) -> str:
    """Run one more task, which submits nothing, and return what it says of the key."""
    task = Task(restate, folder, resubmit=True, retention=retention)
    said = outcomes(task.recover("a"))["a"]
    assert task.ingress.submitted == []
    return said


def test_a_task_waits_for_another_that_submits_from_its_folder(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        result = task.recover("a")["a"]
    finally:
        os.close(handle)
    assert (result.outcome, result.reason) == ("failed", "resubmission_failed")
    assert task.files() == [".open.json"]
    assert sum(restate.clock.sleeps) >= 60
    assert outcomes(task.recover("a")) == {"a": "recovered"}
