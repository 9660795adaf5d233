# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP at its worst: what is tried again, what is not, and what an operator reads of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.asking import (
    DONE,
    VERSION,
    FullServer,
    client,
    failure,
    free_port,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import (
    HANG,
    NOT_FOUND,
    RESET,
    TRICKLE,
    LoopbackServer,
    Request,
    answer,
    chunked,
)

# Reads and writes on the way to an answer


@pytest.mark.parametrize("first", [
    pytest.param(RESET, id="a reset"),
    pytest.param(b"", id="a connection that is closed without an answer"),
    pytest.param(answer(502), id="502"),
    pytest.param(answer(503), id="503"),
    pytest.param(answer(504), id="504"),
    pytest.param(answer(429), id="429"),
    pytest.param(answer(200, b'{"version": "1', missing=9), id="half a body"),
    pytest.param(chunked(b'{"version":', ends=False), id="half a streamed body"),
])  # fmt: skip
def test_a_read_is_tried_again_after(first: bytes, serve: Serve, clock: FakeClock) -> None:
    server = serve(first, VERSION)
    assert client(server.url, clock).version.version == "1.7.12"
    assert server.calls == ["GET /version"] * 2
    assert len(clock.sleeps) == 1


@pytest.mark.parametrize("last", [RESET, answer(503)], ids=["resets", "503s"])
def test_a_read_is_tried_for_as_long_as_a_partition_may_be_without_a_leader(
    last: bytes, serve: Serve, clock: FakeClock
) -> None:
    server = serve(last)
    error = failure(lambda: client(server.url, clock, retries=3).version)
    assert len(server.requests) == 9
    expected = [0.2, 0.4, 0.8, 1.6, 3.0, 3.0, 3.0]
    assert [round(delay / each) for delay, each in zip(clock.sleeps, expected, strict=False)] == [1] * 7
    assert 11 <= sum(clock.sleeps) <= 15
    assert not error.outcome_unknown
    assert "unknown" not in error.message


def test_no_retries_means_one_try(serve: Serve, clock: FakeClock) -> None:
    server = serve(RESET)
    failure(lambda: client(server.url, clock, retries=0).version)
    assert len(server.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_an_answer_that_is_final_is_not_asked_for_again(status: int, serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(status))
    failure(lambda: client(server.url, clock).version)
    assert len(server.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("first", [
    pytest.param(RESET, id="a reset"),
    pytest.param(b"", id="a connection that is closed without an answer"),
    pytest.param(answer(502), id="502"),
    pytest.param(answer(503, {"message": "Error when routing the request internally."}), id="503"),
    pytest.param(answer(504), id="504"),
    pytest.param(answer(200, b"{}", missing=9), id="half a body"),
])  # fmt: skip
@pytest.mark.parametrize("write", [
    pytest.param(lambda admin: admin.cancel("inv_1"), id="cancel"),
    pytest.param(lambda admin: dict(admin.terminate("kill", ["inv_1"])), id="kill"),
    pytest.param(lambda admin: dict(admin.terminate("purge", ["inv_1"])), id="purge"),
    pytest.param(lambda admin: admin.register({"uri": "http://h", "force": True}), id="register"),
])  # fmt: skip
def test_a_write_is_not_tried_again_and_says_that_its_outcome_is_unknown_after(
    first: bytes, write: Callable[[AdminClient], object], serve: Serve, clock: FakeClock
) -> None:
    server = serve(first, DONE)
    error = failure(lambda: write(client(server.url, clock)))
    assert len(server.requests) == 1
    assert clock.sleeps == []
    assert error.outcome_unknown
    assert "Whether the request was carried out is unknown." in error.message


def test_a_write_whose_answer_does_not_come_in_time_says_that_its_outcome_is_unknown(serve: Serve) -> None:
    server = serve(HANG)
    error = failure(lambda: client(server.url, request_timeout=0.1).cancel("inv_1"))
    assert error.outcome_unknown
    assert error.reason == "timeout"
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", [
    pytest.param(lambda admin: admin.version, id="a read"),
    pytest.param(lambda admin: admin.cancel("inv_1"), id="a write"),
])  # fmt: skip
def test_an_answer_that_comes_byte_by_byte_ends_with_the_request_timeout(
    call: Callable[[AdminClient], object], serve: Serve
) -> None:
    error = failure(lambda: call(client(serve(TRICKLE).url, request_timeout=0.2)))
    assert (error.code, error.reason) == ("RESTATE_UNEXPECTED_RESPONSE", "timeout")
    assert "no answer within 0.2 s" in error.message


