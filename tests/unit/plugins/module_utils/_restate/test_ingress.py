# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the ingress is looked for, and which credentials go there."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import DEFAULT_PORT, Ingress
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer

HEALTHY = answer(200, {"services": []})
ADMIN = Connection(
    url="http://ops:hunter22@127.0.0.1:9070/base",
    auth_token="token-of-the-admin",
    headers={"X-Tenant": "t1"},
    request_timeout=2.0,
    retries=0,
)


def ingress(url: str | None, *, admin: Connection = ADMIN, guessed_port: int = DEFAULT_PORT) -> Ingress:
    return Ingress(
        admin, [url] if url else [], WriteGuard(check_mode=False), FakeClock(), guessed_port=guessed_port
    )


def nothing() -> None:
    return None


def test_given_by_the_operator_it_gets_the_credentials(serve: Serve) -> None:
    server = serve(HEALTHY)
    assert ingress(server.url).health(nothing) == server.url
    assert server.calls == ["GET /restate/health"]
    assert server.requests[0].headers["authorization"] == "Bearer token-of-the-admin"
    assert server.requests[0].headers["x-tenant"] == "t1"


def test_given_by_the_operator_no_other_is_asked(serve: Serve) -> None:
    down, other = serve(answer(503)), serve(HEALTHY)
    with pytest.raises(OperatorError):
        ingress(down.url).health(lambda: other.url)
    assert other.requests == []


def test_on_the_admins_host_it_gets_no_credentials(serve: Serve) -> None:
    server = serve(HEALTHY)
    assert ingress(None, guessed_port=server.port).health(nothing) == server.url
    assert server.calls == ["GET /restate/health"]
    assert not {"authorization", "x-tenant"} & server.requests[0].headers.keys()


def test_named_by_the_server_it_gets_no_credentials(serve: Serve) -> None:
    guessed, named = serve(answer(404)), serve(HEALTHY)
    assert ingress(None, guessed_port=guessed.port).health(lambda: f"{named.url}/") == named.url
    for server in (guessed, named):
        assert len(server.requests) == 1
        assert not {"authorization", "x-tenant"} & server.requests[0].headers.keys()


def test_the_server_is_asked_for_its_word_only_where_the_guess_fails(serve: Serve) -> None:
    ingress(None, guessed_port=serve(HEALTHY).port).health(lambda: pytest.fail("asked"))


def test_without_a_word_of_the_server_the_guess_decides(serve: Serve) -> None:
    with pytest.raises(OperatorError) as raised:
        ingress(None, guessed_port=serve(answer(404)).port).health(nothing)
    assert raised.value.reason == "not_an_ingress"


@pytest.mark.parametrize(
    "content",
    [answer(200, b"<html>"), answer(200, []), answer(200, 5), answer(200, {"status": "ok"}), answer(404)],
    ids=["a web page", "a list", "a number", "another service", "404"],
)
def test_what_answers_otherwise_is_no_ingress(content: bytes, serve: Serve) -> None:
    with pytest.raises(OperatorError) as raised:
        ingress(serve(content).url).health(nothing)
    assert raised.value.code == "RESTATE_UNEXPECTED_RESPONSE"


@pytest.mark.parametrize(
    ("admin_url", "url", "expected"),
    [
        ("http://ops:hunter22@h:9070/base", None, "http://h:8080"),
        ("https://[fd00::2]:9070", None, "https://[fd00::2]:8080"),
        ("unix:/run/admin.sock", None, "http://localhost:8080"),
        ("http://h:9070", "https://u:hunter22@i:8080/x/", "https://i:8080/x"),
    ],
)
def test_where_it_is_looked_for_first(admin_url: str, url: str | None, expected: str) -> None:
    assert ingress(url, admin=Connection(url=admin_url)).shown_url == expected
