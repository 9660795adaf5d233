# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as people write them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._task.values import (
    instant,
    invocation_ids,
    seconds,
    string_values,
)
from ansible_collections.dalp.restate.plugins.module_utils._timestamps import Age

# Durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("3d", 259200),
        ("1w", 604800),
        (" 2 h ", 7200),
    ],
)
def test_a_duration_is_in_seconds(text: str, expected: int) -> None:
    assert seconds("min_age", text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1h30m", "2y", "2H", "tomorrow"])
def test_anything_else_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(OperatorError, match="min_age") as raised:
        seconds("min_age", text)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T03:00:00Z", "2026-11-22T03:00:00.000Z"),
        ("2026-11-22T03:00:00.123456789Z", "2026-11-22T03:00:00.123Z"),
        ("2026-11-22T03:00:00+02:00", "2026-11-22T01:00:00.000Z"),
        ("2026-11-22T03:00:00-05:30", "2026-11-22T08:30:00.000Z"),
        ("2026-11-22 03:00:00+00:00", "2026-11-22T03:00:00.000Z"),
        (" 2026-11-22T03:00Z ", "2026-11-22T03:00:00.000Z"),
    ],
)
def test_a_time_is_told_in_utc(text: str, expected: str) -> None:
    assert instant("since", text) == expected


@pytest.mark.parametrize(
    ("text", "age"), [("90", 90), ("15m", 900), ("3d", 259200), (" 2 h ", 7200), ("0", 0)]
)
def test_age_stays_an_age(text: str, age: int) -> None:
    assert instant("since", text) == Age(age)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("yesterday", id="no time"),
        pytest.param("", id="an empty time"),
        pytest.param("2026-11-22T03:00:00", id="a time without a zone"),
        pytest.param("2026-11-22", id="a day"),
        pytest.param("2026-13-01T00:00:00Z", id="a thirteenth month"),
        pytest.param("0001-01-01T00:00:00+05:00", id="before the beginning of time"),
        pytest.param("9" * 30 + "w", id="an age beyond all time"),
        pytest.param("999999w", id="an age before the calendar"),
        pytest.param("-2h", id="a negative age"),
        pytest.param("2y", id="an unknown unit"),
    ],
)
def test_what_is_no_time_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(OperatorError, match="since must be a time") as raised:
        instant("since", text)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"


# Strings


ODD: list[Any] = [True, False, None, [], ["a"], {}, {"a": "b"}, ("a",), b"a"]


@pytest.mark.parametrize(
    ("value", "expected"), [("a", "a"), ("", ""), ("true", "true"), (5, "5"), (-1, "-1"), (1.5, "1.5")]
)
def test_a_text_stays_and_a_number_becomes_one(value: Any, expected: str) -> None:
    assert string_values("headers", {"X": value, "Y": "y"}) == {"X": expected, "Y": "y"}


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_what_could_be_meant_otherwise_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(OperatorError) as raised:
        string_values("headers", {"Y": "a-secret-value", "X-Key": value})
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "headers.X-Key" in raised.value.message
    assert "secret" not in raised.value.message


# Ids


ID = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz"
LARGEST = "inv_1" + "lYGhA16ahyf" + "7n42DGM5Tflk9n8mt7Fhc7"


def test_ids_of_invocations_are_kept_each_once() -> None:
    assert invocation_ids("invocation_ids", [ID, LARGEST, ID]) == [ID, LARGEST]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order-1",
        "inv_1abc",
        ID.upper(),
        ID[:-1],
        f"{ID}x",
        f" {ID}",
        f"{ID}\n",
        ID.replace("inv_1", "inv_2"),
        ID.replace("g", "-"),
        ID.replace("inv_", "dp_"),
        "inv_1" + "Z" * 11 + "0" * 22,
        "inv_1" + "0" * 11 + "Z" * 22,
    ],
)
def test_what_is_no_id_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(OperatorError, match="invocation_ids") as raised:
        invocation_ids("invocation_ids", [ID, text])
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert repr(text) in raised.value.message
    assert "partitions" not in raised.value.remedy
