# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of three nodes as a test uses it: tasks go to one node while another one, or the same, is killed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx
from restate_sandbox import Sandbox
from waiting import SandboxError, wait_until

from tests.integration.server import Deployment, Server
from tests.integration.services import Services

_SETTLED_TIMEOUT = 30.0
_RESET_TIMEOUT = 90.0
_LIST_LAG = 15.0
_ROWS = (
    "SELECT id, target_service_name, target_service_key, target_handler_name, status, created_at, completion_result, "
    "pinned_deployment_id FROM sys_invocation_status"
)


@dataclass(frozen=True)
class Seen:
    """An invocation as it was seen at one moment; `is_paused` and `is_completed` are all of its status that stays."""

    service: str
    key: str
    handler: str
    created_at: str
    deployment: str | None
    result: str | None
    is_paused: bool
    is_completed: bool


@dataclass(frozen=True)
class Truth:
    """What a cluster holds: invocations by id, the state of keys by service and key, the ids of deployments."""

    invocations: dict[str, Seen]
    states: dict[tuple[str, str], dict[str, str]]
    deployments: frozenset[str]


class Cluster:
    """The nodes, each as a Server of its own."""

    def __init__(self, sandbox: Sandbox, services: Services, python: str) -> None:
        self.sandbox = sandbox
        self.services = services
        self.nodes = {node.name: Server(sandbox, services, python, node) for node in sandbox.nodes}
        self._reset_error = ""

    def close(self) -> None:
        """Close the connections."""
        for server in self.nodes.values():
            server.close()

    def leader(self) -> str:
        """The name of the node that leads most partitions."""
        return Counter(self.sandbox.leaders().values()).most_common(1)[0][0]

    def others(self, *names: str) -> list[str]:
        """The names of the nodes that run, without these."""
        return [node.name for node in self.sandbox.nodes if node.is_running and node.name not in names]

    def reset(self) -> None:
        """Start what was killed, and make the cluster blank."""
        for node in self.sandbox.nodes:
            if not node.is_running:
                self.sandbox.restart(node.name)
        wait_until("the cluster is blank", self._has_reset, _RESET_TIMEOUT, seen=lambda: self._reset_error)

    def release(self, name: str) -> Deployment:
        """Serve and register a variant, and wait until each node that runs knows it."""
        servers = [self.nodes[each] for each in self.others()]
        deployment = servers[0].release(name)
        wait_until(
            f"{name} known at each node",
            lambda: all(deployment.id in server.deployment_ids() for server in servers),
        )
        return deployment

    def wait_for_lists(self, *, gone: Collection[str] = (), there: Collection[str] = ()) -> None:
        """Give the nodes the time by which their lists of deployments may lag behind what one of them was told."""
        servers = [self.nodes[each] for each in self.others()]

        def have_caught_up() -> bool:
            try:
                lists = [set(server.deployment_ids()) for server in servers]
            except (SandboxError, httpx.TransportError):
                return False
            return all(ids.isdisjoint(gone) and ids.issuperset(there) for ids in lists)

        # Where they do not catch up, the truth shows it.
        with contextlib.suppress(SandboxError):
            wait_until("the lists have caught up", have_caught_up, _LIST_LAG)

    def _has_reset(self) -> bool:
        """Make it blank; False where a partition was just going from one node to another."""
        try:
            next(iter(self.nodes.values())).reset()
        except (SandboxError, httpx.TransportError) as error:
            self._reset_error = str(error)
            return False
        return True

    def truth(self) -> Truth:
        """What the nodes that run hold, once all of them say the same twice in a row."""
        self.sandbox.wait_until_queries_answer()
        servers = [self.nodes[name] for name in self.others()]
        last: list[Truth | None] = [None]

        def settled() -> Truth | None:
            truths = [_truth(server) for server in servers]
            earlier, last[0] = last[0], truths[0]
            return truths[0] if all(each == earlier for each in truths) else None

        return wait_until("the nodes agree", settled, _SETTLED_TIMEOUT)


def _truth(server: Server) -> Truth | None:
    """Look through one node. None where it cannot answer now, as just after another one was killed."""
    try:
        invocations = {row["id"]: _seen(row) for row in server.query(_ROWS)}
        states: dict[tuple[str, str], dict[str, str]] = {}
        for row in server.query("SELECT service_name, service_key, key, value_utf8 FROM state"):
            state = states.setdefault((row["service_name"], row["service_key"]), {})
            state[row["key"]] = row.get("value_utf8", "")
        return Truth(invocations, states, frozenset(server.deployment_ids()))
    except (SandboxError, httpx.TransportError):
        return None


def _seen(row: dict[str, Any]) -> Seen:
    return Seen(
        row["target_service_name"],
        row.get("target_service_key", ""),
        row["target_handler_name"],
        row["created_at"],
        row.get("pinned_deployment_id"),
        row.get("completion_result"),
        is_paused=row["status"] == "paused",
        is_completed=row["status"] == "completed",
    )
