# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work each deployment still holds."""

from __future__ import annotations

import typing as t

from ..._restate.rows import PendingCount
from .registry import Registry

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient


def read_pending(admin: AdminClient, registry: Registry) -> dict[str, int]:
    """Return how many invocations are pending by deployment id; see L(count_pending)."""
    return count_pending(registry, admin.query(admin.questions.pending()))


def count_pending(registry: Registry, rows: t.Iterable[PendingCount]) -> dict[str, int]:
    """Count the invocations that a deployment's removal would hurt, by its id.

    Those are the unfinished ones that are pinned to it, those that will run on it since it is the latest for their
    service, and those that are being tried on it at this moment, and so may get pinned to it.
    """
    pending = {deployment.id: 0 for deployment in registry.deployments}
    for row in rows:
        for place in _places(registry, row):
            pending[place] = pending.get(place, 0) + row.n
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


def state_of(registry: Registry, deployment_id: str, pending: int) -> str:
    """Return Restate's word for it: active, draining or drained."""
    if registry.latest_at(deployment_id):
        return "active"
    return "draining" if pending else "drained"
