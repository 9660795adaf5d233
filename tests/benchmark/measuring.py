# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measuring several ways of doing the same side by side, and what follows from the figures."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def in_turns(runs: int, ways: Mapping[str, Callable[[], Any]]) -> dict[str, list[Any]]:
    """Call all ways, `runs` times one after another, and give what each returned, by name.

    Side by side, so that what else the machine does meets all of them.
    """
    found: dict[str, list[Any]] = {name: [] for name in ways}
    for number in range(1, runs + 1):
        for name, way in ways.items():
            say(f"  run {number}: {name}")
            found[name].append(way())
    return found


def less_median(values: list[float], base: list[float]) -> list[float]:
    """Give the values less the median of `base`, which varies less than single runs of it do."""
    median = statistics.median(base)
    return [value - median for value in values]


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Give each value divided by the other that was measured beside it."""
    return [value / other for value, other in zip(values, others, strict=True)]


def say(text: str) -> None:
    """Tell on standard error how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)
