# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several nodes of a cluster: the next is asked where one is not there, and nothing is sent twice."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http import urls
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Question
from ansible_collections.dalp.restate.tests.unit.admin_calls import BODY, OFFER, Number
from ansible_collections.dalp.restate.tests.unit.asking import VERSION, FullServer, failure, free_port
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, TRICKLE, LoopbackServer, answer


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


# A node that accepts and does not answer as it should


LISTS = answer(200, {"deployments": []})
GATEWAY_PAGE = b"<html><h1>Bad Gateway</h1></html>"
STALLS = answer(200, b'{"version": "1', missing=9)
FAILING = {
    "500": answer(500, {"message": "Datafusion error: Internal error: No such scanner"}),
    "500 with nothing": answer(500),
    "502 with a page": answer(502, GATEWAY_PAGE),
    "503 with a page": answer(503, GATEWAY_PAGE),
    "504 with a page": answer(504, GATEWAY_PAGE),
    "resets": RESET,
    "half a body": STALLS,
}
SILENT = {
    "never answers": HANG,
    "trickles": TRICKLE,
    "stalls in the head": b"HTTP/1.1 200 OK\r\nContent-",
    "stalls in the body": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"version"',
}


@pytest.mark.parametrize("content", SILENT.values(), ids=SILENT)
def test_a_read_that_is_not_answered_in_time_goes_to_the_next_node(
    content: bytes, serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(content, stays_open=True), serve(VERSION, LISTS)
    admin = client(clock, first.url, second.url)
    began = time.monotonic()
    assert admin.version.version == "1.7.12"
    assert admin.deployments() == ()
    assert time.monotonic() - began < 1.5 * 0.5
    assert (len(first.requests), len(second.requests)) == (1, 2)
    assert clock.sleeps == []


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("content", FAILING.values(), ids=FAILING)
def test_a_read_that_keeps_failing_goes_to_the_next_node_after_a_failovers_time(
    content: bytes, retries: int, serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(content), serve(VERSION, LISTS)
    admin = client(clock, first.url, second.url, retries=retries)
    assert admin.version.version == "1.7.12"
    assert admin.deployments() == ()
    assert len(first.requests) == (5 if retries else 1)
    assert sum(clock.sleeps) <= 3.75
    assert len(second.requests) == 2


def test_a_failure_that_passes_does_not_lead_to_another_node(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(answer(500), answer(500), answer(500), VERSION), serve(VERSION)
    assert client(clock, first.url, second.url).version.version == "1.7.12"
    assert second.requests == []


@pytest.mark.parametrize("write", [
    pytest.param(lambda admin: admin.cancel("inv_1"), id="cancel"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), id="delete"),
])  # fmt: skip
@pytest.mark.parametrize("content", [HANG, TRICKLE])
def test_a_write_that_is_not_answered_in_time_goes_nowhere_else_and_the_next_read_does(
    content: bytes, write: Callable[[AdminClient], object], serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(content), serve(LISTS)
    admin = client(clock, first.url, second.url)
    error = failure(lambda: write(admin))
    assert (error.reason, error.outcome_unknown) == ("timeout", True)
    assert second.requests == []
    assert admin.deployments() == ()
    assert second.calls == ["GET /deployments"]


def test_a_write_that_is_answered_with_a_server_error_is_read_at_the_same_node(
    serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(answer(503), LISTS), serve(LISTS)
    admin = client(clock, first.url, second.url)
    assert failure(lambda: admin.cancel("inv_1")).outcome_unknown
    admin.deployments()
    assert second.requests == []


def test_a_write_that_may_be_repeated_goes_to_the_next_node_while_one_keeps_failing(
    serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(answer(503)), serve(answer(202))
    assert client(clock, first.url, second.url).delete_deployment("dp_1")
    assert (len(first.requests), len(second.requests)) == (5, 1)


def test_a_write_that_was_answered_with_an_error_and_then_finds_nobody_stays_unknown(
    serve: Serve, clock: FakeClock
) -> None:
    with LoopbackServer([answer(503)]) as server:
        gone = FakeClock(on_sleep=lambda _seconds: server.stop())
        error = failure(lambda: client(gone, server.url).delete_deployment("dp_1"))
    assert (error.code, error.outcome_unknown) == ("RESTATE_ADMIN_UNREACHABLE", True)


def test_a_node_that_failed_is_not_asked_first_again(serve: Serve, clock: FakeClock) -> None:
    first, second, third = serve(HANG), serve(VERSION, HANG), serve(LISTS)
    admin = client(clock, first.url, second.url, third.url)
    assert admin.version.version == "1.7.12"
    for _ in range(3):
        assert admin.deployments() == ()
    assert [len(each.requests) for each in (first, second, third)] == [1, 2, 3]
    assert [each.shown_url for each in admin.transport.each] == [first.url, second.url, third.url]


def test_reads_side_by_side_lose_one_time_out_to_a_frozen_node(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(HANG), serve(answer(200, {"rows": [{"n": 1}]}))
    admin = client(clock, first.url, second.url)
    began = time.monotonic()
    assert admin.queries(*[Question(Number, f"SELECT {number}") for number in range(8)]) == [[Number(1)]] * 8
    assert time.monotonic() - began < 2 * 0.5


@pytest.mark.parametrize(
    ("contents", "code", "reason", "status"),
    [
        ((HANG, FAILING["500"]), "RESTATE_UNEXPECTED_RESPONSE", None, 500),
        ((FAILING["500"], HANG), "RESTATE_UNEXPECTED_RESPONSE", None, 500),
        ((HANG, None), "RESTATE_ADMIN_UNREACHABLE", "timeout", None),
        ((None, HANG), "RESTATE_ADMIN_UNREACHABLE", "timeout", None),
        ((None, FAILING["500"], HANG), "RESTATE_UNEXPECTED_RESPONSE", None, 500),
        ((HANG, HANG), "RESTATE_ADMIN_UNREACHABLE", "timeout", None),
    ],
)
def test_where_all_fail_each_is_given_up_once_and_the_most_telling_error_is_shown(
    contents: tuple[bytes | None, ...],
    code: str,
    reason: str | None,
    status: int | None,
    serve: Serve,
    clock: FakeClock,
) -> None:
    servers = [serve(each) if each else None for each in contents]
    error = failure(lambda: client(clock, *[each.url if each else dead() for each in servers]).version)
    assert (error.code, error.reason, error.status) == (code, reason, status)
    hung = [each for each, content in zip(servers, contents, strict=True) if each and content is HANG]
    assert [len(each.requests) for each in hung] == [1] * len(hung)
    assert sum(clock.sleeps) <= 15


def test_all_nodes_are_asked_anew_until_the_time_of_an_outage_is_over(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(answer(500)), serve(*[answer(500)] * 3, VERSION)
    assert client(clock, first.url, second.url).version.version == "1.7.12"
    assert len(second.requests) == 4


@pytest.mark.parametrize("other", ["a name that does not resolve", "a Unix socket"])
def test_the_next_may_be_reached_in_another_way(
    other: str, serve: Serve, clock: FakeClock, tmp_path: Path
) -> None:
    if other == "a Unix socket":
        urls_ = serve(HANG).url, serve(VERSION, socket_path=tmp_path / "admin.sock").url
    else:
        urls_ = "http://restate.invalid:9070", serve(VERSION).url
    admin = client(clock, *urls_)
    assert admin.version.version == "1.7.12"
    assert admin.connection.url == urls_[1]


def test_a_rate_limit_is_that_of_the_node_that_was_asked(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(answer(429), VERSION), serve(VERSION)
    assert client(clock, first.url, second.url).version.version == "1.7.12"
    assert (len(first.requests), second.requests) == (2, [])


# Discovery: a service that is slow is no frozen node


def test_a_slow_service_is_blamed_and_no_other_node_is_asked(serve: Serve, clock: FakeClock) -> None:
    first, second = serve(HANG, VERSION), serve(VERSION)
    admin = client(clock, first.url, second.url)
    error = failure(lambda: admin.discover(BODY))
    assert (error.code, error.reason) == ("RESTATE_SERVICE_UNREACHABLE", "timeout")
    assert second.requests == []


def test_a_frozen_node_is_left_and_the_service_is_asked_through_the_next(
    serve: Serve, clock: FakeClock
) -> None:
    first, second = serve(HANG), serve(VERSION, OFFER)
    assert client(clock, first.url, second.url).discover(BODY).id == "dp_1"
    assert first.calls == ["POST /deployments", "GET /version"]
    assert second.calls == ["GET /version", "POST /deployments"]


# The ingress


def test_the_ingress_that_answered_is_asked_first_from_then_on(serve: Serve, clock: FakeClock) -> None:
    frozen, other = serve(HANG), serve(answer(200, {"services": []}))
    guard = WriteGuard(check_mode=False)
    ingress = Ingress(
        Connection(url="http://127.0.0.1:9", request_timeout=0.3), [frozen.url, other.url], guard, clock
    )
    assert ingress.health(lambda: None) == other.url
    assert ingress.connect(lambda: None).shown_url == other.url
    assert (len(frozen.requests), len(other.requests)) == (1, 2)


def test_a_submission_that_is_not_answered_in_time_is_sent_to_no_other(
    serve: Serve, clock: FakeClock
) -> None:
    healthy = answer(200, {"services": []})
    first, second = serve(healthy, HANG), serve(healthy)
    guard = WriteGuard(check_mode=False)
    ingress = Ingress(
        Connection(url="http://127.0.0.1:9", request_timeout=0.3), [first.url, second.url], guard, clock
    )
    submit = ingress.connect(lambda: None).submit
    assert failure(lambda: submit("Flow", "k", "run", b"{}", {})).outcome_unknown
    assert second.requests == []


def test_clients_of_several_nodes_read_their_versions_side_by_side(serve: Serve, clock: FakeClock) -> None:
    frozen = [client(clock, serve(HANG).url) for _ in range(4)]
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        errors = list(pool.map(lambda admin: failure(lambda: admin.version), frozen))
    assert {error.reason for error in errors} == {"timeout"}
    assert time.monotonic() - began < 2 * 0.5
