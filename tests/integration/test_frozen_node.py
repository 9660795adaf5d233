# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster whose first node is frozen: it keeps its connections and its ports, and never answers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from restate_sandbox import Sandbox
from waiting import SandboxError, wait_until

from tests.integration.cluster import Cluster
from tests.integration.cluster_work import (
    failed_payments,
    known_as_latest,
    paused_payments,
    retrying_orders,
    suspended_orders,
    wait_for_truth,
)
from tests.integration.proxy import after, proxy_of
from tests.integration.services import Services
from tests.integration.superseded_deployments import FORCED

TIME_OUT = 6.0
"""Longer than a query takes, 4 s, while it waits for a partition on the frozen node."""


@pytest.fixture(scope="module")
def started(services: Services, python: str) -> Iterator[Cluster]:
    with Sandbox(nodes=3) as sandbox:
        cluster = Cluster(sandbox, services, python)
        yield cluster
        cluster.close()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """Three nodes that run and hold nothing."""
    started.reset()
    return started


@contextlib.contextmanager
def frozen(cluster: Cluster, name: str) -> Iterator[None]:
    """Stop a node's process, which goes on whatever happens in the context."""
    (process,) = [node.process for node in cluster.sandbox.nodes if node.name == name]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def wait_for_failover(cluster: Cluster, name: str) -> None:
    """Wait until the other nodes have taken over what the frozen one led."""

    def all_answer() -> bool:
        try:
            others = [server for other, server in cluster.nodes.items() if other != name]
            return all(server.query("SELECT count(*) AS n FROM sys_invocation_status") for server in others)
        except (SandboxError, httpx.TransportError):
            return False

    wait_until("the other nodes answer", all_answer, 60)


def through_all(cluster: Cluster) -> dict[str, Any]:
    return {
        "admin_url": [server.admin_url for server in cluster.nodes.values()],
        "ingress_url": [server.ingress_url for server in cluster.nodes.values()],
        "request_timeout": TIME_OUT,
    }


def task(cluster: Cluster, module: str, **args: Any) -> dict[str, Any]:
    """Run a task through all nodes, and hold that it succeeds in bounded time."""
    began = time.monotonic()
    result = cluster.nodes["n2"].task(module, **through_all(cluster), **args)
    took = time.monotonic() - began
    assert not result["failed"], result["msg"]
    assert took < 2 * TIME_OUT + 15
    return result


def test_each_operation_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    keys = failed_payments(cluster, 5)
    with frozen(cluster, "n1"):
        wait_for_failover(cluster, "n1")
        seen = task(cluster, "doctor")
        assert [each["status"] for each in seen["admin"]["nodes"]] == ["unreachable", "ok", "ok"]
        recovery: dict[str, Any] = {
            "workflows": keys,
            "snapshot_dir": str(tmp_path),
            "resubmit": "original_input",
        }
        assert task(cluster, "recover_workflow", check=True, **recovery)["summary"]["recovered"] == 5
        assert task(cluster, "recover_workflow", **recovery)["summary"]["recovered"] == 5
        new_url = cluster.services.put("release-3", "release-2")
        for check in (True, False):
            assert task(cluster, "redeploy", check=check, service_url=new_url)["changed"]
        for check in (True, False):
            cleaned = task(cluster, "cleanup", check=check, service_url=new_url, remove="superseded")
            assert len(cleaned["removed"]) == 1
    wait_for_truth(
        cluster,
        "succeeded",
        lambda truth: all(each.result == "success" for each in truth.invocations.values()),
    )


def test_a_move_goes_on(cluster: Cluster) -> None:
    old, new = suspended_orders(cluster, 5)
    known_as_latest(cluster, new)
    with frozen(cluster, "n1"):
        wait_for_failover(cluster, "n1")
        for check in (True, False):
            cleaned = task(cluster, "cleanup", check=check, service_url=new.url, **FORCED)
            assert cleaned["removed"] == [old.id]
    cluster.wait_for_lists(gone=[old.id])
    assert cluster.truth().deployments == {new.id}


def paused(cluster: Cluster) -> list[str]:
    """Return what is paused, as a node that answers tells."""
    rows = cluster.nodes["n2"].query("SELECT id FROM sys_invocation_status WHERE status = 'paused'")
    return [str(row["id"]) for row in rows]


def test_a_move_that_needs_pauses_leaves_nothing_paused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    old, new = retrying_orders(cluster, 3)
    known_as_latest(cluster, new)
    with frozen(cluster, "n1"):
        wait_for_failover(cluster, "n1")
        for check in (True, False):
            cleaned = task(cluster, "cleanup", check=check, service_url=new.url, **FORCED)
            assert len(cleaned["migrated"]) == 3
            assert cleaned["removed"] == [old.id]
        assert paused(cluster) == []
    assert not list(tmp_path.rglob("*.open-actions.json"))


def test_a_move_goes_on_when_the_node_freezes_after_its_first_pause(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    old, new = retrying_orders(cluster, 3)
    known_as_latest(cluster, new)
    (process,) = [node.process for node in cluster.sandbox.nodes if node.name == "n1"]
    with proxy_of(cluster.nodes["n1"].admin_url) as first_node:
        first_node.once("PATCH", "/pause$", after(lambda: os.kill(process.pid, signal.SIGSTOP)))
        others = [cluster.nodes[name].admin_url for name in ("n2", "n3")]
        asked: dict[str, Any] = {
            "admin_url": [first_node.url, *others],
            "request_timeout": TIME_OUT,
            "service_url": new.url,
            **FORCED,
        }
        try:
            first = cluster.nodes["n2"].task("cleanup", **asked)
            assert first_node.is_used_up
            wait_for_failover(cluster, "n1")
            # What the first task could not move, it has named or kept for this one.
            again = cluster.nodes["n2"].task("cleanup", **asked)
            left = paused(cluster)
        finally:
            os.kill(process.pid, signal.SIGCONT)
    assert not again["failed"], (first["msg"], again["msg"])
    assert left == []
    assert not list(tmp_path.rglob("*.open-actions.json"))
    cluster.wait_for_lists(gone=[old.id])
    truth = wait_for_truth(
        cluster,
        "succeeded",
        lambda truth: all(each.result == "success" for each in truth.invocations.values()),
    )
    assert truth.deployments == {new.id}


def test_a_resume_goes_on(cluster: Cluster) -> None:
    paused_payments(cluster, 3)
    cluster.services.put("release-1", "release-2")
    with frozen(cluster, "n1"):
        wait_for_failover(cluster, "n1")
        for check in (True, False):
            resumed = task(cluster, "resume", check=check, select={"limit": 9, "kinds": ["paused"]})
            assert resumed["summary"]["resumed"] == 3


def test_a_task_that_starts_before_the_failover_waits_for_it(cluster: Cluster) -> None:
    paused_payments(cluster, 3)
    cluster.services.put("release-1", "release-2")
    with frozen(cluster, "n1"):
        resumed = task(cluster, "resume", select={"limit": 9, "kinds": ["paused"]})
    assert resumed["summary"]["resumed"] == 3
