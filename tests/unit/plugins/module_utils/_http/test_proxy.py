# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which proxy of the environment a request goes through, and what is said where that does not let it through."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.proxy import proxy_of
from ansible_collections.dalp.restate.tests.unit.asking import VERSION, client, failure, free_port
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import answer

P = "http://proxy:3128"


@pytest.mark.parametrize(("url", "environment", "expected"), [
    pytest.param("http://h:9070", {}, None, id="none"),
    pytest.param("http://h:9070", {"HTTP_PROXY": ""}, None, id="an empty variable"),
    pytest.param("http://h:9070", {"HTTP_PROXY": P}, (P, "HTTP_PROXY"), id="for http"),
    pytest.param("http://h:9070", {"http_proxy": P}, (P, "http_proxy"), id="in lower case"),
    pytest.param("http://h:9070", {"HTTPS_PROXY": P}, None, id="of the other scheme"),
    pytest.param("https://h:9070", {"HTTPS_PROXY": P}, (P, "HTTPS_PROXY"), id="for https"),
    pytest.param("https://h:9070", {"ALL_PROXY": P}, (P, "ALL_PROXY"), id="for all"),
    pytest.param("http://h:9070", {"ALL_PROXY": "http://other", "HTTP_PROXY": P}, (P, "HTTP_PROXY"), id="the scheme's own first"),
    pytest.param("http://h:9070", {"HTTP_PROXY": "proxy:3128"}, (P, "HTTP_PROXY"), id="without a scheme"),
    pytest.param("http://h:9070", {"HTTP_PROXY": P, "NO_PROXY": "other, h"}, None, id="a host that is excepted"),
    pytest.param("http://h:9070", {"HTTP_PROXY": P, "NO_PROXY": "h:9070"}, None, id="with its port"),
    pytest.param("http://h:9070", {"HTTP_PROXY": P, "NO_PROXY": "h:8080"}, (P, "HTTP_PROXY"), id="with another port"),
    pytest.param("http://a.example.com", {"HTTP_PROXY": P, "NO_PROXY": ".example.com"}, None, id="of a domain that is excepted"),
    pytest.param("http://example.com.evil", {"HTTP_PROXY": P, "NO_PROXY": "example.com"}, (P, "HTTP_PROXY"), id="only of that domain"),
    pytest.param("http://h:9070", {"HTTP_PROXY": P, "NO_PROXY": "*"}, None, id="all excepted"),
    pytest.param("http://[::1]:9070", {"HTTP_PROXY": P, "NO_PROXY": "::1"}, None, id="an IPv6 address"),
    pytest.param("http://[::1]:9070", {"HTTP_PROXY": P, "NO_PROXY": "[::1]"}, None, id="in brackets"),
    pytest.param("http://u:p@127.0.0.1:9070", {"HTTP_PROXY": P, "NO_PROXY": "127.0.0.1"}, None, id="a URL with userinfo"),
])  # fmt: skip
def test_proxy_of(
    url: str, environment: dict[str, str], expected: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == expected


def test_a_request_goes_through_the_proxy_with_its_userinfo(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(VERSION)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://ops:hunter22@"))
    assert client("http://restate.example:9070").version.version == "1.7.12"
    assert proxy.calls == ["GET http://restate.example:9070/version"]
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic b3BzOmh1bnRlcjIy"


@pytest.mark.parametrize("options", [{}, {"request_timeout": 0.2}], ids=["refused", "in time"])
def test_a_proxy_that_is_not_there_is_named_without_its_userinfo(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HTTP_PROXY", f"http://ops:hunter22@127.0.0.1:{port}")
    error = failure(lambda: client("http://restate.example:9070", retries=0, **options).version)
    assert error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert "GET http://restate.example:9070/version through the proxy" in error.message
    assert f"http://127.0.0.1:{port} of HTTP_PROXY" in error.message
    assert "NO_PROXY" in error.remedy
    assert "HTTP_PROXY" in error.remedy
    assert "hunter22" not in f"{error} {error.to_result()}"


@pytest.mark.parametrize("status", [407, 502])
def test_what_a_proxy_answers_in_the_servers_place_names_the_proxy(
    status: int, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answer(status, b"<html>no"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    error = failure(lambda: client("http://restate.example:9070", retries=0).version)
    assert f"through the proxy {proxy.url} of HTTP_PROXY answered {status}" in error.message
    if status == 407:
        assert (error.code, error.reason) == ("RESTATE_ADMIN_UNREACHABLE", "proxy")
        assert "credentials" in error.remedy


@pytest.mark.parametrize(("url", "code"), [
    pytest.param("socks5://ops:hunter22@127.0.0.1:1080", "RESTATE_UNSUPPORTED", id="no library for it"),
    pytest.param("socks4://ops:hunter22@127.0.0.1:1080", "RESTATE_INVALID_ARGUMENT", id="a kind that is not known"),
    pytest.param("http://ops:hunter22@127.0.0.1:port", "RESTATE_INVALID_ARGUMENT", id="no URL"),
    pytest.param("http://", "RESTATE_INVALID_ARGUMENT", id="no host"),
])  # fmt: skip
def test_a_proxy_that_cannot_be_used_is_refused_by_its_variable(
    url: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    error = failure(lambda: client("http://restate.example:9070"))
    assert (error.code, error.reason) == (code, "proxy")
    assert "ALL_PROXY" in f"{error.message} {error.remedy}"
    assert "NO_PROXY" in error.remedy
    assert "hunter22" not in f"{error} {error.remedy}"


def test_a_proxy_that_cannot_be_used_does_not_matter_where_the_host_is_excepted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert client(serve(VERSION).url).version.version == "1.7.12"
