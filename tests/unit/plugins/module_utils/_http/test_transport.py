# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP at its worst: what is tried again, what is not, and what an operator reads of it."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http import transport
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._http.transport import Request, Transport
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, LoopbackServer, answer, chunked

VERSION = answer(200, {"version": "1.7.12"})
DONE = answer(200)
SECRET = "hunter22-and-more"


def client(
    url: str, clock: FakeClock | None = None, *, check_mode: bool = False, **options: Any
) -> AdminClient:
    return AdminClient(
        Connection(url=url, **{"request_timeout": 2.0, **options}),
        WriteGuard(check_mode=check_mode),
        clock or FakeClock(),
    )


def failure(call: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value


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
    expected = [0.2, 0.4, 0.8, 1.6, 3.2, 3.2, 3.2, 3.2]
    assert [round(delay / each) for delay, each in zip(clock.sleeps, expected, strict=True)] == [1] * 8
    assert not error.outcome_unknown
    assert "unknown" not in error.message


def test_no_retries_means_one_try(serve: Serve, clock: FakeClock) -> None:
    server = serve(RESET)
    failure(lambda: client(server.url, clock, retries=0).version)
    assert len(server.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 501])
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
    port = _free_port()
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
    error = failure(lambda: client(f"http://127.0.0.1:{_free_port()}", clock, retries=2).cancel("inv_1"))
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert not error.outcome_unknown
    assert len(clock.sleeps) == 2


def test_a_delete_is_tried_again_since_it_ends_the_same(serve: Serve) -> None:
    server = serve(RESET, answer(503), answer(404))
    assert client(server.url).delete_deployment("dp_1") is False
    assert server.calls == ["DELETE /deployments/dp_1?force=true"] * 3


def test_a_delete_that_got_no_answer_at_all_says_that_its_outcome_is_unknown(serve: Serve) -> None:
    error = failure(lambda: client(serve(RESET).url, retries=1).delete_deployment("dp_1"))
    assert error.outcome_unknown


# What a server answers that is not what was asked for


def test_a_dead_port_is_unreachable() -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    error = failure(lambda: client(url, retries=1).version)
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert error.http == {"method": "GET", "url": f"{url}/version"}
    assert "refused" in error.message
    assert "admin_url" in error.remedy


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    error = failure(lambda: client("http://restate.invalid:9070", retries=1).version)
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"


def test_a_web_page_is_no_restate_and_is_shown_cut_short(serve: Serve) -> None:
    page = b"<html>\n" + b"Welcome to nginx! " * 100 + b"</html>"
    server = serve(answer(200, page))
    error = failure(lambda: client(server.url).version)
    assert error.code == "RESTATE_UNEXPECTED_RESPONSE"
    assert error.reason == "not_restate"
    assert error.http == {"method": "GET", "url": f"{server.url}/version", "status": 200}
    assert "Welcome to nginx!" in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "body", [[], {}, {"version": None}, {"version": "latest"}, {"version": ""}, "x", None]
)
def test_another_services_version_is_no_restates(body: Any, serve: Serve) -> None:
    server = serve(answer(200, body))
    assert failure(lambda: client(server.url).version).code == "RESTATE_UNEXPECTED_RESPONSE"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_have_a_code_of_their_own(status: int, serve: Serve) -> None:
    server = serve(answer(status, {"message": "who are you?"}))
    error = failure(lambda: client(server.url, auth_token=SECRET).version)
    assert error.code == "RESTATE_PERMISSION_REQUIRED"
    assert error.status == status
    assert "who are you?" in error.message
    assert "auth_token" in error.remedy
    assert SECRET not in str(error.to_result())


