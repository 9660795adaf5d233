# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a condition, with a deadline and an error that says what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class SandboxError(RuntimeError):
    """The sandbox cannot do what was asked; the message says why, and what was seen last."""


def wait_until(
    what: str,
    probe: Callable[[], T | None],
    timeout: float = 30.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """Call `probe` until it gives something true, and return that.

    `timeout` is in seconds. Raises SandboxError with `what`, and with what `seen` returns, at the deadline.
    """
    deadline = time.monotonic() + timeout
    pause = 0.01
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            last = "" if seen is None else f"; last seen: {seen()}"
            raise SandboxError(f"{what}: not reached within {timeout:g} s{last}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
