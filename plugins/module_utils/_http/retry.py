# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a request is repeated, and after how long."""

from __future__ import annotations

import enum
import random
import typing as t
from dataclasses import dataclass

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 3.2
_PATIENT_RETRIES = 8
"""With these delays they take 15 s: somewhat longer than a partition is without a leader after a node's death."""


class Event(enum.Enum):
    """What happened to a request that was tried once."""

    ANSWERED = "an answer that stays the same when it is asked for again"
    NOT_CONNECTED = "the connection was refused, or the name did not resolve"
    CONNECT_TIMED_OUT = "there was no connection within request_timeout"
    RATE_LIMITED = "an answer with the status 429"
    TRANSIENT = "an answer that is likely to be another one soon, as 503 is"
    LOST = "the connection broke after the request was sent, before the whole answer came"
    TIMED_OUT = "the connection was there, but no whole answer came within request_timeout"
    BROKEN = "an answer that is no HTTP, or a request that is none"


MAY_HAVE_BEEN_CARRIED_OUT = frozenset({Event.LOST, Event.TIMED_OUT, Event.BROKEN})
"""Nobody answered, and the server may have done what it was asked."""

NOT_THERE = frozenset({Event.NOT_CONNECTED, Event.CONNECT_TIMED_OUT})
"""Nothing was sent, and another node may be there."""

_NOT_CARRIED_OUT = frozenset({Event.NOT_CONNECTED, Event.RATE_LIMITED})
# What has used up the time of a request is not waited for again. Of a connection, TCP itself has tried several times
# by then.
_WORTH_REPEATING = frozenset({Event.TRANSIENT, Event.LOST})


@dataclass(frozen=True)
class Outcome:
    """What a try led to.

    O(repeatable) says whether it does no harm to carry the request out twice. O(retry_after) is for how long the
    server asks one to wait, in seconds. O(is_of_cluster) says whether another node may soon answer in its place.
    """

    event: Event
    repeatable: bool = True
    retry_after: float = 0.0
    is_of_cluster: bool = False


def _jitter() -> float:
    return random.uniform(0.75, 1.25)


@dataclass(frozen=True)
class Retry:
    """How often a request is repeated after the first attempt, where nothing was carried out.

    O(request_timeout), in seconds, is also the longest wait that a server may ask for. O(jitter) returns the factor
    that spreads the delays of several clients.
    """

    retries: int
    request_timeout: float
    jitter: t.Callable[[], float] = _jitter

    def back_off(self, attempt: int) -> float:
        """Return the delay after an attempt, in seconds: twice as long each time. The first attempt is number 1."""
        return float(min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS) * self.jitter())

    def delay_after(self, attempt: int) -> float | None:
        """Return the delay before the next attempt, in seconds, or None after the last one."""
        return self.back_off(attempt) if attempt <= self.retries else None

    def patient_delay_after(self, attempt: int) -> float | None:
        """Return the delay where another node may soon answer or tell what became of a write; None after some 15 s.

        Without retries there is no patience either.
        """
        return self.back_off(attempt) if self.retries and attempt <= _PATIENT_RETRIES else None

    def decide(self, outcome: Outcome, attempt: int) -> float | None:
        """Return the delay before the request is sent again, in seconds, or None where it is not.

        What certainly was not carried out is sent again, what may have been only where that does no harm; neither where
        the time for it is used up.
        """
        delay = None
        if outcome.event in _NOT_CARRIED_OUT:
            delay = self.delay_after(attempt)
        elif outcome.repeatable and outcome.event in _WORTH_REPEATING:
            delay = self.patient_delay_after(attempt) if outcome.is_of_cluster else self.delay_after(attempt)
        # Written so that a wait that is not a number is too long.
        is_too_long = not outcome.retry_after <= self.request_timeout
        if is_too_long or delay is None:
            return None
        return max(delay, outcome.retry_after)
