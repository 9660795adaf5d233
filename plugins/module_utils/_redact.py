# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular expressions of operators, whose matching is bounded in time, and texts of others as people may see them."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
import typing as t
import unicodedata

HIDDEN = "(hidden)"
BUDGET_SECONDS = 2.0
"""How much processor time the patterns of a task may take together; simple ones take microseconds for a text."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""The invisible characters that scripts and emojis need."""
# What later steps and people tell things by: ids, and the scheme and authority of a URL.
_KEPT = re.compile(r"\b(?:inv|dp)_[0-9A-Za-z]{8,}\b|\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#'\"<>]*")


class MatchingTimeoutError(Exception):
    """The time in which patterns may match is over."""


class Patterns:
    """Regular expressions that share a time in which they match; it is that of the processor, and not of the clock.

    A regular expression such as C((a+\\)+$) can take longer than the age of the universe for a short text.
    """

    def __init__(self, patterns: t.Iterable[re.Pattern[str]] = (), budget: float = BUDGET_SECONDS) -> None:
        self._patterns = tuple(patterns)
        self._left = budget
        self.ran_out = False
        """Whether the time was over before all was matched."""

    def __bool__(self) -> bool:
        """Whether there are any patterns."""
        return bool(self._patterns)

    def replaced(self, text: str, by: str = HIDDEN) -> str:
        """Return a text of others with what matches replaced, and whole ids and addresses of servers.

        When the time is over, the whole text is replaced: nothing is shown that was not looked through.
        """
        if not self._patterns or not text:
            return text
        if not self.ran_out:
            try:
                with self._limited():
                    return self._replaced(text, by)
            except MatchingTimeoutError:
                self.ran_out = True
        return by

    def search(self, text: str) -> bool:
        """Return whether any pattern matches somewhere; raise MatchingTimeoutError when the time is over."""
        with self._limited():
            return any(pattern.search(text) for pattern in self._patterns)

    def _replaced(self, text: str, by: str) -> str:
        parts, end = [], 0
        for kept in _KEPT.finditer(text):
            parts += [self._piece(text[end : kept.start()], by), kept[0]]
            end = kept.end()
        return "".join([*parts, self._piece(text[end:], by)])

    def _piece(self, text: str, by: str) -> str:
        found = [found.span() for pattern in self._patterns for found in pattern.finditer(text) if found[0]]
        parts, end = [], 0
        for start, stop in sorted(found):
            if start >= end:
                parts += [text[end:start], by]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    @contextlib.contextmanager
    def _limited(self) -> t.Iterator[None]:
        """End what runs in it when the time is over. Python looks for signals while it matches, in its first thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def end(_number: int, _frame: t.Any) -> None:
            raise MatchingTimeoutError

        if self._left <= 0:
            raise MatchingTimeoutError
        before = signal.signal(signal.SIGVTALRM, end)
        began = time.thread_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, self._left)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            self._left -= time.thread_time() - began


NO_PATTERNS = Patterns()


def visible(text: str, *, kept: str = "") -> str:
    """Return a text whose control characters and other invisible ones are shown as escapes, as in C(\\u202e).

    O(kept) are those that the place where it is shown needs, such as the breaks of lines.
    """
    if text.isprintable():
        return text
    kept += _JOINERS
    return "".join(each if each in kept else _shown(each) for each in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    number = ord(character)
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return short or (f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")
