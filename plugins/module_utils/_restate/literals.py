# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values in SQL."""

from __future__ import annotations

import typing as t


def literal(value: str) -> str:
    """Return a string as an SQL literal; backslashes have no meaning in it."""
    return "'" + value.replace("'", "''") + "'"


def in_list(values: t.Iterable[str]) -> str:
    """Return strings as the list of an SQL IN, which must not be empty."""
    return "(" + ", ".join(literal(value) for value in values) + ")"


def matches(text: str, pattern: str) -> str:
    """Return the condition that a regular expression matches anywhere in a column's text; NULL is an empty text.

    The server takes time in proportion to the text, whatever the expression is.
    """
    return f"regexp_like(COALESCE({text}, ''), {literal(pattern)})"
