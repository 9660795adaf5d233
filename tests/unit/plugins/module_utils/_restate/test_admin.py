# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the admin client sends, what it makes of the answers, and that a dry run never writes."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Question
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, answer, chunked


@dataclass(frozen=True)
class Number:
    """A row of the queries here."""

    n: int


OFFER = answer(201, {"id": "dp_1", "services": []})
ROWS = answer(200, {"rows": [{"n": 1}]})
BODY = {"uri": "http://h:9080", "force": True}


def killed(admin: AdminClient, *ids: str) -> dict[str, str]:
    return dict(admin.terminate("kill", ids))


def purged(admin: AdminClient, *ids: str) -> dict[str, str]:
    return dict(admin.terminate("purge", ids))


# What each write sends: method and target, and the body.
WRITES: dict[str, tuple[Callable[[AdminClient], object], bytes, str, Any]] = {
    "register": (lambda admin: admin.register(BODY), OFFER, "POST /deployments", BODY),
    "delete_deployment": (
        lambda admin: admin.delete_deployment("dp_1"), answer(202), "DELETE /deployments/dp_1?force=true", None,
    ),
    "patch_service": (
        lambda admin: admin.patch_service("A", {"public": False}), answer(200), "PATCH /services/A", {"public": False},
    ),
    "clear_state": (
        lambda admin: admin.clear_state("A", "k/1", "v"), answer(202), "POST /services/A/state",
        {"version": "v", "object_key": "k/1", "new_state": {}},
    ),
    "terminate": (lambda admin: killed(admin, "inv_1"), answer(200), "PATCH /invocations/inv_1/kill", None),
    "cancel": (lambda admin: admin.cancel("inv_1"), answer(202), "PATCH /invocations/inv_1/cancel", None),
    "pause": (lambda admin: admin.pause("inv_1"), answer(202), "PATCH /invocations/inv_1/pause", None),
    "resume": (
        lambda admin: admin.resume("inv_1", "latest"), answer(200), "PATCH /invocations/inv_1/resume?deployment=latest", None,
    ),
}  # fmt: skip

READS: dict[str, tuple[Callable[[AdminClient], object], bytes, str]] = {
    "version": (lambda admin: admin.version, answer(200, {"version": "1.7.12"}), "GET /version"),
    "questions": (lambda admin: admin.questions, answer(200, {"version": "1.7.12"}), "GET /version"),
    "deployments": (AdminClient.deployments, answer(200, {"deployments": []}), "GET /deployments"),
    "deployment": (lambda admin: admin.deployment("dp_1"), answer(404), "GET /deployments/dp_1"),
    "services": (AdminClient.services, answer(200, {"services": []}), "GET /services"),
    "service": (lambda admin: admin.service("A"), answer(404), "GET /services/A"),
    "capabilities": (lambda admin: admin.capabilities, answer(200, {"version": "1.7.12"}), "GET /version"),
    "query": (lambda admin: admin.query(Question(Number, "SELECT 1")), ROWS, "POST /query"),
    "queries": (lambda admin: admin.queries(Question(Number, "SELECT 1")), ROWS, "POST /query"),
    "discover": (lambda admin: admin.discover(BODY), OFFER, "POST /deployments"),
}


def client(url: str, *, check_mode: bool = False, retries: int = 1) -> AdminClient:
    return AdminClient(
        Connection(url=url, request_timeout=2.0, retries=retries),
        WriteGuard(check_mode=check_mode),
        FakeClock(),
    )


