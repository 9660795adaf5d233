# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told of a recovery that is under way."""

from __future__ import annotations

import typing as t
from collections import Counter


def how_many_done(outcomes: t.Iterable[str], total: int, *, submitted_again: int = 0) -> str:
    """Return how many of so many keys are done, and how many there are of each outcome so far."""
    numbers = Counter(outcomes)
    done = sum(numbers.values())
    numbers.update({"submitted again": submitted_again})
    shown = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(numbers.items()) if number)
    keys = "key" if total == 1 else "keys"
    return f"recovery: {done:,} of {total:,} {keys} done" + (f": {shown}" if shown else "")
