# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work each deployment still holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.rows import Invocation, PendingCount
from ..._restate.wire import DeploymentDetail
from .registry import Registry

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

Handler = tuple[str, str]
"""The names of a service and a handler."""


class Unserved(t.NamedTuple):
    """How many unpinned invocations of a handler its service's latest revision does not serve; the next due one."""

    n: int
    due_at: str | None


@dataclass(frozen=True)
class Pending:
    """The pending invocations by deployment: how many, of which service, and how many cannot end while it is waited.

    `only_code` has, by deployment, the handlers of unpinned invocations that their service's latest revision no longer
    serves, and that this deployment is the newest to serve: it is the only code that such an invocation can run on.
    `unserved` has, by such a handler, how many invocations these are, and when the next scheduled one is due.
    """

    numbers: dict[str, int]
    services: dict[str, dict[str, int]] = field(default_factory=dict)
    lasting: dict[str, int] = field(default_factory=dict)
    only_code: dict[str, list[Handler]] = field(default_factory=dict)
    unserved: dict[Handler, Unserved] = field(default_factory=dict)

    def __getitem__(self, deployment_id: str) -> int:
        """Return how many are pending on a deployment."""
        return self.numbers.get(deployment_id, 0)


def read_pending(admin: AdminClient, registry: Registry, *, within: int = 0) -> Pending:
    """Read what is pending by deployment; `within` is how long will be waited for it, in seconds."""
    rows = admin.query(admin.questions.pending(within=within))
    only_code = _find_only_code(admin, registry, rows)
    services: dict[str, dict[str, int]] = {}
    lasting: dict[str, int] = {}
    for row in rows:
        for place in _places(registry, row, only_code):
            of_place = services.setdefault(place, {})
            of_place[row.target_service_name] = of_place.get(row.target_service_name, 0) + row.n
            lasting[place] = lasting.get(place, 0) + (row.n if row.status == "paused" else row.n_later)
    by_place: dict[str, list[Handler]] = {}
    for handler, place in sorted(only_code.items()):
        by_place.setdefault(place, []).append(handler)
    return Pending(
        count_pending(registry, rows, only_code),
        services,
        lasting,
        by_place,
        _unserved(rows, only_code),
    )


def _unserved(rows: t.Sequence[PendingCount], handlers: t.Iterable[Handler]) -> dict[Handler, Unserved]:
    unpinned = [row for row in rows if row.pinned_deployment_id is None]
    return {
        handler: Unserved(
            sum(row.n for row in unpinned if _handler(row) == handler),
            min((row.due_at for row in unpinned if row.due_at and _handler(row) == handler), default=None),
        )
        for handler in handlers
    }


def read_unfinished(
    admin: AdminClient, registry: Registry, deployment_id: str, pending: Pending, *, within: int = 0
) -> list[Invocation]:
    """Read the invocations that pend on a deployment, the oldest first."""
    question = admin.questions.unfinished_on(
        deployment_id,
        registry.latest_at(deployment_id),
        pending.only_code.get(deployment_id, ()),
        within=within,
    )
    return admin.query(question)


def count_pending(
    registry: Registry, rows: t.Iterable[PendingCount], only_code: t.Mapping[Handler, str] | None = None
) -> dict[str, int]:
    """Count the invocations that a deployment's removal would hurt, by its id.

    Those are the unfinished ones that are pinned to it, those that will run on it since it is the latest for their
    service, and those that are being tried on it at this moment, and so may get pinned to it. Where the latest does
    not serve their handler, they pend on the deployment that O(only_code) names for it, too.
    """
    pending = {deployment.id: 0 for deployment in registry.deployments}
    for row in rows:
        for place in _places(registry, row, only_code or {}):
            pending[place] = pending.get(place, 0) + row.n
    return pending


def _places(registry: Registry, row: PendingCount, only_code: t.Mapping[Handler, str]) -> set[str]:
    """Return the id of the deployment that they are pinned to or, where they are pinned to none, may run on."""
    if row.pinned_deployment_id is not None:
        return {row.pinned_deployment_id}
    places = set()
    service = registry.latest.get(row.target_service_name)
    if service:
        places.add(service.deployment_id)
    if row.status == "running" and row.last_attempt_deployment_id is not None:
        places.add(row.last_attempt_deployment_id)
    if _handler(row) in only_code:
        places.add(only_code[_handler(row)])
    return places


def _handler(row: PendingCount) -> Handler:
    return (row.target_service_name, row.target_handler_name)


def _find_only_code(
    admin: AdminClient, registry: Registry, rows: t.Iterable[PendingCount]
) -> dict[Handler, str]:
    """Return the newest deployment that serves each handler of unpinned work that the latest revision does not."""
    handlers = {_handler(row) for row in rows if row.pinned_deployment_id is None}
    told: dict[str, DeploymentDetail | None] = {}
    found: dict[Handler, str] = {}
    for service, handler in sorted(handlers):
        if registry.serves(service, handler):
            continue
        latest = registry.latest.get(service)
        for deployment_id in registry.places_of(service):
            if latest and deployment_id == latest.deployment_id:
                continue
            if deployment_id not in told:
                told[deployment_id] = admin.deployment(deployment_id)
            if _offers(told[deployment_id], service, handler):
                found[service, handler] = deployment_id
                break
    return found


def _offers(told: DeploymentDetail | None, service: str, handler: str) -> bool:
    services = told.services if told else ()
    return any(each.name == service and handler in each.handler_types for each in services)


def state_of(registry: Registry, deployment_id: str, pending: int) -> str:
    """Return Restate's word for it: active, draining or drained."""
    if registry.latest_at(deployment_id):
        return "active"
    return "draining" if pending else "drained"
