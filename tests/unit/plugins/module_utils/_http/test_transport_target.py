# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where requests go, and with what."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http import answers
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.transport import Request, Transport
from ansible_collections.dalp.restate.tests.unit.asking import SECRET, VERSION, client, failure, free_port
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, answer

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
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
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
    answers.acknowledge_head(httpx.Response(200, extensions={"network_stream": stream}))
    assert stream.options == [(socket.IPPROTO_TCP, 12, 1)]


def test_where_the_system_cannot_do_so_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_QUICKACK", raising=False)
    stream = Stream()
    answers.acknowledge_head(httpx.Response(200, extensions={"network_stream": stream}))
    assert stream.options == []
