# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dictionaries of texts, and instants: nothing is guessed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps as instants
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.observation import Workflow
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy.restate import RedeployRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.texts import texts
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import Deployment, DeploymentDetail
from ansible_collections.dalp.restate.plugins.module_utils._thirdparty import ValidationError
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, registry, service

ODD: list[Any] = [True, False, None, [], ["a"], {}, {"a": "b"}, ("a",), b"a"]


@pytest.mark.parametrize(
    ("value", "expected"), [("a", "a"), ("", ""), ("true", "true"), (5, "5"), (-1, "-1"), (1.5, "1.5")]
)
def test_a_text_stays_and_a_number_becomes_one(value: Any, expected: str) -> None:
    assert texts("headers", {"X": value, "Y": "y"}) == {"X": expected, "Y": "y"}


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_what_could_be_meant_otherwise_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(OperatorError) as raised:
        texts("headers", {"Y": "a-secret-value", "X-Key": value})
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "headers.X-Key" in raised.value.message
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("option", ["additional_headers", "metadata"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_so_are_those_of_a_deployment(option: str, value: Any) -> None:
    asked: dict[str, Any] = {"additional_headers": None, "metadata": None, option: {"x": value}}
    with pytest.raises(OperatorError) as raised:
        RedeployRequest(service_url="http://h", force=True, wait_timeout=1, **asked)
    assert f"{option}.x" in raised.value.message


# Instants


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
    assert instants.parse(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "1767225600"])
@pytest.mark.parametrize("model", [Deployment, DeploymentDetail])
def test_a_deployment_whose_age_cannot_be_told_is_no_answer(model: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        model(id="dp_1", uri="http://h", created_at=text)


def test_the_newest_is_the_newest_by_instant_and_not_by_text() -> None:
    older = deployment("dp_1", "A").model_copy(update={"created_at": "2026-01-01T00:00:01Z"})
    newer = deployment("dp_2", "B").model_copy(update={"created_at": "2026-01-01T00:00:01.5Z"})
    seen = registry(newer, older, latest={"A": "dp_1", "B": "dp_2"})
    assert seen.newest_active == newer


# How long a completed run leaves a trace


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 86400),
        ("0s", 0),
        ("0", 0),
        ("1d", 86400),
        ("2days", 172800),
        ("1h 30m", 5400),
        ("1hour 30minutes 5seconds", 5405),
        ("500ms", 0),
        ("3 fortnights", 0),
        ("", 0),
    ],
)
def test_a_retention_is_never_taken_for_longer_than_it_is(text: str | None, seconds: int) -> None:
    flow = service("Flow", workflow_completion_retention=text)
    assert Workflow("Flow", frozenset({"run"}), flow).retention == seconds
