# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of a sandbox: one server alone, or a cluster whose nodes can be killed and started again."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import npm
from owned_processes import OwnedProcesses
from restate_server import PARTITIONS, NodeSettings, PortTakenError, RestateServer, free_ports, install
from waiting import SandboxError, wait_until

NODE_COUNTS = (1, 3)
"""How many nodes a sandbox can have. Three is the least of which one can be missing."""

_START_ATTEMPTS = 3
_CLUSTER_TIMEOUT = 60.0
_REPLICATION = 2
_CTL_TIMEOUT = 10.0


class Cluster:
    """Nodes that run. All of them answer, unless they were killed."""

    def __init__(self, nodes: tuple[RestateServer, ...], restatectl: Path | None) -> None:
        self.nodes = nodes
        self._restatectl = restatectl

    def node(self, name: str) -> RestateServer:
        """Give the node of this name. Raises SandboxError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise SandboxError(f"there is no node {name!r} among {', '.join(each.name for each in self.nodes)}")

    def restart(self, name: str) -> None:
        """Start a node that was killed, and wait until the cluster has all its copies again."""
        node = self.node(name)
        if not node.is_running:
            node.start()
        node.wait()
        self.wait_until_whole()

    def wait_until_queries_answer(self) -> None:
        """Wait until each node that runs answers queries, also those that scan all partitions.

        After the death of a leader, that takes some two seconds.
        """

        def all_answer() -> bool:
            return all(node.answers_queries() for node in self.nodes if node.is_running)

        wait_until("queries answered", all_answer, _CLUSTER_TIMEOUT)

    def wait_until_whole(self) -> None:
        """Wait until all nodes answer queries, and each partition has its leader and its copy."""
        self.wait_until_queries_answer()
        if len(self.nodes) > 1:
            wait_until("a leader and a copy of each partition", self._is_whole, _CLUSTER_TIMEOUT)

    def leaders(self) -> dict[int, str]:
        """Give the name of the node that leads, by partition; a partition without a leader is missing.

        Raises SandboxError for a server alone.
        """
        names = {row["plain_node_id"]: row["name"] for row in self._ask_restatectl("nodes")}
        return {
            int(row["partition_id"]): names[row["plain_node_id"]]
            for row in self._ask_restatectl("partition_state")
            if row["effective_mode"] == "Leader"
        }

    def _is_whole(self) -> bool:
        active = [row for row in self._ask_restatectl("partition_state") if row["replay_status"] == "active"]
        led = [row for row in active if row["effective_mode"] == "Leader"]
        return len(led) == PARTITIONS and len(active) >= _REPLICATION * PARTITIONS

    def _ask_restatectl(self, table: str) -> list[dict[str, Any]]:
        """Give the rows of a table that only restatectl shows; none where the cluster cannot be asked now."""
        if self._restatectl is None:
            raise SandboxError("a server alone has no leaders")
        addresses = ",".join(node.fabric_url for node in self.nodes if node.is_running)
        command = [str(self._restatectl), "--address", addresses, "sql", "--json", f"SELECT * FROM {table}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CTL_TIMEOUT)
        if done.returncode != 0:
            return []
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


def start(
    version: str,
    processes: OwnedProcesses,
    cache: Path,
    count: int,
    environment: Mapping[str, str] | None = None,
) -> Cluster:
    """Install and start a server, or a cluster of `count` nodes, and wait until it is ready.

    The `environment` is given to each node, besides its own.
    Raises SandboxError with the end of a log when it is not.
    """
    if count not in NODE_COUNTS:
        raise SandboxError(f"a sandbox has {' or '.join(map(str, NODE_COUNTS))} nodes, not {count}")
    binary = install(version, cache, processes)
    restatectl = None
    if count > 1:
        restatectl = npm.install("restatectl", version, cache / f"restatectl-{version}", cache, processes)
    for attempt in range(1, _START_ATTEMPTS + 1):
        home = processes.directory / f"server-{attempt}"
        nodes = tuple(
            RestateServer(version, binary, processes, home / each.name, each)
            for each in _settings(count, environment or {})
        )
        try:
            _start_all(nodes)
        except PortTakenError:
            if attempt == _START_ATTEMPTS:
                raise
        else:
            cluster = Cluster(nodes, restatectl)
            cluster.wait_until_whole()
            return cluster
    raise AssertionError("unreachable")


def _start_all(nodes: tuple[RestateServer, ...]) -> None:
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait()
    except BaseException:
        for node in nodes:
            node.kill()
        raise


def _settings(count: int, environment: Mapping[str, str]) -> list[NodeSettings]:
    cluster = f"sandbox-{secrets.token_hex(4)}"
    ports = free_ports(3 * count)
    fabric_ports = ports[2::3]
    settings = []
    for number in range(count):
        admin, ingress, fabric = ports[3 * number : 3 * number + 3]
        name = "sandbox" if count == 1 else f"n{number + 1}"
        of_cluster = {} if count == 1 else _of_cluster(fabric_ports, is_first=number == 0)
        settings.append(NodeSettings(name, cluster, admin, ingress, fabric, {**of_cluster, **environment}))
    return settings


def _of_cluster(fabric_ports: list[int], is_first: bool) -> dict[str, str]:
    """Give what a node is told to be one of several: all know where all are, and the first one founds the cluster."""
    return {
        "RESTATE_AUTO_PROVISION": "true" if is_first else "false",
        "RESTATE_DEFAULT_REPLICATION": str(_REPLICATION),
        "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps(
            [f"http://127.0.0.1:{port}" for port in fabric_ports]
        ),
        "RESTATE_METADATA_SERVER__TYPE": "replicated",
    }
