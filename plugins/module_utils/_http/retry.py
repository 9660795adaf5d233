# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a request is repeated, and after how long."""

from __future__ import annotations

import enum
import random
import typing as t
from dataclasses import dataclass

from .clock import Patience

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 3.0
_PATIENT_RETRIES = 8
"""With these delays they take 15 s."""
_RETRIES_AT_ONE_NODE = 4
"""With these delays they take 3 s: a leader's failover usually ends within them."""


class Event(enum.Enum):
    """What happened to a request that was tried once."""

    ANSWERED = "an answer that stays the same when it is asked for again"
    NOT_CONNECTED = "the connection was refused, or the name did not resolve"
    CONNECT_TIMED_OUT = "there was no connection within request_timeout"
    RATE_LIMITED = "an answer with the status 429"
    TRANSIENT = "an answer that is likely to be another one soon, as 503 is"
    LOST = "the connection broke after the request was sent, before the whole answer came"
    TIMED_OUT = "the connection was there, but no whole answer came within request_timeout"
    OTHERS_TIMED_OUT = "the same, where the server itself waits for a service that it asks"
    BROKEN = "an answer that is no HTTP, or a request that is none"


MAY_HAVE_BEEN_CARRIED_OUT = frozenset(
    {Event.TRANSIENT, Event.LOST, Event.TIMED_OUT, Event.OTHERS_TIMED_OUT, Event.BROKEN}
)
"""No answer says otherwise, and the server may have done what it was asked."""

NOT_THERE = frozenset({Event.NOT_CONNECTED, Event.CONNECT_TIMED_OUT})
"""Nothing was sent, and another node may be there."""

SILENT = frozenset({Event.CONNECT_TIMED_OUT, Event.TIMED_OUT})
"""The node has used up the time of the request, and is not given it again."""

_NOT_CARRIED_OUT = frozenset({Event.NOT_CONNECTED, Event.RATE_LIMITED})
# What has used up the time of a request is not waited for again. Of a connection, TCP itself has tried several times
# by then.
_WORTH_REPEATING = frozenset({Event.TRANSIENT, Event.LOST})

_MOST_TELLING_FIRST = (
    Event.TRANSIENT,
    Event.RATE_LIMITED,
    Event.LOST,
    Event.BROKEN,
    Event.OTHERS_TIMED_OUT,
    Event.TIMED_OUT,
    Event.CONNECT_TIMED_OUT,
    Event.NOT_CONNECTED,
)


@dataclass(frozen=True)
class Outcome:
    """What a try led to.

    `repeatable` says whether it does no harm to carry the request out twice, `writes` whether it writes. `retry_after`
    is for how long the server asks one to wait, in seconds.
    """

    event: Event
    repeatable: bool = True
    retry_after: float = 0.0
    writes: bool = False

    @property
    def rank(self) -> int:
        """Return how much it explains, compared with the outcomes at other nodes: the lowest is shown."""
        return _MOST_TELLING_FIRST.index(self.event)


def _jitter() -> float:
    return random.uniform(0.75, 1.25)


@dataclass(frozen=True)
class Retry:
    """How often a request is repeated after the first attempt, where nothing was carried out.

    O(request_timeout), in seconds, is also the longest wait that a server may ask for. O(jitter) returns the factor
    that spreads the delays of several clients. O(patience) bounds what all requests of a task wait together.
    """

    retries: int
    request_timeout: float
    jitter: t.Callable[[], float] = _jitter
    patience: Patience | None = None

    def back_off(self, attempt: int) -> float:
        """Return the delay after an attempt, in seconds: twice as long each time. The first attempt is number 1."""
        return float(min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS) * self.jitter())

    def delay_after(self, attempt: int) -> float | None:
        """Return the delay before the next attempt, in seconds, or None after the last one."""
        return self.back_off(attempt) if attempt <= self.retries else None

    def patient_delay_after(self, attempt: int, at_least: float = 0.0) -> float | None:
        """Return the delay where another node may soon answer or tell what became of a write; None after some 15 s.

        Without retries there is no patience either, nor once the task has used up its own.
        """
        if not self.retries or attempt > _PATIENT_RETRIES:
            return None
        delay = max(self.back_off(attempt), at_least)
        return self.patience.grant(delay) if self.patience else delay

    def decide(self, outcome: Outcome, attempt: int) -> float | None:
        """Return the delay before the request is sent again, in seconds, or None where it is not.

        What certainly was not carried out is sent again, what may have been only where that does no harm; neither where
        the time for it is used up.
        """
        # Written so that a wait that is not a number is too long.
        if not outcome.retry_after <= self.request_timeout:
            return None
        if outcome.repeatable and outcome.event in _WORTH_REPEATING:
            return self.patient_delay_after(attempt, outcome.retry_after)
        delay = self.delay_after(attempt) if outcome.event in _NOT_CARRIED_OUT else None
        return None if delay is None else max(delay, outcome.retry_after)

    def is_given_time(self, outcome: Outcome, attempt: int) -> bool:
        """Whether the node that was asked is asked again before another one is.

        It is while another answer of it may come soon: a leader's failover takes a few seconds, and all nodes answer
        alike meanwhile.
        """
        if outcome.event in _WORTH_REPEATING:
            return attempt <= _RETRIES_AT_ONE_NODE
        return outcome.event not in NOT_THERE


def is_for_others(outcome: Outcome) -> bool:
    """Whether another node may be asked the same: nothing was sent, or it does no harm and was not too slow a write."""
    if outcome.event is Event.TIMED_OUT:
        return not outcome.writes
    return outcome.event in NOT_THERE or (outcome.repeatable and outcome.event in _WORTH_REPEATING)
