# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that are posted to a site's own collector: what is sent, to whom, and what is told where it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit.webhook import AuditWebhook
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, Answer, answer
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.unit.audit_records import record

TOKEN = "token-of-the-admin"
HEADER = "value-of-a-header"
HOOK = "/services/T024/B024/of-the-path?key=of-the-query"
PARTS_OF_THE_HOOK = ("services", "T024", "of-the-path", "of-the-query", "key=")


def connection(**more: Any) -> Connection:
    """Return the connection of a module, with credentials that are the admin's alone."""
    options: dict[str, Any] = {
        "url": "http://ops:hunter22@admin:9070",
        "auth_token": TOKEN,
        "headers": {"X-Gateway": HEADER},
        "request_timeout": 0.5,
        "retries": 2,
        **more,
    }
    return Connection(**options)


def refusal_of(server_answer: Answer, serve: Serve, **more: Any) -> tuple[OperatorError, int]:
    """Post to a server that does not take it; return the error and how often it was asked."""
    server = serve(server_answer)
    with pytest.raises(OperatorError) as refusal:
        AuditWebhook(server.url + HOOK, connection(**more), FakeClock()).send(record())
    return refusal.value, len(server.requests)


def test_a_record_is_posted_as_a_cloud_event_in_structured_mode(serve: Serve) -> None:
    server = serve(answer(204))
    sent = record(reason="Jürgen: 支払い")
    AuditWebhook(server.url + HOOK, connection(), FakeClock()).send(sent)
    assert server.calls == [f"POST {HOOK}"]
    request = server.requests[0]
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.json == sent


def test_the_sdk_of_cloud_events_reads_what_was_posted(serve: Serve) -> None:
    server = serve(answer(204))
    sent = record()
    AuditWebhook(server.url, connection(), FakeClock()).send(sent)
    event = JSONFormat().read(CloudEvent, server.requests[0].body)
    assert (event.get_id(), event.get_type(), event.get_source()) == (
        sent["id"],
        sent["type"],
        sent["source"],
    )
    assert event.get_data() == sent["data"]


def test_half_of_a_surrogate_pair_is_posted_as_json_has_it(serve: Serve) -> None:
    server = serve(answer(204))
    AuditWebhook(server.url, connection(), FakeClock()).send(record(reason="\udcff"))
    assert b'"\\udcff"' in server.requests[0].body
    assert server.requests[0].json["data"]["reason"] == "\udcff"


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param("/", id="a root"),
        pytest.param("/a%2Fb/", id="an escape and a slash at the end"),
        pytest.param("/hook?flag&a=1&a=2&b=%26%2B", id="a query that is no dict"),
    ],
)
def test_the_url_is_asked_for_as_it_was_given(hook: str, serve: Serve) -> None:
    server = serve(answer(204))
    AuditWebhook(server.url + hook, connection(), FakeClock()).send(record())
    assert server.calls == [f"POST {hook}"]


def test_no_credential_of_the_connection_reaches_it(serve: Serve) -> None:
    server = serve(answer(503), answer(204))
    AuditWebhook(server.url, connection(), FakeClock()).send(record())
    assert len(server.requests) == 2
    for request in server.requests:
        assert not {"authorization", "x-gateway"} & request.headers.keys()
        told = json.dumps(request.headers) + request.body.decode()
        assert [secret for secret in (TOKEN, HEADER, "hunter22") if secret in told] == []


def test_userinfo_of_its_own_is_its_credential(serve: Serve) -> None:
    server = serve(answer(204))
    AuditWebhook(server.url.replace("://", "://audit:pass@"), connection(), FakeClock()).send(record())
    assert server.requests[0].headers["authorization"] == "Basic YXVkaXQ6cGFzcw=="


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    elsewhere = serve(answer(204))
    error, _asked = refusal_of(answer(307, headers={"Location": elsewhere.url}), serve)
    assert error.code == "RESTATE_AUDIT_UNAVAILABLE"
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://collector" + HOOK,
        "http://localhost.example" + HOOK,
        "http://127.0.0.1@collector" + HOOK,
        "ftp://collector" + HOOK,
        "unix:/services/T024/of-the-path",
        "collector" + HOOK,
        "https://[collector" + HOOK,
        "https://coll\u202eector" + HOOK,
    ],
)
def test_what_is_not_https_or_this_machine_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(OperatorError) as refusal:
        AuditWebhook(url, connection(), FakeClock())
    assert refusal.value.code == "RESTATE_INVALID_ARGUMENT"
    assert [
        part for part in (*PARTS_OF_THE_HOOK, "ector") if part in json.dumps(refusal.value.to_result())
    ] == []


@pytest.mark.parametrize(
    "url", ["http://localhost/a", "http://127.0.0.1:1/a", "http://[::1]:1/a", "https://c/a"]
)
def test_https_and_this_machine_are_taken(url: str) -> None:
    AuditWebhook(url, connection(), FakeClock())


def test_what_may_pass_is_sent_again_as_the_same_record(serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(503), RESET, answer(202))
    AuditWebhook(server.url, connection(), clock).send(record())
    assert len(server.requests) == 3
    assert len({request.json["id"] for request in server.requests}) == 1
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_sent_again(status: int, serve: Serve) -> None:
    error, asked = refusal_of(answer(status), serve)
    assert (error.code, asked) == ("RESTATE_AUDIT_UNAVAILABLE", 1)
    assert f"status {status}" in error.message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_does_not_pass_is_told_with_its_status(status: int, serve: Serve) -> None:
    error, asked = refusal_of(answer(status), serve)
    assert (error.code, asked) == ("RESTATE_AUDIT_UNAVAILABLE", 3 if status == 429 else 9)
    assert f"status {status}" in error.message


def echo(request: Any) -> bytes:
    """Answer with what was asked for."""
    return answer(400, {"message": request.target})


@pytest.mark.parametrize(
    "server_answer", [pytest.param(echo, id="echo"), answer(401), answer(503), RESET, HANG], ids=str
)
def test_no_error_tells_the_url(server_answer: Answer, serve: Serve) -> None:
    error, _asked = refusal_of(server_answer, serve)
    told = json.dumps(error.to_result()) + str(error)
    assert [part for part in (*PARTS_OF_THE_HOOK, "127.0.0.1") if part in told] == []
    # Python shows the context of an error in its traceback.
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(OperatorError, match="no answer") as refusal:
        AuditWebhook("http://127.0.0.1:1" + HOOK, connection(), FakeClock()).send(record())
    assert refusal.value.code == "RESTATE_AUDIT_UNAVAILABLE"


def test_a_ca_that_cannot_be_read_is_known_before_anything_is_sent() -> None:
    with pytest.raises(OperatorError) as refusal:
        AuditWebhook("https://collector" + HOOK, connection(ca_path="/nowhere.pem"), FakeClock())
    assert refusal.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "ca_path" in refusal.value.message


def test_a_record_goes_to_no_node_of_the_cluster_where_the_webhook_is_not_there(serve: Serve) -> None:
    node = serve(answer(204))
    with pytest.raises(OperatorError, match="no answer"):
        AuditWebhook(
            "http://127.0.0.1:1" + HOOK, connection(url=node.url, alternatives=(node.url,)), FakeClock()
        ).send(record())
    assert node.requests == []