def failure(call: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value


# The write guard


def test_every_call_is_known_here_as_a_read_or_as_a_write() -> None:
    calls = {name for name in vars(AdminClient) if not name.startswith("_")}
    assert calls == READS.keys() | WRITES.keys()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_in_check_mode_raises_and_nothing_is_sent(name: str, serve: Serve) -> None:
    write, content, _call, _body = WRITES[name]
    server = serve(content)
    admin = client(server.url, check_mode=True)
    with pytest.raises(WriteInCheckModeError):
        write(admin)
    assert server.requests == []
    assert not admin.guard.wrote


@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_sent_as_restate_wants_it_and_noted(name: str, serve: Serve) -> None:
    write, content, call, body = WRITES[name]
    server = serve(content)
    admin = client(server.url)
    write(admin)
    assert server.calls == [call]
    assert (server.requests[0].json if server.requests[0].body else None) == body
    assert admin.guard.wrote


@pytest.mark.parametrize("check_mode", [True, False], ids=["in check mode", "for real"])
@pytest.mark.parametrize("name", READS)
def test_a_read_works_in_check_mode_and_is_no_write(name: str, check_mode: bool, serve: Serve) -> None:
    read, content, call = READS[name]
    server = serve(content)
    admin = client(server.url, check_mode=check_mode)
    read(admin)
    assert server.calls == [call]
    assert not admin.guard.wrote


@pytest.mark.parametrize("dry_run", [False, None, "true", 1], ids=repr)
def test_only_a_true_dry_run_passes_the_guard(dry_run: Any, serve: Serve) -> None:
    server = serve(OFFER)
    with pytest.raises(WriteInCheckModeError):
        client(server.url, check_mode=True).register({**BODY, "dry_run": dry_run})
    assert server.requests == []


def test_discovery_is_always_a_dry_run(serve: Serve) -> None:
    server = serve(OFFER)
    client(server.url).discover({**BODY, "dry_run": False})
    assert server.requests[0].json == {**BODY, "dry_run": True}


@pytest.mark.parametrize(("call", "target"), [
    (lambda admin: admin.service("a/b?c#d e"), "GET /services/a%2Fb%3Fc%23d%20e"),
    (lambda admin: admin.deployment("../services"), "GET /deployments/..%2Fservices"),
    (lambda admin: purged(admin, "inv_1/../kill"), "PATCH /invocations/inv_1%2F..%2Fkill/purge"),
], ids=["service", "deployment", "invocation"])  # fmt: skip
def test_a_name_can_never_become_another_path(
    call: Callable[[AdminClient], object], target: str, serve: Serve
) -> None:
    server = serve(answer(404))
    call(client(server.url))
    assert server.calls == [target]


def test_the_version_is_asked_for_once(serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.6.2"}))
    admin = client(server.url)
    assert not admin.questions.has_scopes
    assert admin.capabilities.can_pause
    assert server.calls == ["GET /version"]


# Answers of writes


@pytest.mark.parametrize(("call", "status", "expected"), [
    pytest.param(lambda admin: killed(admin, "inv_1"), 200, {"inv_1": "done"}, id="killed"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 404, {"inv_1": "gone"}, id="nothing to kill: gone"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 409, {"inv_1": "completed"}, id="nothing to kill: completed"),
    pytest.param(lambda admin: admin.cancel("inv_1"), 202, True, id="asked to cancel"),
    pytest.param(lambda admin: admin.cancel("inv_1"), 409, False, id="nothing to cancel"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 200, {"inv_1": "done"}, id="purged"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 404, {"inv_1": "gone"}, id="purged already"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 409, {"inv_1": "unfinished"}, id="a purge of what is not completed"),
    pytest.param(lambda admin: admin.pause("inv_1"), 202, True, id="asked to pause"),
    pytest.param(lambda admin: admin.pause("inv_1"), 200, True, id="paused already"),
    pytest.param(lambda admin: admin.pause("inv_1"), 409, False, id="not running"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 200, "resumed", id="resumed"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 409, "busy", id="to be paused first"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 404, "gone", id="nothing to resume"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 202, True, id="deleted"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 404, False, id="deleted already"),
])  # fmt: skip
def test_the_answer_of_a_write(
    call: Callable[[AdminClient], object], status: int, expected: object, serve: Serve
) -> None:
    assert call(client(serve(answer(status)).url)) == expected


@pytest.mark.parametrize(("call", "status"), [
    pytest.param(lambda admin: purged(admin, "inv_1"), 500, id="a purge that fails"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 400, id="a kill of no invocation id"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 400, id="a resume on a deployment that is gone"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 425, id="a resume of what has not begun"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 501, id="a delete without force"),
    pytest.param(lambda admin: admin.clear_state("A", "k", "v"), 200, id="a state call answered otherwise"),
    pytest.param(lambda admin: admin.patch_service("A", {}), 404, id="settings of a service that is gone"),
])  # fmt: skip
def test_a_write_that_is_answered_otherwise_raises(
    call: Callable[[AdminClient], object], status: int, serve: Serve
) -> None:
    error = failure(lambda: call(client(serve(answer(status, {"message": "no!"})).url)))
    assert (error.code, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", status)
    assert "no!" in error.message


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
            inv_2="The invocation 'inv_2' was not found.",
            inv_3="The invocation 'inv_3' is already completed.",
            inv_4="The invocation 'inv_4' is not yet completed.",
            inv_5="node lookup failed",
        ),
    )
    admin = client(server.url)
    assert killed(admin, "inv_1", "inv_2", "inv_3", "inv_4", "inv_5") == {
        "inv_1": "done",
        "inv_2": "gone",
        "inv_3": "completed",
        "inv_4": "unfinished",
        "inv_5": "node lookup failed",
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
    pytest.param(answer(503), "RESTATE_UNEXPECTED_RESPONSE", None, id="a gateway's error is no refusal"),
    pytest.param(answer(201, {"id": None}), "RESTATE_UNEXPECTED_RESPONSE", "not_restate", id="no registration"),
])  # fmt: skip
def test_registration_errors(
    call: Callable[[AdminClient, dict[str, Any]], object], content: bytes, code: str, reason: str | None,
    serve: Serve,
) -> None:  # fmt: skip
    error = failure(lambda: call(client(serve(content).url), BODY))
    assert (error.code, error.reason) == (code, reason)


def test_a_dry_run_never_says_that_its_outcome_is_unknown(serve: Serve) -> None:
    for content in (answer(503), RESET):
        assert not failure(lambda content=content: client(serve(content).url).discover(BODY)).outcome_unknown  # type: ignore[misc]


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


@pytest.mark.parametrize("status", [400, 500])
def test_a_query_that_is_wrong_is_not_tried_again(status: int, serve: Serve) -> None:
    server = serve(answer(status, {"message": "Datafusion error: Error during planning"}))
    failure(lambda: client(server.url).query(Question(Number, "SELECT")))
    assert len(server.requests) == 1


def test_an_external_error_of_another_call_is_not_tried_again(serve: Serve) -> None:
    server = serve(EXTERNAL)
    failure(lambda: client(server.url).deployments())
    assert len(server.requests) == 1
