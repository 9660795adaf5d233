# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A random world: applications with several revisions, and invocations of every state on each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import httpx
from waiting import SandboxError, wait_until

from tests.integration.server import Deployment, Server

_ORDERS = ("release-2", "order-only", "handler-removed", "extra-service", "journal-changed", "callers")
_APPLICATIONS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "orders": (("release-1",), (*_ORDERS, "release-1")),
    "basket": (("basket-object",), ("basket-object",)),
    "slow": (("slow-start-1",), ("slow-start-2", "slow-start-1")),
    "forgetful": (("zero-retention",), ("zero-retention",)),
    "blobs": (("blobs",), ("blobs",)),
}
"""By name: the variants of an application's first release, and of the later ones."""
_NOTHING_NEW = "SELECT id, status, pinned_deployment_id FROM sys_invocation_status"


class World:
    """What is on a server; `told` lists how it was made, for whoever repeats it."""

    def __init__(self, server: Server, random: Random) -> None:
        self.server = server
        self.random = random
        self.deployments: list[Deployment] = []
        self.variants: dict[str, str] = {}
        """By the name under which a deployment is served."""
        self.unregistered: list[str] = []
        """URLs that are served and not registered."""
        self.invocations: list[str] = []
        self.told: list[str] = []
        self._number = 0

    def make(self) -> None:
        """Make the applications one after the other, then let some endpoints die and some work be stranded."""
        names = [
            "orders",
            *self.random.sample(sorted(set(_APPLICATIONS) - {"orders"}), self.random.randint(0, 2)),
        ]
        for name in names:
            self._make_application(name)
        self._make_endpoints()
        self._disturb()

    def _make_application(self, name: str) -> None:
        first, later = _APPLICATIONS[name]
        for number in range(self.random.randint(1, 3)):
            variant = self.random.choice(first if number == 0 else later)
            url_name = f"{name}-{number}"
            try:
                # A release may lack handlers or services that the one before has.
                deployment = self.server.release(url_name, variant, breaking=False, force=True)
            except AssertionError as error:
                self.told.append(f"{url_name} ({variant}) refused: {error}"[:120])
                continue
            self.deployments.append(deployment)
            self.variants[url_name] = variant
            self.told.append(f"{url_name}: {variant}")
            for _each in range(self.random.randint(0, 3)):
                self._add_work(name, variant)

    def _add_work(self, application: str, variant: str) -> None:
        recipes = _RECIPES[application]
        name = self.random.choice(sorted(recipes))
        self._number += 1
        try:
            found = recipes[name](self.server, f"k{self._number}", variant)
        except SandboxError as error:
            self.told.append(f"{name} on {variant} failed: {error}"[:160])
            return
        self.told.append(f"{name} k{self._number} on {variant}")
        self.invocations += found

    def _make_endpoints(self) -> None:
        url = self.server.serve("unregistered", self.random.choice(["release-1", *_ORDERS]))
        self.unregistered.append(url)

    def _disturb(self) -> None:
        chance = self.random.random
        if self.deployments and chance() < 0.25:
            victim = self.random.choice(self.deployments)
            self.server.services.put(victim.url.rpartition("/")[2], None)
            self.told.append(f"dead: {victim.url.rpartition('/')[2]}")
        if len(self.deployments) > 1 and chance() < 0.2:
            victim = self.random.choice(self.deployments[:-1])
            self.server.delete(victim.id)
            self.deployments.remove(victim)
            self.told.append(f"deleted: {victim.url.rpartition('/')[2]}")
        if self.deployments and chance() < 0.2:
            changed = self.random.choice(self.deployments)
            name = changed.url.rpartition("/")[2]
            if name.startswith("orders"):
                variant = self.random.choice(_ORDERS)
                self.server.serve(name, variant)
                self.told.append(f"changed: {name} offers {variant}")

    def settle(self) -> None:
        """Wait until nothing moves by itself, but for retries."""
        last: list[Any] = [None]

        def is_still() -> bool:
            now = self.server.snapshot()
            earlier, last[0] = last[0], now
            return bool(now == earlier)

        wait_until("the world is still", is_still)


