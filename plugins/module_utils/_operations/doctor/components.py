# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor observed, component by component."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.rows import (
    Invocation,
    InvocationsByPlace,
    JournalEvent,
    PendingCount,
)
from ..._restate.wire import Registration
from ..deployments.node_lists import OddLists
from ..deployments.registry import Registry

RECENT_FAILURES = 20
FAILURE_TEXT = 500
"""How much of a failure's text is shown."""
LONG_RETRYING = 10
"""From this many attempts on, an invocation that is being retried is a finding; by Restate's default, 4 minutes."""

COMPONENTS = ("admin", "ingress", "deployments", "services", "invocations")


@dataclass(frozen=True)
class Component:
    """What a component answered: O(value), or O(error) with as much of the value as was told all the same."""

    value: t.Any = None
    error: OperatorError | None = None
    latency_ms: int | None = None

    @property
    def status(self) -> str:
        """V(ok), V(degraded) where it answered otherwise than expected, V(unreachable) where it did not answer."""
        if self.error is None:
            return "ok"
        return "unreachable" if self.error.code == "RESTATE_ADMIN_UNREACHABLE" else "degraded"

    def to_result(self, contents: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the component as the result shows it; where nothing was told, there are no contents."""
        is_told = self.error is None or self.value is not None
        error = self.error.to_result() if self.error else None
        return {"status": self.status, **(contents if is_told else {}), "error": error}


@dataclass(frozen=True)
class Node:
    """What answers at one of several URLs, as it may be shown."""

    url: str
    asked: Component
    queried: Component | None = None
    """Whether it can query all partitions; None if that was not asked, as of an ingress."""

    @property
    def error(self) -> OperatorError | None:
        """What is wrong with it."""
        return self.asked.error or (self.queried.error if self.queried else None)

    @property
    def status(self) -> str:
        """V(ok), V(degraded) where it answers but cannot query, too, or V(unreachable)."""
        return "degraded" if self.asked.error is None and self.error else self.asked.status

    @property
    def version(self) -> str | None:
        """The version of the server."""
        return getattr(self.asked.value, "version", None)

    def to_result(self) -> dict[str, t.Any]:
        """Return the node as the result shows it."""
        told = {"latency_ms": self.asked.latency_ms, "version": self.version}
        return {
            "url": self.url,
            "status": self.status,
            **{name: value for name, value in told.items() if value is not None},
            "error": self.error.to_result() if self.error else None,
        }


Components = t.Mapping[str, Component]


class Doing(t.NamedTuple):
    """How many unfinished invocations do the same; O(retried_often) where that is being retried for long."""

    status: str
    retried_often: bool
    n: int


@dataclass(frozen=True)
class Invocations:
    """What the SQL introspection says of all invocations."""

    by_place: t.Sequence[InvocationsByPlace] = ()
    unfinished: t.Sequence[Doing] = ()
    pending: t.Sequence[PendingCount] = ()
    failed: t.Sequence[Invocation] = ()
    """Those that failed for good last."""
    unsettled: t.Sequence[Invocation] = ()
    """Those that are paused or being retried, the last touched first."""
    events: t.Sequence[JournalEvent] = ()
    """Why the unsettled ones are, where their rows do not tell."""
    zombies: t.Sequence[Invocation] = ()


@dataclass(frozen=True)
class Observed:
    """What was observed of a server, at its URLs as they may be shown.

    O(probes) are, by id, what those that are the latest for a service offer now, or why they were not told. O(nodes)
    are, by component, the answers of each of several URLs. O(subscriptions) is what was told of Kafka subscriptions.
    `odd_lists` are the nodes that list other deployments than most.
    """

    components: Components
    admin_url: str
    ingress_url: str
    probes: t.Mapping[str, Registration | OperatorError] = field(default_factory=dict)
    nodes: t.Mapping[str, t.Sequence[Node]] = field(default_factory=dict)
    odd_lists: OddLists | None = None
    subscriptions: Component = Component(value=())


def registry_of(components: Components) -> Registry | None:
    """Return what is registered, or None unless deployments and services both answered."""
    deployments, services = components["deployments"], components["services"]
    if deployments.error or services.error:
        return None
    return Registry(deployments.value, {service.name: service for service in services.value})
