# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one clock that everything waits by."""

from __future__ import annotations

import time


class Clock:
    """Tells the time and waits. Tests pass in another."""

    def now(self) -> float:
        """Return the seconds since some fixed moment; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)
