# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor observed, component by component."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..deployments.registry import Registry

RECENT_FAILURES = 20
SAMPLE = 20
FAILURE_TEXT = 500
"""How much of a failure's text is shown."""
LONG_RETRYING = 10
"""From this many attempts on, an invocation that is being retried is a finding; by Restate's default, 4 minutes."""

COMPONENTS = ("admin", "ingress", "deployments", "services", "invocations")


@dataclass
class Probe:
    """What a component answered: O(value) where it is ok, else O(error)."""

    value: t.Any = None
    error: OperatorError | None = None
    latency_ms: int | None = None

    @property
    def status(self) -> str:
        """V(ok), V(degraded) where it answered otherwise than expected, V(unreachable) where it did not answer."""
        if self.error is None:
            return "ok"
        return "unreachable" if self.error.code == "RESTATE_ADMIN_UNREACHABLE" else "degraded"

    def shown(self, **contents: t.Any) -> dict[str, t.Any]:
        """Return the component as the result shows it; without an answer there are no contents."""
        error = self.error.to_result() if self.error else None
        return {"status": self.status, **(contents if not self.error else {}), "error": error}


@dataclass(frozen=True)
class Invocations:
    """What the SQL introspection says of all invocations."""

    by_place: list[dict[str, t.Any]]
    unfinished: list[dict[str, t.Any]]
    pinned: list[dict[str, t.Any]]
    unpinned: list[dict[str, t.Any]]
    terminal: list[dict[str, t.Any]]
    stuck: list[dict[str, t.Any]]
    events: list[dict[str, t.Any]]
    zombies: list[dict[str, t.Any]]


def registry_of(probes: dict[str, Probe]) -> Registry:
    """Return what is registered, where deployments and services both answered."""
    return Registry(
        probes["deployments"].value, {service.name: service for service in probes["services"].value}
    )
