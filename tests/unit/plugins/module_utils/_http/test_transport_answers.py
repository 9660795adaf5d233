# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator reads of a server that answers oddly, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.asking import (
    SECRET,
    VERSION,
    client,
    failure,
    free_port,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, answer, chunked

# What a server answers that is not what was asked for


def test_a_dead_port_is_unreachable() -> None:
    url = f"http://127.0.0.1:{free_port()}"
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
