# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a person is told how far long work is."""

from __future__ import annotations

import itertools
import time

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.clock import Clock, Patience
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock


class SteppedClock(Clock):
    """A clock that the test moves on."""

    seconds = 0.0

    def now(self) -> float:
        """Return what the test has set."""
        return self.seconds


def told_at(*moments: float) -> list[float]:
    """Return at which of these moments a line is told."""
    told: list[float] = []
    clock = SteppedClock(lambda _line: told.append(clock.seconds))
    for moment in moments:
        clock.seconds = moment
        clock.progress(lambda: "a line")
    return told


def test_what_takes_less_than_two_seconds_is_not_told_of() -> None:
    assert told_at(0, 1, 1.9) == []


def test_there_is_a_line_every_two_seconds_at_most() -> None:
    assert told_at(*[each / 10 for each in range(100)]) == [2, 4, 6, 8]


@pytest.mark.parametrize(("seconds", "lines"), [(60, 25), (600, 60), (7200, 90)])
def test_a_long_wait_leaves_few_lines_in_a_log(seconds: int, lines: int) -> None:
    told = told_at(*range(seconds))
    assert len(told) <= lines
    assert all(after - before >= 2 for before, after in itertools.pairwise(told))
    assert told[-1] >= seconds * 0.9 - 2


def test_what_waits_tells_of_the_work_that_it_is_part_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    clock = SteppedClock(told.append)
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "seconds", clock.seconds + seconds))
    clock.sleep(5)
    with clock.telling(lambda: "the whole"):
        with clock.telling(lambda: "a part"):
            clock.sleep(1)
            clock.sleep(1)
        clock.sleep(2)
        clock.progress()
    clock.sleep(9)
    clock.progress()
    assert told == ["a part", "the whole", "the whole"]


def test_nothing_is_told_where_nobody_listens() -> None:
    Clock().progress(lambda: pytest.fail("nobody listens"))


# How long a task waits for servers


def granted(patience: Patience, clock: FakeClock, *seconds: float) -> list[float | None]:
    """Wait for what is granted, one after another."""
    waits = []
    for each in seconds:
        wait = patience.grant(each)
        waits.append(wait)
        clock.sleep(wait or 0.0)
    return waits


def test_an_outage_is_waited_for_fifteen_seconds_and_the_last_wait_is_cut_short() -> None:
    clock = FakeClock()
    assert granted(clock.patience, clock, 6, 6, 6, 6) == [6, 6, 3, None]


def test_a_good_answer_ends_an_outage_and_the_task_has_a_limit_of_its_own() -> None:
    clock = FakeClock()
    for _ in range(5):
        granted(clock.patience, clock, 10, 10)
        clock.patience.end_outage()
    assert sum(clock.sleeps) == 60
    assert clock.patience.grant(1) is None


def test_those_that_wait_side_by_side_use_the_time_once() -> None:
    clock = FakeClock()
    assert [clock.patience.grant(10) for _ in range(8)] == [10] * 8
    clock.sleep(6)
    assert clock.patience.grant(10) == 9
    clock.sleep(9)
    assert clock.patience.grant(1) is None


def test_time_that_nobody_waits_is_not_used() -> None:
    clock = FakeClock()
    for _ in range(5):
        assert clock.patience.grant(1) == 1
        clock.sleep(100)
