# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a run's input is submitted again, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery import resubmission
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import Input
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress, IngressClient
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.fake_restate import entry
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, answer

HEALTHY = answer(200, {"services": []})
TAKEN = answer(202, {"invocationId": "inv_1", "status": "Accepted"})
TAKEN_BEFORE = answer(200, {"invocationId": "inv_1", "status": "PreviouslyAccepted"})
VERSION = answer(200, {"version": "1.7.12"})


def read(serve: Serve, *rows: dict[str, Any]) -> dict[str, Input]:
    server = serve(VERSION, answer(200, {"rows": list(rows)}))
    admin = AdminClient(Connection(url=server.url, retries=0), WriteGuard(check_mode=True), FakeClock())
    return resubmission.read_inputs(admin, ["inv_1", "inv_2"])


# Reading


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b'{"a": 1}', b"no json", b"\x00\xff\xfe", bytes(range(256)), "\u9375".encode()],
    ids=repr,
)
def test_a_payload_is_kept_byte_for_byte(payload: bytes, serve: Serve) -> None:
    assert read(serve, {"id": "inv_1", "entry_json": entry(payload)})["inv_1"].payload == payload


@pytest.mark.parametrize(
    ("name", "is_input"),
    [
        ("content-type", True),
        ("X-Tenant", True),
        ("authorization", True),
        ("x-restated", True),
        ("Host", False),
        ("content-length", False),
        ("Transfer-Encoding", False),
        ("connection", False),
        ("user-agent", False),
        ("accept", False),
        ("accept-encoding", False),
        ("traceparent", False),
        ("tracestate", False),
        ("idempotency-key", False),
        ("X-Restate-Id", False),
    ],
)
def test_a_header_is_input_unless_it_is_of_the_request(name: str, is_input: bool, serve: Serve) -> None:
    seen = read(serve, {"id": "inv_1", "entry_json": entry(b"", (name, "v"))})["inv_1"].headers
    assert (name.lower() in seen) == (is_input or name == "content-type")


def test_several_headers_of_a_name_are_one_list(serve: Serve) -> None:
    content = entry(b"", ("x-tag", "a"), ("X-Tag", "b"))
    assert read(serve, {"id": "inv_1", "entry_json": content})["inv_1"].headers["x-tag"] == "a, b"


def odd(**changes: Any) -> str:
    return json.dumps({"Command": {"Input": {"headers": [], "payload": [], **changes}}})


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({}, id="absent"),
        pytest.param({"entry_json": ""}, id="empty"),
        pytest.param({"entry_json": "{"}, id="cut off"),
        pytest.param({"entry_json": "null"}, id="null"),
        pytest.param({"entry_json": "[]"}, id="a list"),
        pytest.param({"entry_json": '{"Command": {"Output": {}}}'}, id="another command"),
        pytest.param({"entry_json": '{"Command": "Input"}'}, id="a word"),
        pytest.param({"entry_json": odd(payload="text")}, id="a payload that is text"),
        pytest.param({"entry_json": odd(payload=[256])}, id="a payload of no bytes"),
        pytest.param({"entry_json": odd(payload=None)}, id="a null payload"),
        pytest.param({"entry_json": odd(headers=None)}, id="null headers"),
        pytest.param({"entry_json": odd(headers=[["a", "b"]])}, id="headers as pairs"),
        pytest.param({"entry_json": odd(headers=[{"name": "a"}])}, id="a header without a value"),
        pytest.param({"entry_json": odd(headers=[{"name": 1, "value": "b"}])}, id="a name that is no text"),
        pytest.param({"entry_json": odd(headers=[{"name": "a", "value": 1}])}, id="a value that is no text"),
        pytest.param({"entry_json": odd(payload=5)}, id="a payload that is a number"),
    ],
)
def test_what_is_no_input_is_none(row: dict[str, Any], serve: Serve) -> None:
    good = {"id": "inv_2", "entry_json": entry(b"x")}
    assert list(read(serve, {"id": "inv_1", **row}, good)) == ["inv_2"]


# Submitting


def client(url: str, guard: WriteGuard | None = None, **more: Any) -> IngressClient:
    return IngressClient(
        Connection(url=url, request_timeout=2.0, retries=0, **more),
        guard or WriteGuard(check_mode=False),
        FakeClock(),
    )


def test_a_submission_does_not_wait_for_the_workflow(serve: Serve) -> None:
    server = serve(TAKEN)
    guard = WriteGuard(check_mode=False)
    ingress = client(server.url, guard)
    assert ingress.submit("Flow", "k", "run", b"\x00\xff", {"content-type": "a/b"}) == "inv_1"
    assert server.calls == ["POST /Flow/k/run/send"]
    assert server.requests[0].body == b"\x00\xff"
    assert server.requests[0].headers["content-type"] == "a/b"
    assert guard.wrote


