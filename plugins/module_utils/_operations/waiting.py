# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting: one way to look until something is so, and one way to repeat a write whose answer was lost."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import OperatorError
from .._http.clock import Clock

POLL_SECONDS = 0.1
LONGEST_PAUSE = 5.0

_T = t.TypeVar("_T")


def wait_until(
    is_so: t.Callable[[], bool],
    *,
    clock: Clock,
    seconds: float,
    pause: float = POLL_SECONDS,
    growth: float = 1.0,
    progress: t.Callable[[], str] | None = None,
) -> bool:
    """Look until it is so, and return True; return False where it is not so within so many seconds.

    It looks once at least, and once more at the end. The pause between two looks, in seconds, grows by the factor
    O(growth), to five seconds at most. Where it is long, a person is told what it waits for: what O(progress) returns.
    """
    deadline = clock.now() + seconds
    while not is_so():
        seconds_left = deadline - clock.now()
        if seconds_left <= 0:
            return False
        _tell(clock, progress, seconds_left)
        clock.sleep(min(pause, seconds_left))
        pause = min(pause * growth, LONGEST_PAUSE)
    return True


def _tell(clock: Clock, progress: t.Callable[[], str] | None, seconds_left: float) -> None:
    if progress:
        clock.progress(lambda: f"{progress()}; {seconds_left:.0f} s left")


def repeat_while_lost(
    write: t.Callable[[], _T],
    *,
    clock: Clock,
    delay_after: t.Callable[[int], float | None],
    look: t.Callable[[], _T | None] | None = None,
) -> _T:
    """Return what a write returns; where its answer was lost, look whether it happened, and else send it again.

    O(look) returns what stands for the answer, or None where the write did not happen. O(delay_after) returns for how
    long to wait after so many tries, in seconds, or None to give up. Without O(look), what no answer came of in time is
    not sent again: a request that is held somewhere may be delivered later. Raises what the write raises; without
    O(look) the outcome is unknown where that is so of any try.
    """
    tries = 0
    may_have_happened = False
    while True:
        try:
            return write()
        except OperatorError as exc:
            tries += 1
            may_have_happened = may_have_happened or exc.outcome_unknown
            repeats = may_have_happened and (look is not None or exc.reason != "timeout")
            delay = delay_after(tries) if repeats else None
            if delay is None and may_have_happened:
                raise dataclasses.replace(exc, outcome_unknown=True) from exc
            if delay is None:
                raise
        clock.sleep(delay)
        if look:
            seen = look()
            if seen is not None:
                return seen
            may_have_happened = False