@pytest.mark.parametrize("status", [400, 404, 409, 501])
def test_a_write_that_was_refused_has_a_known_outcome(status: int, serve: Serve) -> None:
    error = failure(lambda: client(serve(answer(status)).url).patch_service("A", {"public": False}))
    assert not error.outcome_unknown
    assert "unknown" not in error.message


def test_a_write_that_was_rate_limited_is_tried_again(serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(429), DONE)
    assert client(server.url, clock).cancel("inv_1")
    assert len(server.requests) == 2
    assert len(clock.sleeps) == 1


def test_a_write_that_could_not_connect_is_tried_again(serve: Serve) -> None:
    port = free_port()
    started: list[LoopbackServer] = []
    # What was down comes up during the wait.
    clock = FakeClock(on_sleep=lambda _seconds: started.append(serve(DONE, port=port)))
    assert client(f"http://127.0.0.1:{port}", clock).cancel("inv_1")
    assert len(clock.sleeps) == 1
    assert started[0].calls == ["PATCH /invocations/inv_1/cancel"]


@pytest.mark.parametrize("call", [
    pytest.param(lambda admin: admin.version, id="a read"),
    pytest.param(lambda admin: admin.cancel("inv_1"), id="a write"),
])  # fmt: skip
def test_a_connection_that_is_not_there_in_time_is_not_waited_for_twice_and_nothing_was_carried_out(
    call: Callable[[AdminClient], object], clock: FakeClock
) -> None:
    with contextlib.closing(FullServer()) as full:
        error = failure(lambda: call(client(full.url, clock, request_timeout=0.1, retries=2)))
    assert (error.code, error.reason) == ("RESTATE_ADMIN_UNREACHABLE", "timeout")
    assert "no answer within 0.1 s" in error.message
    assert not error.outcome_unknown
    assert clock.sleeps == []


def test_a_write_that_never_could_connect_was_not_carried_out(clock: FakeClock) -> None:
    error = failure(lambda: client(f"http://127.0.0.1:{free_port()}", clock, retries=2).cancel("inv_1"))
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert not error.outcome_unknown
    assert len(clock.sleeps) == 2


def test_a_delete_is_tried_again_since_it_ends_the_same(serve: Serve) -> None:
    server = serve(RESET, answer(503), NOT_FOUND)
    assert client(server.url).delete_deployment("dp_1") is True
    assert server.calls == ["DELETE /deployments/dp_1?force=true"] * 3


def test_a_delete_that_got_no_answer_at_all_says_that_its_outcome_is_unknown(serve: Serve) -> None:
    error = failure(lambda: client(serve(RESET).url, retries=1).delete_deployment("dp_1"))
    assert error.outcome_unknown


def test_a_task_that_has_waited_through_an_outage_does_not_wait_again_before_a_good_answer(
    serve: Serve, clock: FakeClock
) -> None:
    server = serve(answer(503))
    admin = client(server.url, clock)
    failure(admin.deployments)
    clock.sleep(clock.patience.grant(15) or 0)
    waited, asked = sum(clock.sleeps), len(server.requests)
    assert waited <= 15
    for _ in range(5):
        failure(admin.deployments)
        assert admin.connection.retry.patient_delay_after(1) is None
    assert sum(clock.sleeps) == waited
    assert len(server.requests) == asked + 5


def test_a_request_has_one_deadline_from_the_connection_to_the_end_of_the_body(serve: Serve) -> None:
    def slow_head(_request: Request) -> bytes:
        time.sleep(0.3)
        return b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"version"'

    server = serve(slow_head, stays_open=True)
    began = time.monotonic()
    error = failure(lambda: client(server.url, request_timeout=0.4).version)
    assert error.reason == "timeout"
    assert time.monotonic() - began < 0.6
