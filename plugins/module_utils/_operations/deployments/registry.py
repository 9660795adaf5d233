# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployment serves what, and what work each still holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.admin import AdminClient
from ..._restate.wire import Deployment, Service

STALE_READ_SECONDS = 15
"""A node of a cluster refreshes what it knows of deployments every 10 s: a read may be that old."""


class _AtUrl(t.Protocol):
    @property
    def id(self) -> str: ...

    def is_at(self, service_url: str) -> bool: ...


_Deployment = t.TypeVar("_Deployment", bound=_AtUrl)


def check_service_url(service_url: str) -> None:
    """Raise OperatorError where this cannot be the URL of an HTTP deployment."""
    if service_url.startswith("arn:"):
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            "service_url is an ARN; deployments on AWS Lambda are not supported.",
            remedy="Use the restate CLI for Lambda deployments.",
        )
    try:
        parts = urls.parse(service_url)
        if parts.query or parts.fragment:
            raise ValueError("it has a query or a fragment, which Restate ignores")
    except ValueError as exc:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"service_url {urls.without_secrets(service_url)!r} cannot be used: {exc}.",
        ) from None


def only_match(deployments: t.Iterable[_Deployment], service_url: str) -> _Deployment | None:
    """Return the deployment that a URL means, or None; two are refused."""
    matches = [deployment for deployment in deployments if deployment.is_at(service_url)]
    if len(matches) > 1:
        ids = [deployment.id for deployment in matches]
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{urls.without_secrets(service_url)} matches {len(matches)} deployments: {', '.join(ids)}.",
            remedy="Remove the superfluous one with the restate CLI, then run the task again.",
            reason="ambiguous_service_url",
            deployment_ids=ids,
        )
    return matches[0] if matches else None


@dataclass(frozen=True)
class Registry:
    """What is registered: O(latest) is, by service name, its latest revision."""

    deployments: tuple[Deployment, ...]
    latest: dict[str, Service]

    @classmethod
    def read(cls, admin: AdminClient) -> Registry:
        """Read deployments and services from the server."""
        return cls(admin.deployments(), {service.name: service for service in admin.services()})

    def at(self, service_url: str) -> Deployment | None:
        """Return the deployment that a URL means, or None; two are refused."""
        return only_match(self.deployments, service_url)

    def latest_at(self, deployment_id: str) -> list[str]:
        """Return the names of the services whose latest revision is on this deployment."""
        return sorted(name for name, service in self.latest.items() if service.deployment_id == deployment_id)

    @property
    def newest_active(self) -> Deployment | None:
        """The deployment that is the latest for some service and was registered last."""
        active = [deployment for deployment in self.deployments if self.latest_at(deployment.id)]
        return max(active, key=lambda deployment: deployment.created, default=None)


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
    sql = admin.sql
    return count_pending(registry, admin.query(sql.pinned()), admin.query(sql.unpinned()))


def count_pending(
    registry: Registry, pinned: list[dict[str, t.Any]], unpinned: list[dict[str, t.Any]]
) -> dict[str, Pending]:
    """Count the invocations that a deployment's removal would hurt.

    Those are the unfinished ones that are pinned to it, those that will run on it since it is the latest for their
    service, and those that are being tried on it at this moment, and so may get pinned to it.
    """
    pending: dict[str, Pending] = {deployment.id: Pending() for deployment in registry.deployments}
    for row in pinned:
        pending.setdefault(row["pinned_deployment_id"], Pending()).add(row["status"], row["n"])
    for row in unpinned:
        places = set()
        service = registry.latest.get(row["target_service_name"])
        if service:
            places.add(service.deployment_id)
        if row["status"] == "running" and "last_attempt_deployment_id" in row:
            places.add(row["last_attempt_deployment_id"])
        for place in places:
            pending.setdefault(place, Pending()).add(row["status"], row["n"])
    return pending


def state_of(registry: Registry, deployment_id: str, pending: Pending) -> str:
    """Return Restate's word for it: active, draining or drained."""
    if registry.latest_at(deployment_id):
        return "active"
    return "draining" if pending.total else "drained"
