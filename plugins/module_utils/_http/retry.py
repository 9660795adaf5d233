# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a request is sent again, and after how long."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

FIRST_DELAY = 0.2
JITTER = (0.75, 1.25)


class Outcome(enum.Enum):
    """What became of one try."""

    ANSWERED = "an answer that is no reason to try again"
    NOT_CONNECTED = "the connection was refused, or the name not resolved: it was not carried out"
    NOT_CONNECTED_IN_TIME = "no connection within the time: it was not carried out"
    TOO_MANY = "429: it was not carried out"
    TRANSIENT = "an answer that will be another one soon: it may have been carried out"
    LOST = "the connection broke before the whole answer came: it may have been carried out"
    NO_ANSWER_IN_TIME = "no answer within the time: it may have been carried out"
    BROKEN = "something else went wrong: it may have been carried out"


MAY_HAVE_HAPPENED = frozenset({Outcome.LOST, Outcome.NO_ANSWER_IN_TIME, Outcome.BROKEN})
"""Without an answer that tells."""

_ALWAYS = frozenset({Outcome.NOT_CONNECTED, Outcome.TOO_MANY})
# What has used up the time of a request is not waited for a second time. TCP itself has tried to connect several times.
_WHERE_REPEATABLE = frozenset({Outcome.TRANSIENT, Outcome.LOST})


@dataclass(frozen=True)
class Retry:
    """How often a request is repeated. O(longest_wait), in seconds, is how long a server may ask one to wait."""

    retries: int
    longest_wait: float

    def delay_after(self, tries: int) -> float | None:
        """Return for how long to wait after so many tries, in seconds, or None to give up.

        It is longer each time (exponential back-off), with jitter.
        """
        if tries > self.retries:
            return None
        return float(FIRST_DELAY * 2 ** (tries - 1) * random.uniform(*JITTER))

    def decide(
        self, outcome: Outcome, tries: int, *, repeatable: bool, retry_after: float = 0.0
    ) -> float | None:
        """Return for how long to wait before the request is sent again, in seconds, or None to leave it at that.

        O(tries) are those made so far; O(retry_after) is for how long the server asks one to wait. What certainly was
        not carried out is sent again; what may have been only where that does no harm (O(repeatable)).
        """
        if outcome not in _ALWAYS and not (repeatable and outcome in _WHERE_REPEATABLE):
            return None
        delay = self.delay_after(tries)
        if delay is None or retry_after > self.longest_wait:
            return None
        return max(delay, retry_after)
