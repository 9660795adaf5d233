# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A query is answered whole, or it failed."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Question
from ansible_collections.dalp.restate.tests.unit.admin_calls import (
    OFFER,
    ROWS,
    Number,
    client,
    failure,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, NOT_FOUND, answer, chunked

# Queries: anything but a whole answer is a failure


def test_rows_are_of_the_type_that_the_question_says(serve: Serve) -> None:
    server = serve(answer(200, {"rows": [{"n": 3}, {"n": 4}]}))
    assert client(server.url).query(Question(Number, "SELECT 1")) == [Number(3), Number(4)]
    assert server.requests[0].json == {"query": "SELECT 1"}
    assert client(serve(answer(200, {"rows": []})).url).query(Question(Number, "SELECT 1")) == []


@pytest.mark.parametrize("content", [
    pytest.param(answer(200, {"rows": [], "warnings": [{"origin": "node 2", "message": "no leader"}]}), id="warnings in the body"),
    pytest.param(answer(200, {"rows": []}, {"x-restate-query-warnings": "1"}), id="warnings in the header"),
    pytest.param(answer(200, b'{"rows": [{"id": "inv_1"}, {"id"'), id="JSON that is cut short"),
    pytest.param(answer(200, b'{"rows": [', missing=3), id="a body that is cut short"),
    pytest.param(chunked(b'{"rows": []}', ends=False), id="a stream without its end, whole as it looks"),
    pytest.param(answer(200, b"ARROW1\x00\x00"), id="Arrow"),
    pytest.param(answer(200, b"<html>"), id="a web page"),
    pytest.param(answer(200, b""), id="an empty body"),
    pytest.param(answer(200, {}), id="no rows"),
    pytest.param(answer(200, {"rows": None}), id="null rows"),
    pytest.param(answer(200, {"rows": {}}), id="rows that are no list"),
    pytest.param(answer(200, {"rows": [1]}), id="a row that is none"),
    pytest.param(answer(200, {"rows": [{}]}), id="a row without its column"),
    pytest.param(answer(200, {"rows": [{"n": 1, "m": 2}]}), id="a row with a column too many"),
    pytest.param(answer(200, []), id="a list"),
    pytest.param(answer(204), id="no content"),
    pytest.param(answer(400, {"message": "Datafusion error: table 'nowhere' not found"}), id="400"),
    pytest.param(answer(404), id="404"),
    pytest.param(answer(500, {"message": "Datafusion error: Resources exhausted"}), id="500"),
    pytest.param(answer(503), id="503"),
])  # fmt: skip
def test_a_query_that_is_not_answered_whole_failed(content: bytes, serve: Serve) -> None:
    error = failure(lambda: client(serve(content).url).query(Question(Number, "SELECT 1")))
    assert error.code == "RESTATE_QUERY_FAILED"
    assert "partitions" in error.remedy
    assert not error.outcome_unknown


def test_the_warnings_of_a_partial_answer_are_shown_and_its_rows_are_not(serve: Serve) -> None:
    server = serve(answer(200, {"rows": [{"key": "hunter22"}], "warnings": [{"message": "no leader"}]}))
    error = failure(lambda: client(server.url).query(Question(Number, "SELECT 1")))
    assert error.reason == "partial_answer"
    assert "no leader" in error.message
    assert "hunter22" not in error.message


def test_a_query_that_gets_no_answer_is_no_empty_answer(serve: Serve) -> None:
    admin = AdminClient(
        Connection(url=serve(HANG).url, request_timeout=0.1), WriteGuard(check_mode=True), FakeClock()
    )
    assert failure(lambda: admin.query(Question(Number, "SELECT 1"))).code == "RESTATE_ADMIN_UNREACHABLE"


EXTERNAL = answer(500, {"message": "Datafusion error: External error: connection closed"})


def test_a_query_is_tried_again_while_a_cluster_loses_a_node(serve: Serve) -> None:
    server = serve(EXTERNAL, EXTERNAL, ROWS)
    assert client(server.url, retries=2).query(Question(Number, "SELECT 1")) == [Number(1)]
    assert len(server.requests) == 3


def test_a_query_that_keeps_failing_fails(serve: Serve) -> None:
    server = serve(EXTERNAL)
    error = failure(lambda: client(server.url, retries=2).query(Question(Number, "SELECT 1")))
    assert error.code == "RESTATE_CLUSTER_UNAVAILABLE"
    assert "connection closed" in error.message
    assert len(server.requests) == 9


# As 1.5.3, 1.6.2 and 1.7.12 answer: the first has another beginning, and 1.7.12 has 400 for some.
WRONG = [
    """SQL error: ParserError("Expected: an SQL statement, found: SELEC at Line: 1, Column: 1")""",
    "Error during planning: table 'restate.public.nope' not found",
    "Schema error: No field named nope. Valid fields are sys_invocation.id",
    "External error: non valid invocation id",
    "Error during planning: Cannot coerce arithmetic expression Int64 + Utf8 to valid types",
    "Arrow error: Cast error: Cannot cast string 'x' to value of Int32 type",
    "Optimizer rule 'simplify_expressions' failed\ncaused by\nArrow error: Parser error: Error parsing timestamp",
    "Optimizer rule 'simplify_expressions' failed\ncaused by\nInvalid regex\ncaused by\nExternal error: regex parse error",
    "Error during planning: Invalid function 'nofunc'.\nDid you mean 'round'?",
    "Internal error: failed to call 'regex_match_dyn_scalar' Compute error: Regular expression did not compile",
    "This feature is not implemented: The context currently only supports a single SQL statement",
]


@pytest.mark.parametrize("begins", ["datafusion failed: ", "Datafusion error: "])
@pytest.mark.parametrize("message", WRONG)
def test_a_query_that_is_wrong_is_not_tried_again(message: str, begins: str, serve: Serve) -> None:
    server = serve(answer(500, {"message": begins + message}))
    error = failure(lambda: client(server.url).query(Question(Number, "SELECT")))
    assert error.code == "RESTATE_QUERY_FAILED"
    assert len(server.requests) == 1


PASSING = [
    {"message": "Datafusion error: Internal error: No such scanner 3. This was likely caused by a bug"},
    {"message": "Datafusion error: Resources exhausted: Failed to allocate"},
    {"message": "Datafusion error: Arrow error: Ipc error: unexpected end"},
    {"message": "Datafusion error: something that no version has said yet"},
    {"message": "External error: node lookup for partition 3 failed"},
    {},
    b"",
    b"<html>502 Bad Gateway: Schema error: the upstream is away</html>",
]


@pytest.mark.parametrize("content", PASSING, ids=str)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_any_other_server_error_of_a_query_is_waited_for(status: int, content: Any, serve: Serve) -> None:
    server = serve(answer(status, content), ROWS)
    assert client(server.url).query(Question(Number, "SELECT 1")) == [Number(1)]
    assert len(server.requests) == 2


@pytest.mark.parametrize("retries", [0, 1])
def test_a_scanner_that_stays_away_is_a_query_that_failed(retries: int, serve: Serve) -> None:
    server = serve(answer(500, PASSING[0]))
    error = failure(lambda: client(server.url, retries=retries).query(Question(Number, "SELECT 1")))
    assert error.code == "RESTATE_QUERY_FAILED"
    assert "No such scanner" in error.message
    assert len(server.requests) == (9 if retries else 1)


READING = [
    pytest.param(AdminClient.deployments, answer(200, {"deployments": []}), id="a list"),
    pytest.param(lambda admin: admin.deployment("dp_1"), NOT_FOUND, id="a document"),
    pytest.param(lambda admin: admin.discover({"uri": "http://h"}), OFFER, id="a dry run"),
]


@pytest.mark.parametrize(("call", "good"), READING)
@pytest.mark.parametrize(
    "first", [answer(500), answer(500, {"message": "internal error", "restate_code": None})]
)
def test_a_server_error_of_a_read_is_waited_for(call: Any, good: bytes, first: bytes, serve: Serve) -> None:
    server = serve(first, good)
    call(client(server.url))
    assert len(server.requests) == 2


@pytest.mark.parametrize(("call", "_good"), READING)
@pytest.mark.parametrize(
    "first", [answer(501), answer(500, {"message": "[META0001] no", "restate_code": "META0001"})]
)
def test_an_answer_that_restate_calls_final_is_final(
    call: Any, _good: bytes, first: bytes, serve: Serve
) -> None:
    server = serve(first)
    failure(lambda: call(client(server.url)))
    assert len(server.requests) == 1


# Clocks and expressions


@pytest.mark.parametrize("told", ["", "soon", "2026-12-01T99:00:00"])
def test_a_clock_that_tells_no_time_is_a_failed_query(told: str, serve: Serve) -> None:
    error = failure(client(serve(answer(200, {"rows": [{"now": told}]})).url).now)
    assert error.code == "RESTATE_QUERY_FAILED"


def test_a_clock_that_differs_is_told_once_read(serve: Serve) -> None:
    admin = client(serve(answer(200, {"rows": [{"now": "2020-01-01T00:00:00"}]})).url)
    assert admin.warnings == []
    admin.now()
    (warning,) = admin.warnings
    assert "ahead of the clock of Restate" in warning


@pytest.mark.parametrize(("status", "message", "code"), [
    (500, "datafusion failed: Arrow error: Compute error: Regular expression did not compile: Syntax(\n~~~\nregex parse error:\n    (\n    ^\nerror: unclosed group\n~~~\n)", "RESTATE_INVALID_ARGUMENT"),
    (400, "Datafusion error: Arrow error: Compute error: Regular expression did not compile: CompiledTooBig(10485760)", "RESTATE_INVALID_ARGUMENT"),
    (500, "Datafusion error: Resources exhausted", "RESTATE_QUERY_FAILED"),
    (401, "no", "RESTATE_PERMISSION_REQUIRED"),
])  # fmt: skip
def test_only_what_the_server_says_of_an_expression_refuses_it(
    status: int, message: str, code: str, serve: Serve
) -> None:
    admin = client(serve(answer(status, {"message": message})).url)
    error = failure(lambda: admin.matches_empty("select.failure_matches", "("))
    assert error.code == code
    if code == "RESTATE_INVALID_ARGUMENT":
        assert error.message.startswith("select.failure_matches is no regular expression: ")
        assert "~" not in error.message
