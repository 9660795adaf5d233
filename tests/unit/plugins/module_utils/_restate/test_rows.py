# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rows say, and that a row of another shape is a query that failed."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Questions
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    Failure,
    JournalEvent,
    Promise,
    columns,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer

TOLD = {"error_code": 500, "error_message": "database is down"}
WITH_CODE = {**TOLD, "restate_doc_error_code": "RT0016"}


@pytest.mark.parametrize(("content", "expected"), [
    pytest.param(TOLD, Failure(500, None, "database is down"), id="a transient error is the failure"),
    pytest.param({"last_failure": TOLD}, Failure(500, None, "database is down"), id="a pause holds the failure"),
    pytest.param({"last_failure": WITH_CODE}, Failure("RT0016", "RT0016", "database is down"), id="a code of Restate's own comes first"),
    pytest.param({"last_failure": None}, Failure(None, None, None), id="a pause by hand has none"),
    pytest.param({}, Failure(None, None, None), id="nothing is told"),
])  # fmt: skip
def test_the_failure_that_an_event_tells_of(content: dict[str, Any], expected: Failure) -> None:
    event = JournalEvent("inv_1", "Paused", json.dumps(content), "2026-01-01T00:00:00Z")
    assert event.failure == expected


def test_a_row_is_shown_with_the_columns_that_were_answered() -> None:
    assert columns(Promise("k", "decision", completed=False)) == {
        "service_key": "k",
        "key": "decision",
        "completed": False,
    }


@pytest.mark.parametrize(("row", "column"), [
    pytest.param({"target_service_name": "Flow", "status": "hunter22"}, "n", id="a column that is missing"),
    pytest.param({"target_service_name": "Flow", "status": "hunter22", "n": 1, "more": 2}, "more", id="a column that was not asked for"),
])  # fmt: skip
def test_a_row_with_other_columns_names_the_column_and_shows_no_value(
    row: dict[str, Any], column: str, serve: Serve
) -> None:
    server = serve(answer(200, {"rows": [row]}))
    admin = AdminClient(Connection(url=server.url), WriteGuard(check_mode=True), FakeClock())
    with pytest.raises(OperatorError) as raised:
        admin.query(Questions(has_scopes=True).pending())
    assert (raised.value.code, raised.value.reason) == ("RESTATE_QUERY_FAILED", "unexpected_row")
    assert f"'{column}'" in raised.value.message
    assert "hunter22" not in raised.value.message
