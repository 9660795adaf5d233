# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """A line of the table: the values of all runs, in one unit (`ms`, `s`, `MiB`, `x`)."""

    name: str
    unit: str
    values: list[float]
    note: str = ""


@dataclass
class Table:
    """The rows of one part of the benchmark, and what was said about them."""

    title: str
    rows: list[Row] = field(default_factory=list)

    def add(self, name: str, unit: str, values: Sequence[float], note: str = "") -> None:
        """Add a row."""
        self.rows.append(Row(name, unit, list(values), note))

    def markdown(self) -> str:
        """Give the table as Markdown."""
        lines = [f"### {self.title}", "", "| what | median | min | max | |", "|---|---:|---:|---:|---|"]
        for row in self.rows:
            numbers = (statistics.median(row.values), min(row.values), max(row.values))
            shown = " | ".join(f"{_rounded(number)} {row.unit}" for number in numbers)
            lines.append(f"| {row.name} | {shown} | {row.note} |")
        return "\n".join(lines)


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
