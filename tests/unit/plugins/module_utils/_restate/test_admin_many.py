# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing and purging many at a time, and what a registration is answered."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Question
from ansible_collections.dalp.restate.tests.unit.admin_calls import (
    BODY,
    ROWS,
    Number,
    client,
    failure,
    killed,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, answer

# Many at a time

BATCH_VERSION = answer(200, {"version": "1.6.2"})
BATCH = "POST /internal/invocations_batch_operations/kill"


def batch(*succeeded: str, **failed: str) -> bytes:
    failures = [{"invocation_id": id_, "error": words} for id_, words in failed.items()]
    return answer(200, {"succeeded": list(succeeded), "failed": failures})


def test_many_are_sent_in_one_call_and_what_it_says_of_each_is_put_in_a_word(serve: Serve) -> None:
    server = serve(
        BATCH_VERSION,
        batch(
            "inv_1",
            inv_2="Invocation 'inv_2' not found",
            inv_3="Invocation 'inv_3' was already completed",
            inv_4="Invocation 'inv_4' is not yet completed",
            inv_5="rpc for partition 3 at node N2:1 failed: partition not found",
        ),
    )
    admin = client(server.url)
    assert killed(admin, "inv_1", "inv_2", "inv_3", "inv_4", "inv_5") == {
        "inv_1": "done",
        "inv_2": "gone",
        "inv_3": "completed",
        "inv_4": "unfinished",
        "inv_5": "rpc for partition 3 at node N2:1 failed: partition not found",
    }
    assert server.calls == ["GET /version", BATCH]
    assert server.requests[1].json == {"invocation_ids": ["inv_1", "inv_2", "inv_3", "inv_4", "inv_5"]}
    assert admin.guard.wrote


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((answer(200, {"version": "1.5.3"}),), id="before 1.6"),
        pytest.param((BATCH_VERSION, answer(404)), id="no such call"),
        pytest.param((BATCH_VERSION, answer(405)), id="no such method"),
    ],
)
def test_where_there_is_no_batch_call_single_calls_do_the_same(
    first: tuple[bytes, ...], serve: Serve
) -> None:
    server = serve(*first, answer(200), answer(409))
    assert killed(client(server.url), "inv_1", "inv_2") == {"inv_1": "done", "inv_2": "completed"}
    assert server.calls[len(first) :] == ["PATCH /invocations/inv_1/kill", "PATCH /invocations/inv_2/kill"]


def test_what_single_calls_did_is_known_when_a_later_one_fails(serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.5.3"}), answer(200), answer(400, {"message": "no!"}))
    answers = client(server.url).terminate("kill", ["inv_1", "inv_2", "inv_3"])
    assert next(answers) == ("inv_1", "done")
    error = failure(lambda: next(answers))
    assert error.invocation_ids == ["inv_2"]
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    ("content", "unknown"),
    [
        pytest.param(answer(200, b'{"succeeded": ["inv_1"'), True, id="cut off"),
        pytest.param(answer(200, {"rows": []}), True, id="an answer to something else"),
        pytest.param(answer(500, {"message": "half of it"}), True, id="it failed in the middle"),
        pytest.param(answer(503), True, id="a gateway"),
        pytest.param(answer(400, {"message": "too many"}), False, id="refused as a whole"),
    ],
)
def test_a_batch_that_is_answered_otherwise_raises(content: bytes, unknown: bool, serve: Serve) -> None:
    server = serve(BATCH_VERSION, content)
    error = failure(lambda: killed(client(server.url, retries=0), "inv_1", "inv_2"))
    assert error.code == "RESTATE_UNEXPECTED_RESPONSE"
    assert error.outcome_unknown == unknown
    assert server.calls == ["GET /version", BATCH]


@pytest.mark.parametrize("ids", [["inv_1"], ["inv_1", "inv_2"]], ids=["one", "many"])
def test_many_are_never_terminated_in_check_mode(ids: list[str], serve: Serve) -> None:
    server = serve(BATCH_VERSION)
    with pytest.raises(WriteInCheckModeError):
        killed(client(server.url, check_mode=True), *ids)
    assert not [call for call in server.calls if call != "GET /version"]


def test_queries_are_answered_in_their_order(serve: Serve) -> None:
    server = serve(ROWS)
    assert (
        client(server.url).queries(*(Question(Number, f"SELECT {n}") for n in (1, 2, 3))) == [[Number(1)]] * 3
    )
    assert sorted(request.json["query"] for request in server.requests) == [
        "SELECT 1",
        "SELECT 2",
        "SELECT 3",
    ]


@pytest.mark.parametrize("call", [AdminClient.discover, AdminClient.register], ids=["dry", "real"])
@pytest.mark.parametrize(("content", "code", "reason"), [
    pytest.param(answer(500, {"message": "m", "restate_code": "META0003"}), "RESTATE_SERVICE_UNREACHABLE", "META0003", id="the service does not answer"),
    pytest.param(answer(409, {"message": "m", "restate_code": "META0006"}), "RESTATE_REGISTRATION_REFUSED", "META0006", id="incompatible"),
    pytest.param(answer(500, {"message": "m", "restate_code": "META0013"}), "RESTATE_REGISTRATION_REFUSED", "META0013", id="no discovery that Restate understands"),
    pytest.param(answer(409, {"message": "m", "restate_code": None}), "RESTATE_REGISTRATION_REFUSED", None, id="exists already"),
    pytest.param(answer(422, b"Failed to deserialize"), "RESTATE_REGISTRATION_REFUSED", None, id="a body that is not understood"),
    pytest.param(answer(500, {"message": "internal error: retries for operation on key 'schema_registry' exhausted"}), "RESTATE_CLUSTER_UNAVAILABLE", None, id="no quorum"),
    pytest.param(answer(503), "RESTATE_UNEXPECTED_RESPONSE", None, id="a gateway's error is no refusal"),
    pytest.param(answer(201, {"id": None}), "RESTATE_UNEXPECTED_RESPONSE", "not_restate", id="no registration"),
])  # fmt: skip
def test_registration_errors(
    call: Callable[[AdminClient, dict[str, Any]], object], content: bytes, code: str, reason: str | None,
    serve: Serve,
) -> None:  # fmt: skip
    error = failure(lambda: call(client(serve(content).url), BODY))
    assert (error.code, error.reason) == (code, reason)


@pytest.mark.parametrize("call", [AdminClient.discover, AdminClient.register], ids=["dry", "real"])
def test_a_refusal_does_not_repeat_the_headers_that_are_registered(
    call: Callable[[AdminClient, dict[str, Any]], object], serve: Serve
) -> None:
    told = {"message": "[META0003] the service said: no reg-2c5f8b1e4a", "restate_code": "META0003"}
    registration = {**BODY, "additional_headers": {"x-key": "reg-2c5f8b1e4a"}}
    error = failure(lambda: call(client(serve(answer(500, told)).url), registration))
    assert "the service said: no (hidden)" in error.message


def test_a_dry_run_never_says_that_its_outcome_is_unknown(serve: Serve) -> None:
    for content in (answer(503), RESET):
        assert not failure(lambda content=content: client(serve(content).url).discover(BODY)).outcome_unknown  # type: ignore[misc]
