# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several nodes of a cluster: the next is asked where one is not there, and nothing is sent twice."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http import urls
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress
from ansible_collections.dalp.restate.tests.unit.asking import VERSION, FullServer, failure, free_port
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, LoopbackServer, answer


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}"


def client(clock: FakeClock, first: str, *others: str, retries: int = 3) -> AdminClient:
    connection = Connection(url=first, alternatives=others, request_timeout=0.5, retries=retries)
    return AdminClient(connection, WriteGuard(check_mode=False), clock)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://a:1", ["http://a:1"]),
        ("http://a:1,http://b:2 , https://c", ["http://a:1", "http://b:2", "https://c"]),
        (["http://a:1", "http://b:2"], ["http://a:1", "http://b:2"]),
        ("unix:/a,unix:/b,http://c", ["unix:/a", "unix:/b", "http://c"]),
        ("http://ops:pass,word@a:1,http://b:2", ["http://ops:pass,word@a:1", "http://b:2"]),
        (["http://ops:pass", "word@a:1"], ["http://ops:pass,word@a:1"]),
        ("http://a/x,y", ["http://a/x,y"]),
        ("", []),
        (None, []),
        ("http://a,", ["http://a,"]),
    ],
)
def test_urls_are_split_only_where_a_url_begins(given: str | list[str] | None, expected: list[str]) -> None:
    assert urls.several(given) == expected


@pytest.mark.parametrize("dies", ["refuses", "takes no connection"])
def test_the_next_is_asked_at_once_and_from_then_on(dies: str, serve: Serve, clock: FakeClock) -> None:
    server = serve(VERSION, answer(200, {"deployments": []}))
    with contextlib.closing(FullServer()) as full:
        admin = client(clock, dead() if dies == "refuses" else full.url, server.url)
        assert admin.version.version == "1.7.12"
        assert admin.connection.shown_url == server.url
        assert admin.deployments() == ()
    assert len(server.requests) == 2
    assert clock.sleeps == []


def test_a_write_goes_to_the_next_where_nothing_was_sent(serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(202))
    assert client(clock, dead(), server.url).cancel("inv_1")
    assert server.calls == ["PATCH /invocations/inv_1/cancel"]


def test_a_write_whose_answer_was_lost_is_sent_to_no_other(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(RESET), serve(answer(202))
    error = failure(lambda: client(clock, first.url, second.url).cancel("inv_1"))
    assert error.outcome_unknown
    assert second.requests == []


def test_where_none_is_there_all_are_tried_again_and_nothing_was_carried_out(clock: FakeClock) -> None:
    error = failure(lambda: client(clock, dead(), dead(), retries=2).cancel("inv_1"))
    assert (error.code, error.outcome_unknown) == ("RESTATE_ADMIN_UNREACHABLE", False)
    assert len(clock.sleeps) == 2


def test_a_node_that_dies_in_the_middle_is_left_for_one_that_came_back(
    serve: Serve, clock: FakeClock
) -> None:
    first_port = free_port()
    with LoopbackServer([VERSION]) as second:
        admin = client(clock, f"http://127.0.0.1:{first_port}", second.url)
        assert admin.version.version == "1.7.12"
    # A connection that was kept open breaks, and a new one is refused.
    first = serve(answer(200, {"deployments": []}), port=first_port)
    assert admin.deployments() == ()
    assert first.calls == ["GET /deployments"]


def test_the_ingress_is_looked_for_on_the_host_of_each_and_gets_no_credentials(
    serve: Serve, clock: FakeClock
) -> None:
    server = serve(answer(200, {"services": []}))
    port = int(server.url.rpartition(":")[2])
    admin = Connection(
        url="http://127.0.0.2:9070",
        alternatives=("http://127.0.0.1:9070",),
        auth_token="token-of-the-admin",
        request_timeout=0.5,
    )
    guard = WriteGuard(check_mode=False)
    ingress = Ingress(admin, [], guard, clock, guessed_port=port)
    assert ingress.health(lambda: None) == server.url
    assert "authorization" not in server.requests[0].headers
    named = Ingress(dataclasses.replace(admin), [dead(), server.url], guard, clock)
    assert named.health(lambda: None) == server.url
    assert server.requests[1].headers["authorization"] == "Bearer token-of-the-admin"