def test_the_servers_own_words_and_code_are_shown(serve: Serve) -> None:
    server = serve(answer(500, {"message": "[META0001] it broke", "restate_code": "META0001"}))
    error = failure(lambda: client(server.url).deployments())
    assert "[META0001] it broke" in error.message
    assert error.http == {
        "method": "GET", "url": f"{server.url}/deployments", "status": 500, "restate_code": "META0001",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'"text"', b'{"message": null}', b"\xff\xfe", b'{"other": 1}']
)
def test_an_error_without_words_is_an_error_all_the_same(body: bytes, serve: Serve) -> None:
    error = failure(lambda: client(serve(answer(500, body)).url).version)
    assert error.code == "RESTATE_UNEXPECTED_RESPONSE"
    assert "answered 500" in error.message


def test_a_server_that_never_answers_is_unreachable_after_the_time_out(serve: Serve) -> None:
    error = failure(lambda: client(serve(HANG).url, request_timeout=0.1).version)
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert error.reason == "timeout"
    assert "0.1 s" in error.message
    assert not error.outcome_unknown


@pytest.mark.parametrize("cut", [
    pytest.param(answer(200, b'{"version": "1.7.12"}', missing=5), id="less than Content-Length"),
    pytest.param(chunked(b'{"version": "1.7.12"}', ends=False), id="chunks without an end"),
])  # fmt: skip
def test_a_body_that_is_cut_short_is_never_taken_for_whole(cut: bytes, serve: Serve) -> None:
    error = failure(lambda: client(serve(cut).url, retries=1).version)
    assert error.code == "RESTATE_UNEXPECTED_RESPONSE"
    assert error.reason == "cut_short"
    assert error.status == 200


@pytest.mark.parametrize("location", ["/elsewhere", "http://elsewhere.invalid/"])
def test_a_redirection_is_not_followed(location: str, serve: Serve) -> None:
    server = serve(answer(302, headers={"Location": location}), VERSION)
    assert failure(lambda: client(server.url).version).status == 302
    assert server.calls == ["GET /version"]


# Retry-After


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(status: int, serve: Serve, clock: FakeClock) -> None:
    server = serve(answer(status, headers={"Retry-After": "2"}), VERSION)
    assert client(server.url, clock, request_timeout=5.0).version.version == "1.7.12"
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("value", ["3600", "6", "inf", "nan"])
def test_a_longer_wait_than_the_time_out_is_not_waited_for(
    value: str, serve: Serve, clock: FakeClock
) -> None:
    server = serve(answer(429, headers={"Retry-After": value}))
    error = failure(lambda: client(server.url, clock, request_timeout=5.0).version)
    assert (error.code, error.reason, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", "rate_limited", 429)
    assert len(server.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "-5", ""])
def test_a_retry_after_that_is_no_number_of_seconds_means_the_usual_delay(
    value: str, serve: Serve, clock: FakeClock
) -> None:
    server = serve(answer(429, headers={"Retry-After": value}), VERSION)
    assert client(server.url, clock).version.version == "1.7.12"
    assert [0.1 < delay < 0.3 for delay in clock.sleeps] == [True]


# Where requests go, and with what


@pytest.mark.parametrize("url", ["", "/", "/base", "/base/", "/a/b"])
def test_a_base_path_stands_before_each_path(url: str, serve: Serve) -> None:
    server = serve(VERSION)
    assert client(server.url + url).version.version == "1.7.12"
    assert server.calls == [f"GET {url.rstrip('/')}/version"]