def test_an_input_without_a_content_type_gets_none(serve: Serve) -> None:
    server = serve(TAKEN)
    client(server.url).submit("Flow", "k", "run", b"", {})
    assert "content-type" not in server.requests[0].headers


def test_a_key_can_never_become_another_path(serve: Serve) -> None:
    server = serve(TAKEN)
    client(server.url).submit("Flow", "../a/b?c#d e%\u9375", "run", b"", {})
    assert server.calls == ["POST /Flow/..%2Fa%2Fb%3Fc%23d%20e%25%E9%8D%B5/run/send"]


def test_a_header_that_is_no_ascii_is_sent(serve: Serve) -> None:
    server = serve(TAKEN)
    client(server.url).submit("Flow", "k", "run", b"", {"x-name": "J\u00fcrgen"})
    assert server.requests[0].headers["x-name"].encode("latin-1").decode() == "J\u00fcrgen"


def test_what_the_operator_sends_to_get_in_stands_before_what_was_sent_once(serve: Serve) -> None:
    server = serve(TAKEN)
    ingress = client(server.url, auth_token="of-the-operator", headers={"X-Tenant": "ops"})
    ingress.submit("Flow", "k", "run", b"", {"authorization": "old", "x-tenant": "old", "x-other": "kept"})
    headers = server.requests[0].headers
    assert (headers["authorization"], headers["x-tenant"]) == ("Bearer of-the-operator", "ops")
    assert headers["x-other"] == "kept"


def test_the_callers_credentials_are_input_where_the_operator_has_none(serve: Serve) -> None:
    server = serve(TAKEN)
    client(server.url).submit("Flow", "k", "run", b"", {"authorization": "Bearer of-the-caller"})
    assert server.requests[0].headers["authorization"] == "Bearer of-the-caller"


def test_in_check_mode_nothing_is_submitted(serve: Serve) -> None:
    server = serve(HEALTHY)
    guard = WriteGuard(check_mode=True)
    ingress = Ingress(Connection(url="http://h:9070"), server.url, guard, FakeClock())
    found = ingress.connect(lambda: None)
    with pytest.raises(WriteInCheckModeError):
        found.submit("Flow", "k", "run", b"", {})
    assert server.calls == ["GET /restate/health"]
    assert not guard.wrote


def test_a_submission_is_a_write_of_the_ingress_that_was_found(serve: Serve) -> None:
    server = serve(HEALTHY, TAKEN)
    guard = WriteGuard(check_mode=False)
    ingress = Ingress(Connection(url="http://h:9070"), server.url, guard, FakeClock())
    found = ingress.connect(lambda: None)
    assert not guard.wrote
    found.submit("Flow", "k", "run", b"", {})
    assert guard.wrote


@pytest.mark.parametrize(
    ("content", "unknown"),
    [
        pytest.param(answer(404, {"message": "no such service"}), False, id="refused"),
        pytest.param(answer(400), False, id="refused without words"),
        pytest.param(answer(200, b"<html>"), False, id="a web page"),
        pytest.param(answer(200, {}), False, id="no id"),
        pytest.param(answer(200, []), False, id="a list"),
        pytest.param(answer(503), True, id="a gateway"),
        pytest.param(RESET, True, id="a reset"),
    ],
)
def test_a_submission_that_is_answered_otherwise_raises(content: bytes, unknown: bool, serve: Serve) -> None:
    server = serve(content)
    with pytest.raises(OperatorError) as raised:
        client(server.url).submit("Flow", "k", "run", b"", {})
    assert raised.value.outcome_unknown == unknown
    assert len(server.requests) == 1


# Again, where the answer was lost


def submit(server: Any, retries: int = 2) -> str:
    admin = AdminClient(
        Connection(url="http://h:9070", retries=retries), WriteGuard(check_mode=False), FakeClock()
    )
    return resubmission.submit(admin, client(server.url), ("Flow", "k", "run"), Input(b"x", {}))


def test_one_whose_answer_was_lost_is_sent_again_after_a_while(serve: Serve, no_waiting: list[float]) -> None:
    server = serve(RESET, answer(503), TAKEN_BEFORE)
    assert submit(server) == "inv_1"
    assert [request.body for request in server.requests] == [b"x"] * 3
    assert len(no_waiting) == 2
    assert no_waiting[0] < no_waiting[1]


def test_one_that_was_refused_is_not_sent_again(serve: Serve) -> None:
    server = serve(answer(400), TAKEN)
    with pytest.raises(OperatorError) as raised:
        submit(server)
    assert len(server.requests) == 1
    assert not raised.value.outcome_unknown


def test_one_that_was_lost_once_stays_unknown_whatever_comes_after(
    serve: Serve, no_waiting: list[float]
) -> None:
    server = serve(RESET, answer(400))
    with pytest.raises(OperatorError) as raised:
        submit(server)
    assert raised.value.outcome_unknown
