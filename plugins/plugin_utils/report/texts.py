# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of others as a page shows them: nothing in them acts, hides, or takes the page over."""

from __future__ import annotations

import html
import re
import typing as t

from ...module_utils import _redact

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\S*Z$")
_NOTE = 32
"""How many bytes it takes to say how much is left out."""


def visible(text: t.Any) -> str:
    """Return a text whose invisible characters are shown as escapes, as in C(\\u202e), in its own lines."""
    return _redact.visible(str(text), kept="\n\t")


def cut(text: str, size: int) -> str:
    """Return as much of a text as fits into O(size) bytes of a page, with how many characters are left out."""
    used, kept = 0, 0
    for number, character in enumerate(text):
        used += size_of(character)
        kept = number + 1 if used <= size - _NOTE else kept
        if used > size:
            return f"{text[:kept]}… ({len(text) - kept:,} more characters)"
    return text


def size_of(text: str) -> int:
    """Return how many bytes a text takes in a page."""
    return len(html.escape(visible(text)).encode())


def moment(time: t.Any) -> str:
    """Return a time of a record as people read it."""
    found = _TIME.match(str(time))
    return f"{found[1]} {found[2]} UTC" if found else str(time)


def span(first: t.Any, last: t.Any) -> str:
    """Return from when to when something was."""
    began, ended = moment(first), moment(last)
    if began == ended:
        return began
    return f"{began} to {ended.removeprefix(began[:11])}"


def some(names: t.Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural where it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
