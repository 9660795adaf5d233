# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on a cluster that is there to be recovered or moved."""

from __future__ import annotations

from collections.abc import Callable

from waiting import wait_until

from tests.integration.cluster import Cluster, Truth
from tests.integration.server import Deployment, Server

_ROWS = "SELECT id FROM sys_invocation WHERE"


def failed_payments(cluster: Cluster, count: int) -> list[dict[str, str]]:
    """Make runs of PaymentWorkflow that failed, and would succeed if they were submitted again; give their keys."""
    keys = paused_payments(cluster, count)
    server = _server(cluster)

    def have_failed() -> bool:
        server.api.kill(str(row["id"]) for row in server.query(f"{_ROWS} status = 'paused'"))
        return len(server.query(f"{_ROWS} completion_result = 'failure'")) == count

    wait_until(f"{count} failed", have_failed)
    server.serve("release-1", "release-2")
    return keys


def paused_payments(cluster: Cluster, count: int, prefix: str = "payment") -> list[dict[str, str]]:
    """Make runs of PaymentWorkflow that are paused on release 1; give their keys."""
    cluster.release("release-1")
    server = _server(cluster)
    keys = [f"{prefix}-{number}" for number in range(count)]
    for key in keys:
        server.submit("PaymentWorkflow", key, "run", {})
    _wait_for(server, "status = 'paused'", count)
    return [{"service_name": "PaymentWorkflow", "service_key": key} for key in keys]


def suspended_orders(cluster: Cluster, count: int) -> tuple[Deployment, Deployment]:
    """Make runs that wait on release 1 and are suspended; give it and release 2."""
    old = cluster.release("release-1")
    quickly = {"inactivity_timeout": "100ms"}
    assert _server(cluster).http.patch("/services/OrderWorkflow", json=quickly).is_success
    _submit_orders(cluster, count, "wait", "status = 'suspended'")
    return old, cluster.release("release-2")


def retrying_orders(cluster: Cluster, count: int) -> tuple[Deployment, Deployment]:
    """Make runs that keep retrying on release 1; give it and release 2, which cures them."""
    old = cluster.release("release-1")
    _submit_orders(cluster, count, "retry", "retry_count >= 3")
    return old, cluster.release("release-2")


def known_as_latest(cluster: Cluster, deployment: Deployment) -> None:
    """Wait until the deployment is the latest of OrderWorkflow at each node that runs."""
    servers = [cluster.nodes[name] for name in cluster.others()]

    def everywhere() -> bool:
        return all(
            server.service("OrderWorkflow").get("deployment_id") == deployment.id for server in servers
        )

    wait_until("latest at each node", everywhere)


def wait_for_truth(cluster: Cluster, what: str, there: Callable[[Truth], bool]) -> Truth:
    """Wait until what the cluster holds is as asked, and give it."""

    def look() -> Truth | None:
        truth = cluster.truth()
        return truth if there(truth) else None

    return wait_until(what, look)


def _submit_orders(cluster: Cluster, count: int, mode: str, reached: str) -> None:
    server = _server(cluster)
    for number in range(count):
        server.submit("OrderWorkflow", f"order-{number}", "run", {"mode": mode})
    _wait_for(server, f"{reached} AND pinned_deployment_id IS NOT NULL", count)


def _wait_for(server: Server, condition: str, count: int) -> None:
    wait_until(
        f"{count} with {condition}", lambda: len(server.query(f"{_ROWS} {condition}")) == count, timeout=60
    )


def _server(cluster: Cluster) -> Server:
    return cluster.nodes[cluster.others()[0]]
