# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workflow is submitted through the ingress."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress, IngressClient
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, answer

HEALTHY = answer(200, {"services": []})
TAKEN = answer(202, {"invocationId": "inv_1", "status": "Accepted"})


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
    ingress = Ingress(Connection(url="http://h:9070"), [server.url], guard, FakeClock())
    found = ingress.connect(lambda: None)
    with pytest.raises(WriteInCheckModeError):
        found.submit("Flow", "k", "run", b"", {})
    assert server.calls == ["GET /restate/health"]
    assert not guard.wrote


def test_a_submission_is_a_write_of_the_ingress_that_was_found(serve: Serve) -> None:
    server = serve(HEALTHY, TAKEN)
    guard = WriteGuard(check_mode=False)
    ingress = Ingress(Connection(url="http://h:9070"), [server.url], guard, FakeClock())
    found = ingress.connect(lambda: None)
    assert not guard.wrote
    found.submit("Flow", "k", "run", b"", {})
    assert guard.wrote


@pytest.mark.parametrize(
    ("content", "unknown"),
    [
        pytest.param(answer(404, {"message": "no such service"}), False, id="refused"),
        pytest.param(answer(400), False, id="refused without words"),
        pytest.param(answer(200, b"<html>"), True, id="a web page"),
        pytest.param(answer(200, {}), True, id="no id"),
        pytest.param(answer(200, []), True, id="a list"),
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
