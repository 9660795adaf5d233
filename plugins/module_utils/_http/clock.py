# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one clock that everything waits by, and how long a task waits for servers to recover."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

_QUIET_SECONDS = 2
SECONDS_PER_OUTAGE = 15.0
"""Somewhat longer than a partition is without a leader after a node's death."""
SECONDS_PER_TASK = 60.0


class Patience:
    """Keep the time that a task may still spend on waiting for answers to change. All its threads share one.

    Threads that wait at the same time use that time once.
    """

    def __init__(self, now: t.Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._waits_until = 0.0
        self._spent_on_outage = 0.0
        self._spent_on_task = 0.0

    def grant(self, seconds: float) -> float | None:
        """Return how long to wait: `seconds`, or less if less is left; None if nothing is left."""
        with self._lock:
            now = self._now()
            shared = max(0.0, min(seconds, self._waits_until - now))
            left = min(SECONDS_PER_OUTAGE - self._spent_on_outage, SECONDS_PER_TASK - self._spent_on_task)
            own = min(seconds - shared, left)
            if shared + own <= 0:
                return None
            self._spent_on_outage += own
            self._spent_on_task += own
            self._waits_until = max(self._waits_until, now + shared + own)
            return shared + own

    def end_outage(self) -> None:
        """Start the time for an outage anew, since a server has answered."""
        with self._lock:
            self._spent_on_outage = 0.0


class Clock:
    """Tells the time and waits; where something takes long, it tells a person of it. Tests pass in another."""

    _tell: t.Callable[[str], None] | None = None
    _line: t.Callable[[], str] | None = None

    def __init__(self, tell: t.Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._began = self._told_at = self.now()
        self.patience = Patience(self.now)
        """How long everything that waits by this clock may wait for servers."""

    def now(self) -> float:
        """Return the seconds since some fixed moment; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds; tell of the work that waits, where it has taken long."""
        self.progress()
        time.sleep(seconds)

    @contextlib.contextmanager
    def telling(self, line: t.Callable[[], str]) -> t.Iterator[None]:
        """Tell this of the work in the block, also where something in it waits."""
        before, self._line = self._line, line
        try:
            yield
        finally:
            self._line = before

    def progress(self, line: t.Callable[[], str] | None = None) -> None:
        """Tell how far the work is, where it has taken two seconds; the longer it takes, the less often after that.

        Without O(line), what is told is that of the work that is under way; see L(telling).
        """
        line = line or self._line
        if self._tell is None or line is None:
            return
        now = self.now()
        if now - self._told_at >= max(_QUIET_SECONDS, (now - self._began) / 10):
            self._told_at = now
            self._tell(line())