Recipe = Callable[[Server, str, str], list[str]]


def _order(mode: str, **more: Any) -> Recipe:
    def make(server: Server, key: str, variant: str) -> list[str]:
        if mode == "retry" and variant != "release-1":
            return [server.order(key, "wait")]
        return [server.order(key, mode, **more)]

    return make


def _payment(server: Server, key: str, variant: str) -> list[str]:
    if variant == "order-only":
        return []
    run = server.submit("PaymentWorkflow", key, "run", {})
    server.wait_for_row(run, lambda row: row["status"] in ("paused", "completed"))
    return [run]


def _killed(server: Server, key: str, _variant: str) -> list[str]:
    run = server.order(key, "wait")
    server.api.kill([run])
    server.completed(run)
    return [run]


def _paused_by_hand(server: Server, key: str, variant: str) -> list[str]:
    run = _order("retry")(server, key, variant)[0]
    answer = server.http.patch(f"/invocations/{run}/pause")
    if answer.is_success:
        server.wait_for_row(run, lambda row: row["status"] == "paused")
    return [run]


def _scheduled(service: str, handler: str) -> Recipe:
    def make(server: Server, key: str, _variant: str) -> list[str]:
        path = f"/{service}/{key}/{handler}/send?delay=1h"
        return [server.send(path, json={"mode": "ok"})]

    return make


def _shared(server: Server, key: str, variant: str) -> list[str]:
    if variant == "handler-removed":
        return []
    return [server.await_approval(key)]


def _counter(server: Server, key: str, variant: str) -> list[str]:
    return (
        [] if variant == "order-only" else [server.completed(server.submit("Counter", key, "add", 1))["id"]]
    )


def _basket(server: Server, key: str, _variant: str) -> list[str]:
    run = server.submit("Basket", key, "run", {})
    server.wait_for_row(run, lambda row: "pinned_deployment_id" in row)
    return [run]


def _inboxed(server: Server, key: str, variant: str) -> list[str]:
    return [*_basket(server, key, variant), server.submit("Basket", key, "run", {})]


def _slow(server: Server, _key: str, _variant: str) -> list[str]:
    run = server.send("/SlowStarter/begin/send", json=3600)
    server.wait_for_row(run, lambda row: row["status"] in ("running", "suspended", "completed"))
    return [run]


def _slow_and_scheduled(server: Server, _key: str, _variant: str) -> list[str]:
    return [server.send("/SlowStarter/begin/send?delay=1h", json=1)]


def _forgetful(server: Server, key: str, _variant: str) -> list[str]:
    server.submit("ForgetfulWorkflow", key, "run", {})
    return []


def _blob(server: Server, key: str, _variant: str) -> list[str]:
    headers = {"content-type": "application/octet-stream"}
    run = server.send(f"/BlobWorkflow/{key}/run/send", content=b"\x00\x01", headers=headers)
    server.completed(run)
    return [run]


_RECIPES: dict[str, dict[str, Recipe]] = {
    "orders": {
        **{mode: _order(mode) for mode in ("ok", "fail", "retry", "wait")},
        "slow": _order("slow", milliseconds=3_600_000),
        "payment": _payment,
        "killed": _killed,
        "paused": _paused_by_hand,
        "scheduled": _scheduled("OrderWorkflow", "run"),
        "shared": _shared,
        "counter": _counter,
    },
    "basket": {"basket": _basket, "inboxed": _inboxed, "scheduled": _scheduled("Basket", "run")},
    "slow": {"slow": _slow, "scheduled": _slow_and_scheduled},
    "forgetful": {"forgetful": _forgetful},
    "blobs": {"blob": _blob},
}


def rows_by_id(server: Server) -> dict[str, dict[str, Any]]:
    """Return all invocations by id."""
    columns = "id, status, pinned_deployment_id, completion_result, created_at, target_service_key"
    return {row["id"]: row for row in server.query(f"SELECT {columns} FROM sys_invocation_status")}


def is_reachable(server: Server) -> bool:
    """Whether the server still answers."""
    try:
        return server.http.get("/health").is_success
    except httpx.TransportError:
        return False
