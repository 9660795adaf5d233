# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that say what helps: of a token, a proxy, an id, and of a registration that Restate refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.plain_http_service import plain_http_service
from tests.integration.proxy import Proxy
from tests.integration.registered_deployments import NEW
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on_all_versions

NOWHERE = "127.0.0.1:1"

# Tokens


@pytest.mark.parametrize("given", [{"auth_token": " token\n"}, {"headers": {"X-Api-Key": "\tkey "}}])
def test_blanks_around_a_token_do_no_harm(given: dict[str, Any], server: Server) -> None:
    examined = server.task("doctor", **given)
    assert examined["healthy"], examined["msg"]


def test_a_token_that_cannot_be_sent_is_named(server: Server, proxy: Proxy) -> None:
    refused = server.task("doctor", admin_url=proxy.url, auth_token="to\nken")
    assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
    assert "auth_token" in refused["msg"]
    assert proxy.requests == []


# Proxies


@pytest.fixture
def with_proxy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set variables of the environment that name proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch.setenv


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_named_without_its_password(variable: str, server: Server, with_proxy: Any) -> None:
    with_proxy(variable, f"http://ops:pwd-7b2e9f0c3d@{NOWHERE}")

    result = server.task("redeploy", check=True, service_url="http://release:9080", retries=0)

    assert reason(result)[0] == "RESTATE_ADMIN_UNREACHABLE"
    assert f"through the proxy http://{NOWHERE} of {variable}" in result["msg"]
    assert "NO_PROXY" in result["error"]["remedy"]
    assert "pwd-7b2e9f0c3d" not in str(result)


def test_the_doctor_names_a_dead_proxy(server: Server, with_proxy: Any) -> None:
    with_proxy("HTTP_PROXY", f"http://{NOWHERE}")
    examined = server.task("doctor", retries=0)
    assert not examined["healthy"]
    for component in ("admin", "ingress"):
        assert "of HTTP_PROXY" in examined[component]["error"]["message"]
    assert all("NO_PROXY" in finding["remedy"] for finding in examined["findings"])


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "foo"])
def test_a_kind_of_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(
    scheme: str, server: Server, proxy: Proxy, with_proxy: Any
) -> None:
    with_proxy("ALL_PROXY", f"{scheme}://ops:pwd-7b2e9f0c3d@{NOWHERE}")

    result = server.task("doctor", admin_url=proxy.url)

    code, why = reason(result)
    assert code == ("RESTATE_UNSUPPORTED" if scheme.startswith("socks5") else "RESTATE_INVALID_ARGUMENT")
    assert why == "proxy"
    assert "ALL_PROXY" in result["msg"]
    assert "error in this collection" not in result["msg"]
    assert ("pip install 'httpx[socks]'" in result["msg"]) == (code == "RESTATE_UNSUPPORTED")
    assert "pwd-7b2e9f0c3d" not in str(result)
    assert proxy.requests == []


@pytest.mark.parametrize("url", [f"http://{NOWHERE}", f"socks5://{NOWHERE}"])
def test_a_host_that_no_proxy_lists_is_reached_directly(url: str, server: Server, with_proxy: Any) -> None:
    with_proxy("ALL_PROXY", url)
    with_proxy("NO_PROXY", "127.0.0.1")
    assert server.task("doctor")["healthy"]


def test_a_proxy_that_works_is_used(server: Server, proxy: Proxy, with_proxy: Any) -> None:
    with_proxy("HTTP_PROXY", proxy.url)
    examined = server.task("doctor", ingress_url=server.admin_url)
    assert examined["admin"]["status"] == "ok"
    assert proxy.asked("GET", "/version")


# Ids


@on_all_versions
def test_an_id_that_is_none_is_an_invalid_argument_and_nothing_is_sent(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    run = server.payment("payment-1")

    for wrong in ("inv_1abc", run[:-1], f"{run}x", run.replace("inv_1", "inv_2"), "order-1"):
        for check in (True, False):
            refused = server.task(
                "resume", check=check, admin_url=proxy.url, invocation_ids=[run, wrong], skip_blocked=True
            )
            assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
            assert repr(wrong) in refused["msg"]
            assert "partitions" not in refused["msg"]
    assert proxy.requests == []


# Registrations


@on_all_versions
@pytest.mark.parametrize("http_version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_service_that_knows_no_http_2_is_registered_as_its_refusal_says(
    http_version: str, server: Server
) -> None:
    with plain_http_service(http_version=http_version) as url:
        told = run_three_times(server, "redeploy", service_url=url)

        assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "META0014")
        assert "use_http_11" in told.real["error"]["remedy"]
        assert not allows_by_force(told.real)
        cured = run_three_times(server, "redeploy", unknown=NEW, service_url=url, use_http_11=True)

    assert cured.real["changed"]


@on_all_versions
@pytest.mark.parametrize("protocol", [(1, 1), (90, 99)], ids=["too old", "too new"])
def test_a_protocol_that_the_server_does_not_speak_is_a_matter_of_the_sdk(
    protocol: tuple[int, int], server: Server
) -> None:
    with plain_http_service(*protocol) as url:
        told = run_three_times(server, "redeploy", service_url=url, use_http_11=True, breaking=True)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "META0012")
    assert "SDK" in told.real["error"]["remedy"]
    assert not allows_by_force(told.real)


def test_what_is_no_restate_service_is_not_a_matter_of_force(server: Server) -> None:
    refused = server.task("redeploy", service_url=server.admin_url, use_http_11=True, wait_timeout=1)
    assert reason(refused)[0] == "RESTATE_SERVICE_UNREACHABLE"
    assert not allows_by_force(refused)


def test_a_change_of_type_is_allowed_by_what_its_refusal_says(server: Server) -> None:
    server.release("release-1")
    url = server.serve("changed", "type-changed")

    told = run_three_times(server, "redeploy", service_url=url)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "META0006")
    assert "breaking" in told.real["error"]["remedy"]
    assert "force" not in told.real["error"]["remedy"]
    assert server.task("redeploy", service_url=url, breaking=True)["changed"]


def allows_by_force(result: dict[str, Any]) -> bool:
    remedy = result["error"]["remedy"].replace("force and breaking do not help", "")
    return "force" in remedy or "breaking" in remedy
