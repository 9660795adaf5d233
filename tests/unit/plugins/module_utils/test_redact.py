# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns match for a bounded time, and what others wrote acts on no terminal."""

from __future__ import annotations

import re
import signal
import time

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._redact import (
    HIDDEN,
    MatchingTimeoutError,
    Patterns,
    visible,
)

SLOW = "a" * 60 + "!"


def patterns(*texts: str, budget: float = 0.2) -> Patterns:
    return Patterns([re.compile(text) for text in texts], budget)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*a){30}$", r"(?:a?){60}a{60}b"])
def test_a_pattern_that_takes_years_ends_and_hides_the_whole_text(pattern: str) -> None:
    slow = patterns(pattern)
    began = time.monotonic()
    assert slow.replaced(f"secret {SLOW}") == HIDDEN
    assert time.monotonic() - began < 5
    assert slow.ran_out
    # What is not looked through any more is hidden, too.
    assert slow.replaced("harmless") == HIDDEN


def test_a_search_that_takes_years_is_told() -> None:
    with pytest.raises(MatchingTimeoutError):
        patterns(r"(a+)+$").search(SLOW)


def test_the_time_is_one_for_all_texts_and_leaves_no_timer() -> None:
    slow = patterns(r"(a+)+$", budget=0.5)
    handler = signal.getsignal(signal.SIGVTALRM)
    began = time.monotonic()
    assert {slow.replaced(SLOW) for _ in range(100)} == {HIDDEN}
    assert time.monotonic() - began < 5
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) == handler


def test_simple_patterns_match_in_many_texts() -> None:
    simple = patterns(r"\d{4}-\d{4}", "[a-z]+@[a-z]+", budget=2)
    assert {simple.replaced(f"card 4711-0815 of ops@example {number}") for number in range(5000)} == {
        f"card {HIDDEN} of {HIDDEN} {number}" for number in range(5000)
    }
    assert not simple.ran_out


IDS = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz dp_10zqLrFj7IiekMcbyui9lvj"


@pytest.mark.parametrize(("texts", "text", "shown"), [
    ((), "a", "a"),
    (("b*",), "abc", f"a{HIDDEN}c"),
    (("ab", "bc"), "abc", HIDDEN),
    (("secret", "hidden"), "a secret", f"a {HIDDEN}"),
    (("[A-Za-z0-9]{20,}",), IDS, IDS),
    (("[A-Za-z0-9]{20,}",), "tokenABCDEFGHIJ0123456789", HIDDEN),
    (("http", "orders", "9080"), "at http://orders:9080/orders?x=9080", f"at http://orders:9080/{HIDDEN}?x={HIDDEN}"),
    ((r"(?s).+",), "one\ntwo", HIDDEN),
])  # fmt: skip
def test_what_matches_is_hidden_and_ids_and_addresses_stay(
    texts: tuple[str, ...], text: str, shown: str
) -> None:
    assert patterns(*texts).replaced(text) == shown


@pytest.mark.parametrize(("text", "shown"), [
    ("plain é 日本 😀", "plain é 日本 😀"),
    ("a\nb\tc\r\x1b[2J\x00\x9b", "a\\nb\\tc\\r\\u001b[2J\\u0000\\u009b"),
    ("\u202e\u2028\ufeff\ud800", "\\u202e\\u2028\\ufeff\\ud800"),
    ("\U000e0041", "\\U000e0041"),
    ("क्\u200dष", "क्\u200dष"),
])  # fmt: skip
def test_what_is_invisible_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_breaks_of_lines_stay_where_a_place_has_them() -> None:
    assert visible("a\n\x1b", kept="\n\t") == "a\n\\u001b"