def test_the_address_can_be_ipv6(serve: Serve) -> None:
    try:
        server = serve(VERSION, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert client(server.url).version.version == "1.7.12"
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize("slashes", ["unix:", "unix://"])
def test_the_address_can_be_a_unix_socket(slashes: str, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    server = serve(VERSION, answer(500), socket_path=path)
    admin = client(f"{slashes}{path}")
    assert admin.version.version == "1.7.12"
    assert server.calls == ["GET /version"]
    assert admin.connection.shown_url == f"unix:{path}"
    assert f"unix:{path}/deployments" in failure(admin.deployments).message


def test_a_proxy_of_the_environment_is_not_asked_for_a_unix_socket(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{_free_port()}")
    server = serve(VERSION, socket_path=tmp_path / "admin.sock")
    assert client(server.url).version.version == "1.7.12"


def test_a_unix_socket_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    error = failure(lambda: client(f"unix:{tmp_path}/none.sock", retries=0).version)
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"


def test_userinfo_is_used_and_never_shown(serve: Serve) -> None:
    server = serve(VERSION, answer(500), RESET)
    url = server.url.replace("http://", f"http://ops:{SECRET}@")
    admin = client(f"{url}/base", retries=0)
    assert admin.version.version == "1.7.12"
    encoded = base64.b64encode(f"ops:{SECRET}".encode()).decode()
    assert server.requests[0].headers["authorization"] == f"Basic {encoded}"
    assert admin.connection.shown_url == f"{server.url}/base"
    for error in (failure(admin.deployments), failure(admin.services)):
        assert SECRET not in f"{error} {error.to_result()}"
        assert "ops" not in f"{error} {error.to_result()}"


def test_token_and_headers_go_with_each_request_and_are_not_in_the_connections_text(serve: Serve) -> None:
    server = serve(VERSION)
    admin = client(server.url, auth_token=SECRET, headers={"X-Tenant": "t1"})
    assert admin.version.version == "1.7.12"
    sent = server.requests[0].headers
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert sent["x-tenant"] == "t1"
    # Another value makes /query answer in Arrow.
    assert sent["accept"] == "application/json"
    assert SECRET not in repr(admin.connection)
    assert "t1" not in repr(admin.connection)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9070",
        "ftp://h",
        "http://",
        "http://h:0",
        "http://h:x",
        "http://[::1",
        "http://h?a=b",
        "http://h#x",
        "http://h/\x01",
        "http://h:99999",
    ],
)
def test_a_url_that_cannot_be_used_is_an_argument_error(url: str) -> None:
    error = failure(lambda: client(url))
    assert error.code == "RESTATE_INVALID_ARGUMENT"


@pytest.mark.parametrize("options", [
    {"auth_token": "a\nb"}, {"auth_token": "schlüssel-鍵"}, {"headers": {"X": "a\r\nY: b"}}, {"headers": {"X\n": "a"}},
], ids=["token with a line break", "token that is not latin-1", "header with a line break", "name with a line break"])  # fmt: skip
def test_what_cannot_stand_in_a_header_is_an_argument_error_without_its_value(
    options: dict[str, Any],
) -> None:
    error = failure(lambda: client("http://h", **options))
    assert error.code == "RESTATE_INVALID_ARGUMENT"
    assert "schlüssel" not in error.message


def test_a_transport_is_closed_with_its_connections(serve: Serve) -> None:
    one = Transport(Connection(url=serve(VERSION).url), FakeClock())
    one.send(Request("GET", "/version"))
    one.close()
    with pytest.raises(RuntimeError):
        one.send(Request("GET", "/version"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class FullServer:
    """Listens, but takes no connection any more: Linux drops what comes while the backlog is full."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._waiting = socket.create_connection(("127.0.0.1", self.port))

    def close(self) -> None:
        """Give up the port."""
        self._waiting.close()
        self._listener.close()


class Stream:
    """The stream under an answer, of which only the socket's options are looked at."""

    def __init__(self, error: OSError | None = None) -> None:
        self.options: list[tuple[int, int, int]] = []
        self._error = error

    def get_extra_info(self, name: str) -> Stream:
        assert name == "socket"
        return self

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)  # type: ignore[arg-type]
        if self._error:
            raise self._error


@pytest.mark.parametrize("error", [None, OSError("a Unix socket")])
def test_the_head_of_an_answer_is_acknowledged_before_its_body_is_awaited(
    error: OSError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "TCP_QUICKACK", 12, raising=False)
    stream = Stream(error)
    transport._acknowledge(httpx.Response(200, extensions={"network_stream": stream}))
    assert stream.options == [(socket.IPPROTO_TCP, 12, 1)]


def test_where_the_system_cannot_do_so_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_QUICKACK", raising=False)
    stream = Stream()
    transport._acknowledge(httpx.Response(200, extensions={"network_stream": stream}))
    assert stream.options == []
