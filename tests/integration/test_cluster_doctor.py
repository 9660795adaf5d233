# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor's verdict is that of the cluster, whichever node it asks first, and names the node that is in trouble."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from restate_sandbox import Sandbox

from tests.integration.cluster import Cluster
from tests.integration.proxy import Proxy, answer, proxy_of
from tests.integration.services import Services

CUT_OFF = answer(500, {"message": "Datafusion error: External error: connection closed"})
TIMEOUT = 3.0
FIRST_OR_LAST = pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])


@pytest.fixture(scope="module")
def cluster(services: Services, python: str) -> Iterator[Cluster]:
    with Sandbox(nodes=3) as sandbox:
        cluster = Cluster(sandbox, services, python)
        cluster.release("release-1")
        yield cluster
        cluster.close()


@contextlib.contextmanager
def frozen(cluster: Cluster, *names: str) -> Iterator[None]:
    """Stop the processes of nodes, which accept connections and answer nothing, until the end of the context."""
    pids = [node.process.pid for node in cluster.sandbox.nodes if node.name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def check(cluster: Cluster, urls: list[str], **more: Any) -> Any:
    """Run the doctor with a short time-out on these nodes, and on the ingress of each node in their order."""
    ingress = {server.admin_url: server.ingress_url for server in cluster.nodes.values()}
    options = {"request_timeout": TIMEOUT, "retries": 0, "probe_services": True, **more}
    nodes = [*(url for url in urls if url in ingress), *(url for url in ingress if url not in urls)]
    server = next(iter(cluster.nodes.values()))
    return server.task("doctor", admin_url=urls, ingress_url=[ingress[url] for url in nodes], **options)


def ordered(cluster: Cluster, first_or_last: str, place: int) -> list[str]:
    """Return the URLs of the nodes, with one of them at the beginning or at the end."""
    others = [server.admin_url for name, server in cluster.nodes.items() if name != first_or_last]
    mine = [cluster.nodes[first_or_last].admin_url]
    return [*mine, *others] if place == 0 else [*others, *mine]


def statuses(examined: Any, component: str) -> dict[str, str]:
    return {node["url"]: node["status"] for node in examined[component]["nodes"]}


@FIRST_OR_LAST
def test_a_frozen_node_is_named_and_the_cluster_is_healthy(cluster: Cluster, place: int) -> None:
    leader = cluster.leader()
    urls = ordered(cluster, leader, place)
    with frozen(cluster, leader):
        cluster_answers(cluster, leader)
        started = time.monotonic()
        examined = check(cluster, urls)
        seconds = time.monotonic() - started
    cluster.sandbox.wait_until_queries_answer()

    assert examined["healthy"], examined["findings"]
    for component in ("admin", "ingress", "deployments", "services", "invocations"):
        assert examined[component]["status"] == "ok", examined[component]
    stopped = cluster.nodes[leader]
    assert statuses(examined, "admin")[stopped.admin_url] == "unreachable"
    assert statuses(examined, "ingress")[stopped.ingress_url] == "unreachable"
    assert examined["admin"]["url"] != stopped.admin_url
    found = {each["code"]: each["subjects"] for each in examined["findings"]}
    assert found["ADMIN_NODE_UNREACHABLE"] == [stopped.admin_url]
    assert found["INGRESS_NODE_UNREACHABLE"] == [stopped.ingress_url]
    assert "DRAINED_DEPLOYMENTS" not in found
    # Side by side: one time-out, and what else there is to do.
    assert seconds < 3 * TIMEOUT


def cluster_answers(cluster: Cluster, *stopped: str) -> None:
    """Wait until the others lead all partitions."""
    from waiting import wait_until

    nodes = [node for node in cluster.sandbox.nodes if node.name not in stopped]
    wait_until("queries answered", lambda: all(node.answers_queries() for node in nodes), 60)


@contextlib.contextmanager
def cut_off(cluster: Cluster, name: str) -> Iterator[Proxy]:
    """Give what stands for a node that cannot reach the others: it answers all but queries."""
    with proxy_of(cluster.nodes[name].admin_url) as proxy:
        proxy.once("POST", "^/query$", *[CUT_OFF] * 500)
        yield proxy


@FIRST_OR_LAST
def test_a_node_that_cannot_query_is_named_and_the_cluster_is_healthy(cluster: Cluster, place: int) -> None:
    with cut_off(cluster, "n1") as proxy:
        others = ordered(cluster, "n1", 0)[1:]
        examined = check(cluster, [proxy.url, *others] if place == 0 else [*others, proxy.url])

    assert examined["healthy"], examined["findings"]
    assert examined["admin"]["url"] == others[0]
    assert examined["invocations"]["status"] == "ok"
    assert statuses(examined, "admin") == {proxy.url: "degraded", others[0]: "ok", others[1]: "ok"}
    (finding,) = [each for each in examined["findings"] if each["code"] == "ADMIN_NODE_DEGRADED"]
    assert finding["subjects"] == [proxy.url]
    assert "cannot query" in finding["message"]
    assert {each["severity"] for each in examined["findings"]} == {"warning"}
    assert "needs attention" in examined["msg"]


def test_a_cluster_of_which_no_node_can_query_is_not_healthy(cluster: Cluster) -> None:
    with cut_off(cluster, "n1") as n1, cut_off(cluster, "n2") as n2, cut_off(cluster, "n3") as n3:
        examined = check(cluster, [n1.url, n2.url, n3.url])

    assert not examined["healthy"]
    assert examined["invocations"]["error"]["code"] == "RESTATE_CLUSTER_UNAVAILABLE"
    assert "CLUSTER_UNAVAILABLE" in {each["code"] for each in examined["findings"]}


def test_a_cluster_without_quorum_is_not_healthy(cluster: Cluster) -> None:
    with frozen(cluster, "n2", "n3"):
        examined = check(cluster, ordered(cluster, "n2", 0))
    cluster.sandbox.wait_until_queries_answer()

    assert not examined["healthy"]
    found = {each["code"] for each in examined["findings"] if each["severity"] == "critical"}
    assert "NO_QUORUM" in found


def test_a_whole_cluster_is_healthy_at_the_node_that_is_named_first(cluster: Cluster) -> None:
    for name, server in cluster.nodes.items():
        examined = check(cluster, ordered(cluster, name, 0))
        assert examined["healthy"]
        assert examined["findings"] == []
        assert examined["admin"]["url"] == server.admin_url
        assert set(statuses(examined, "admin").values()) == {"ok"}
