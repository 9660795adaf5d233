# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a recovery reads: no more than it needs, and never less."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeRestate, Question, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task, outcomes

_CONTENTS = ("state_of_keys", "promises_of_keys")


class Watched(FakeRestate):
    """Counts what it is asked, and how many keys at a time."""

    def __init__(self, *rows: Any, **options: Any) -> None:
        super().__init__(*rows, **options)
        self.asked: Counter[str] = Counter()
        self.scanned: list[int] = []

    def query(self, question: Question) -> list[Any]:
        """Count a question and answer it."""
        self.asked[question.name] += 1
        if question.options.get("by_scan"):
            self.scanned.append(len(question.args[1]))
        return super().query(question)


def failed(number: int, **more: Any) -> Watched:
    restate = Watched(*(run_of(f"k{each}", **more) for each in range(number)))
    restate.state = {f"k{each}": {"x": b"1"} for each in range(number)}
    return restate


@pytest.mark.parametrize(
    ("number", "shown", "resubmit", "is_read"),
    [(1, False, False, True), (101, False, False, False), (101, True, False, True), (101, False, True, True)],
    ids=["few", "many", "many that are shown", "many that are submitted again"],
)
def test_state_that_goes_with_its_run_is_read_unless_it_is_of_many(
    number: int, shown: bool, resubmit: bool, is_read: bool, tmp_path: Path
) -> None:
    restate = failed(number)
    restate.is_shown = shown
    task = Task(restate, tmp_path if resubmit else None, resubmit=resubmit)
    keys = [f"k{each}" for each in range(number)]
    assert set(outcomes(task.recover(*keys)).values()) == {"recovered"}
    assert [restate.asked[each] for each in _CONTENTS] == ([2, 2] if is_read else [0, 0])
    assert task.report is not None
    assert task.report.before["Flow/k0"]["state"] == (["x"] if is_read else [])
    assert ("diff" in task.report.to_result(wrote=True, with_diff=False)) == (number <= 100)


@pytest.mark.parametrize("status", ["inboxed", "scheduled"])
def test_state_that_no_run_takes_along_is_read(status: str) -> None:
    restate = failed(1, status=status)
    assert outcomes(Task(restate, kill="any").recover("k0")) == {"k0": "run_unknown"}


def test_state_without_a_run_is_read() -> None:
    restate = failed(1)
    restate.rows.clear()
    assert outcomes(Task(restate).recover("k0")) == {"k0": "run_unknown"}


# Afterwards


@pytest.mark.parametrize("when", ["after kill", "before status_of"])
def test_state_that_a_run_leaves_which_goes_otherwise_is_seen(when: str) -> None:
    # So it is where the retention is zero: the run goes with the kill.
    restate = failed(1, status="paused")
    restate.hook(when, restate.rows.clear)
    assert outcomes(Task(restate, kill="any").recover("k0")) == {"k0": "purge_failed"}


def test_state_that_a_run_leaves_which_goes_before_its_purge_is_seen() -> None:
    restate = failed(1)
    restate.hook("before purge", restate.rows.clear)
    assert outcomes(Task(restate).recover("k0")) == {"k0": "purge_failed"}


def test_what_was_killed_is_looked_at_whole_afterwards() -> None:
    # An attempt may still be under way.
    restate = failed(1, status="paused")
    restate.hook("after purge", lambda: restate.state.update(k0={"late": b"1"}))
    assert outcomes(Task(restate, kill="any").recover("k0")) == {"k0": "purge_failed"}


def test_a_run_that_is_still_there_after_its_purge_is_seen() -> None:
    restate = failed(1)
    kept = dict(restate.rows)
    restate.hook("after purge", lambda: restate.rows.update(kept))
    assert outcomes(Task(restate).recover("k0")) == {"k0": "purge_failed"}


@pytest.mark.parametrize("shown", [False, True])
def test_a_run_that_was_submitted_after_the_purge_is_shown_and_left(shown: bool) -> None:
    restate = failed(1)
    restate.hook("after purge", lambda: restate.submit("k0", b"new"))
    restate.is_shown = shown
    task = Task(restate)
    assert outcomes(task.recover("k0")) == {"k0": "recovered"}
    assert task.after["k0"]["invocations"] == {"inv_k0": "run invoked"}


# Many keys


def rows_of_others(restate: FakeRestate, number: int) -> Callable[[], None]:
    more = [run_of(f"other{each}") for each in range(number)]
    return lambda: restate.rows.update((row.id, row) for row in more)


@pytest.mark.parametrize(("others", "scanned"), [(908, [101]), (909, [])])
def test_many_keys_among_few_invocations_are_found_by_a_look_at_all(others: int, scanned: list[int]) -> None:
    restate = failed(101)
    rows_of_others(restate, others)()
    results = Task(restate).recover(*(f"k{each}" for each in range(101)))
    assert set(outcomes(results).values()) == {"recovered"}
    assert restate.scanned == scanned
    assert len(restate.rows) == others


def test_of_few_keys_it_is_not_asked_how_many_invocations_there_are() -> None:
    restate = failed(99)
    Task(restate).recover(*(f"k{each}" for each in range(99)))
    assert (restate.asked["some_invocations"], restate.scanned) == (0, [])


def test_very_long_keys_are_not_named_in_one_query() -> None:
    keys = [f"{each:03}" + "k" * 2500 for each in range(100)]
    restate = Watched(*(run_of(key) for key in keys))
    assert set(outcomes(Task(restate).recover(*keys)).values()) == {"recovered"}
    assert restate.scanned == []


def test_the_requests_for_a_key_do_not_grow_with_their_number() -> None:
    asked = {}
    for number in (1000, 2000):
        restate = failed(number)
        Task(restate).recover(*(f"k{each}" for each in range(number)))
        asked[number] = restate.asked.total() + len(restate.writes)
    assert asked[1000] <= 10
    assert asked[2000] <= 2 * asked[1000]
