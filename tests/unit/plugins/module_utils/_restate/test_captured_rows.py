# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real servers answer to each question is read as its rows."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import columns
from ansible_collections.dalp.restate.tests.unit.capture_answers import questions_of
from ansible_collections.dalp.restate.tests.unit.captured_answers import (
    ANSWERS,
    EACH,
    captured,
    rows_of,
    typed_rows_of,
)
from restate_server import VERSIONS

# Rows: a column that is NULL is absent


QUESTIONS = sorted(path.stem.removeprefix("query_") for path in (ANSWERS / VERSIONS[0]).glob("query_*.json"))


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_with_rows(version: str, question: str) -> None:
    assert captured(version, f"query_{question}")["status"] == 200
    assert all(None not in row.values() for row in rows_of(version, question))


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_to_the_question_that_is_asked_today(version: str, question: str) -> None:
    # Where this fails, the question was changed: capture_answers.py asks the servers again.
    kept = captured(version, f"query_{question}")["question"]
    asked = getattr(questions_of(version), kept["name"])(**kept["arguments"])
    assert asked.sql == kept["sql"]


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_row_has_the_columns_that_its_type_says_and_no_other(version: str, question: str) -> None:
    assert [columns(row) for row in typed_rows_of(version, question)] == rows_of(version, question)


@EACH
def test_columns_that_are_null_are_absent(version: str) -> None:
    rows = {row["target"]: row for row in rows_of(version, "invocations")}
    assert rows["OrderWorkflow/order-1001/run"]["completion_result"] == "failure"
    assert "completion_result" not in rows["OrderWorkflow/order-1004/run"]
    assert "completion_failure" not in rows["OrderWorkflow/order-1005/run"]
    assert "retry_count" not in rows["PaymentWorkflow/payment-2001/run"]


@EACH
def test_the_zombie_is_found_and_nothing_else(version: str) -> None:
    assert [row["target"] for row in rows_of(version, "zombies")] == ["OrderWorkflow/order-1007/run"]


@EACH
def test_values_of_state_are_hexadecimal(version: str) -> None:
    assert {row["key"]: bytes.fromhex(row["value"]) for row in rows_of(version, "state_values")} == {
        "step": b'"started"'
    }


@EACH
def test_a_hostile_key_is_a_key_that_is_not_there(version: str) -> None:
    assert rows_of(version, "hostile_key") == []


@EACH
def test_why_something_paused_is_in_the_events(version: str) -> None:
    paused = next(row for row in typed_rows_of(version, "failures") if row.status == "paused")
    events = [row for row in typed_rows_of(version, "last_events") if row.id == paused.id]
    assert paused.last_failure is None
    assert "bank gateway timed out" in events[-1].failure.message
