# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timestamps, as they are read and written."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00.5Z", 500000),
        ("2026-01-01T00:00:00.123456789Z", 123456),
        ("2026-01-01T02:00:00.123+02:00", 123000),
    ],
)
def test_an_instant_is_read_with_as_many_digits_as_it_has(text: str, microsecond: int) -> None:
    expected = datetime.datetime(2026, 1, 1, microsecond=microsecond, tzinfo=datetime.UTC)
    assert _timestamps.parse(text) == expected


def test_written_timestamps_sort_by_time() -> None:
    first = datetime.datetime(2026, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    moments = [first, first + datetime.timedelta(milliseconds=500), first + datetime.timedelta(seconds=1)]
    texts = [_timestamps.write(moment) for moment in moments]
    assert texts == sorted(texts)
    assert texts[0] == "2025-12-31T23:00:00.000Z"


EARLIEST, LATEST = _timestamps.parse("2026-01-01T12:00:00Z"), _timestamps.parse("2026-01-01T12:00:02Z")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("2026-01-01T12:00:01Z", None),
        ("2026-01-01T11:59:55Z", None),
        ("2026-01-01T12:00:07Z", None),
        ("2026-01-01T11:59:54Z", "6 s ahead of"),
        ("2026-01-01T12:00:10Z", "8 s behind"),
        ("2026-01-01T12:02:02Z", "2 min behind"),
        ("2026-01-01T09:00:00Z", "3 h ahead of"),
        ("2025-12-20T12:00:00Z", "12 days ahead of"),
    ],
)
def test_clocks_that_differ_by_more_than_a_few_seconds_are_told(other: str, expected: str | None) -> None:
    sentence = _timestamps.difference(_timestamps.parse(other), EARLIEST, LATEST)
    assert sentence == (expected and f"The clock of this host is {expected} the clock of Restate.")
