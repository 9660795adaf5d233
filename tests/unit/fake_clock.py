# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that tests can see and that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.dalp.restate.plugins.module_utils._http.clock import Clock


class FakeClock(Clock):
    """Keeps the seconds that were slept, and moves on by them at once. O(on_sleep) is called with each of them.

    O(told) is what a person would have been told of meanwhile.
    """

    def __init__(self, on_sleep: Callable[[float], object] = lambda _seconds: None) -> None:
        self.sleeps: list[float] = []
        self.told: list[str] = []
        self._on_sleep = on_sleep
        super().__init__(self.told.append)

    def now(self) -> float:
        """Return the sum of what was slept."""
        return sum(self.sleeps)

    def sleep(self, seconds: float) -> None:
        """Keep the seconds instead of waiting for them."""
        self.progress()
        self.sleeps.append(seconds)
        self._on_sleep(seconds)
