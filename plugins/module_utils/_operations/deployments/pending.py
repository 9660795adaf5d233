# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work each deployment still holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.rows import PendingCount
from .registry import Registry

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient


@dataclass
class Pending:
    """Unfinished invocations of a deployment, by status."""

    by_status: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.by_status.values())

    def add(self, status: str, number: int) -> None:
        """Count some more."""
        self.by_status[status] = self.by_status.get(status, 0) + number


def read_pending(admin: AdminClient, registry: Registry) -> dict[str, Pending]:
    """Return the pending invocations by deployment id; see L(count_pending)."""
    return count_pending(registry, admin.query(admin.questions.pending()))


def count_pending(registry: Registry, rows: t.Iterable[PendingCount]) -> dict[str, Pending]:
    """Count the invocations that a deployment's removal would hurt.

    Those are the unfinished ones that are pinned to it, those that will run on it since it is the latest for their
    service, and those that are being tried on it at this moment, and so may get pinned to it.
    """
    pending: dict[str, Pending] = {deployment.id: Pending() for deployment in registry.deployments}
    for row in rows:
        for place in _places(registry, row):
            pending.setdefault(place, Pending()).add(row.status, row.n)
    return pending


def _places(registry: Registry, row: PendingCount) -> set[str]:
    """Return the id of the deployment that they are pinned to or, where they are pinned to none, may run on."""
    if row.pinned_deployment_id is not None:
        return {row.pinned_deployment_id}
    places = set()
    service = registry.latest.get(row.target_service_name)
    if service:
        places.add(service.deployment_id)
    if row.status == "running" and row.last_attempt_deployment_id is not None:
        places.add(row.last_attempt_deployment_id)
    return places


def state_of(registry: Registry, deployment_id: str, pending: Pending) -> str:
    """Return Restate's word for it: active, draining or drained."""
    if registry.latest_at(deployment_id):
        return "active"
    return "draining" if pending.total else "drained"
