# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting goes by a clock, and a write whose answer was lost is repeated as one was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.retry import Retry
from ansible_collections.dalp.restate.plugins.module_utils._operations.waiting import (
    repeat_while_lost,
    wait_until,
)
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.fake_restate import lost

TWICE = Retry(retries=2, request_timeout=10.0, jitter=lambda: 1.0).delay_after
REFUSED = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no!")


# Looking


def looks(*answers: bool) -> Callable[[], bool]:
    remaining: Iterator[bool] = iter(answers)
    return lambda: next(remaining)


def test_what_is_so_at_once_is_not_waited_for() -> None:
    clock = FakeClock()
    assert wait_until(looks(True), clock=clock, seconds=10)
    assert clock.sleeps == []


def test_it_looks_until_it_is_so() -> None:
    clock = FakeClock()
    assert wait_until(looks(False, False, True), clock=clock, seconds=10, pause=2)
    assert clock.sleeps == [2, 2]


def test_it_looks_once_more_at_the_end_and_no_longer() -> None:
    clock = FakeClock()
    assert not wait_until(lambda: False, clock=clock, seconds=5, pause=2)
    assert clock.sleeps == [2, 2, 1]


def test_without_time_it_looks_once() -> None:
    clock = FakeClock()
    assert not wait_until(looks(False), clock=clock, seconds=0)
    assert clock.sleeps == []


def test_the_pause_grows_up_to_five_seconds() -> None:
    clock = FakeClock()
    wait_until(lambda: False, clock=clock, seconds=20, pause=1, growth=3)
    assert clock.sleeps == [1, 3, 5, 5, 5, 1]


# Repeating


class Writes:
    """Writes that end one after another as is said; text is an answer."""

    def __init__(self, *ends: OperatorError | str) -> None:
        self._ends = iter(ends)
        self.sent = 0

    def __call__(self) -> str:
        self.sent += 1
        end = next(self._ends)
        if isinstance(end, OperatorError):
            raise end
        return end


def test_a_write_whose_answer_was_lost_is_sent_again_after_a_while() -> None:
    clock, writes = FakeClock(), Writes(lost(), lost(), "done")
    assert repeat_while_lost(writes, clock=clock, delay_after=TWICE) == "done"
    assert clock.sleeps == [0.2, 0.4]


def test_a_write_that_was_refused_is_not_sent_again() -> None:
    writes = Writes(REFUSED, "done")
    with pytest.raises(OperatorError) as raised:
        repeat_while_lost(writes, clock=FakeClock(), delay_after=TWICE)
    assert writes.sent == 1
    assert not raised.value.outcome_unknown


def test_a_write_that_was_lost_once_stays_unknown_whatever_comes_after() -> None:
    writes = Writes(lost(), REFUSED, REFUSED)
    with pytest.raises(OperatorError) as raised:
        repeat_while_lost(writes, clock=FakeClock(), delay_after=TWICE)
    assert (raised.value.message, raised.value.outcome_unknown) == ("no!", True)
    assert not REFUSED.outcome_unknown


def test_a_write_that_is_seen_to_have_happened_is_not_sent_again() -> None:
    writes = Writes(lost(), "sent again")
    seen = repeat_while_lost(writes, clock=FakeClock(), delay_after=TWICE, look=lambda: "seen")
    assert (seen, writes.sent) == ("seen", 1)


def test_a_write_that_is_seen_not_to_have_happened_is_sent_again_and_a_refusal_then_is_one() -> None:
    writes = Writes(lost(), REFUSED)
    with pytest.raises(OperatorError) as raised:
        repeat_while_lost(writes, clock=FakeClock(), delay_after=TWICE, look=lambda: None)
    assert writes.sent == 2
    assert not raised.value.outcome_unknown
