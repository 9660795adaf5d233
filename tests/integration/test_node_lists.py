# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node whose list of deployments is old: a task goes by the list of most nodes, and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.ansible_task import prepare
from tests.integration.proxy import Fault, Proxy, answer, changed, proxy_of
from tests.integration.server import Server

OLD = changed(lambda body: {"deployments": body["deployments"][:-1]})
ALWAYS = 200


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a list be stale for a second, in the process of a task, too."""
    # The collection can be imported once Ansible has been told where it is.
    prepare()
    from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments import node_lists

    monkeypatch.setattr(node_lists, "STALE_READ_SECONDS", 1)


@contextlib.contextmanager
def nodes(server: Server, *faults: tuple[Fault, int] | None) -> Iterator[list[Proxy]]:
    """Give nodes of one cluster: the lists of deployments of each are what its fault makes of them, so often."""
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(proxy_of(server.admin_url)) for _ in faults]
        for proxy, fault in zip(proxies, faults, strict=True):
            if fault:
                proxy.once("GET", "^/deployments$", *[fault[0]] * fault[1])
        yield proxies


def urls(proxies: list[Proxy]) -> list[str]:
    return [proxy.url for proxy in proxies]


def about_lists(result: Any) -> list[str]:
    return [each for each in result.get("warnings", []) if "list other deployments" in each]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_redeploy_goes_by_the_list_of_most_nodes(server: Server, place: int) -> None:
    deployment = server.release("release-1")
    faults: list[Any] = [None, None, None]
    faults[place] = (OLD, ALWAYS)

    with nodes(server, *faults) as proxies:
        dry = server.task("redeploy", check=True, admin_url=urls(proxies), service_url=deployment.url)
        real = server.task("redeploy", admin_url=urls(proxies), service_url=deployment.url)

    for result in (dry, real):
        assert not result["failed"], result["msg"]
        assert not result["changed"]
        assert result["deployment_id"] == deployment.id
        (warning,) = about_lists(result)
        assert f"1 node list other deployments than {proxies[1 if place == 0 else 0].url}" in warning
        assert f"{proxies[place].url}: {deployment.id}" in warning


def test_lists_that_agree_in_the_end_cause_no_warning(server: Server) -> None:
    deployment = server.release("release-1")

    with nodes(server, (OLD, 1), None) as proxies:
        dry = server.task("redeploy", check=True, admin_url=urls(proxies), service_url=deployment.url)

    assert not dry["changed"], dry["msg"]
    assert about_lists(dry) == []


def test_a_node_that_does_not_list_is_not_compared(server: Server) -> None:
    deployment = server.release("release-1")

    with nodes(server, None, (answer(500), ALWAYS)) as proxies:
        dry = server.task("redeploy", check=True, admin_url=urls(proxies), service_url=deployment.url)

    assert not dry["failed"], dry["msg"]
    assert about_lists(dry) == []


def test_one_node_is_asked_for_its_list_once(server: Server) -> None:
    deployment = server.release("release-1")

    with nodes(server, None) as (proxy,):
        server.task("redeploy", check=True, admin_url=proxy.url, service_url=deployment.url)

    assert proxy.asked("GET", "/deployments") == 1


def test_doctor_names_the_node_whose_list_is_old(server: Server) -> None:
    deployment = server.release("release-1")

    with nodes(server, (OLD, ALWAYS), None, None) as proxies:
        examined = server.task("doctor", admin_url=urls(proxies))

    (finding,) = [each for each in examined["findings"] if each["code"] == "NODE_LISTS_DIFFER"]
    assert finding["subjects"] == [proxies[0].url]
    assert deployment.id in finding["message"]
    assert [each["id"] for each in examined["deployments"]["items"]] == [deployment.id]


def test_doctor_goes_by_a_node_that_can_query(server: Server) -> None:
    server.release("release-1")
    cut_off = answer(500, {"message": "Datafusion error: External error: connection closed"})

    with nodes(server, None, None) as proxies:
        proxies[0].once("POST", "^/query$", *[cut_off] * ALWAYS)
        examined = server.task("doctor", admin_url=urls(proxies), retries=0)

    assert examined["healthy"], examined["findings"]
    assert examined["admin"]["url"] == proxies[1].url
    assert [node["status"] for node in examined["admin"]["nodes"]] == ["degraded", "ok"]
    assert [each["code"] for each in examined["findings"]] == ["ADMIN_NODE_DEGRADED"]
    assert examined["findings"][0]["subjects"] == [proxies[0].url]


@pytest.mark.parametrize("place", [0, 2])
def test_cleanup_goes_by_the_list_of_most_nodes(server: Server, place: int) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    faults: list[Any] = [None, None, None]
    faults[place] = (OLD, ALWAYS)

    with nodes(server, *faults) as proxies:
        for check in (True, False):
            result = server.task(
                "cleanup", check=check, admin_url=urls(proxies), service_url=new.url, drain_timeout=0
            )
            assert not result["failed"], result["msg"]
            assert result["removed"] == [old.id]
            assert len(about_lists(result)) == 1
