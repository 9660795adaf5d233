# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one clock that everything waits by."""

from __future__ import annotations

import contextlib
import time
import typing as t

_QUIET_SECONDS = 2


class Clock:
    """Tells the time and waits; where something takes long, it tells a person of it. Tests pass in another."""

    _tell: t.Callable[[str], None] | None = None
    _line: t.Callable[[], str] | None = None

    def __init__(self, tell: t.Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._began = self._told_at = self.now()

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
