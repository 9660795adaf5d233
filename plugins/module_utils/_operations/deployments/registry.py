# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployments are registered, and which is the latest of which service."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.wire import Deployment, Service, ServiceRevision

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

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
            remedy="Use the restate CLI for Lambda deployments: restate deployments register ARN, and restate "
            "deployments remove ID for one that has drained.",
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
    """Return the deployment that a URL means, or None; two are refused, as DALP does not tell them apart."""
    matches = [deployment for deployment in deployments if deployment.is_at(service_url)]
    if len(matches) > 1:
        raise ambiguous(
            matches,
            service_url,
            remedy="Use backend: restate, which tells them apart where the server has routing headers.",
        )
    return matches[0] if matches else None


def ambiguous(matches: t.Sequence[_AtUrl], service_url: str, *, remedy: str) -> OperatorError:
    """Return the refusal of a URL that several deployments have, of which none can be told to be meant."""
    ids = [deployment.id for deployment in matches]
    return OperatorError(
        "RESTATE_INVALID_ARGUMENT",
        f"{urls.without_secrets(service_url)} matches {len(matches)} deployments: {', '.join(ids)}; nothing was "
        "touched.",
        remedy=remedy,
        reason="ambiguous_service_url",
        deployment_ids=ids,
    )


@dataclass(frozen=True)
class Registry:
    """What is registered: O(latest) is, by service name, its latest revision."""

    deployments: tuple[Deployment, ...]
    latest: dict[str, Service]

    @classmethod
    def read(cls, admin: AdminClient) -> Registry:
        """Read deployments and services from the server."""
        return cls(admin.deployments(), {service.name: service for service in admin.services()})

    def all_at(self, service_url: str) -> list[Deployment]:
        """Return the deployments of a URL: several where the server tells them apart by routing headers."""
        return [deployment for deployment in self.deployments if deployment.is_at(service_url)]

    @property
    def ids(self) -> set[str]:
        """The ids of the deployments."""
        return {deployment.id for deployment in self.deployments}

    def serves(self, service: str, handler: str) -> bool:
        """Whether the latest revision of a service has a handler."""
        latest = self.latest.get(service)
        return latest is not None and handler in latest.handler_types

    def latest_at(self, deployment_id: str) -> list[str]:
        """Return the names of the services whose latest revision is on this deployment."""
        return sorted(name for name, service in self.latest.items() if service.deployment_id == deployment_id)

    def places_of(self, service: str) -> list[str]:
        """Return the ids of the registered deployments that have a service, the newest revision first."""
        revisions = [
            (each.revision, deployment.id)
            for deployment in self.deployments
            for each in deployment.services
            if each.name == service
        ]
        return [deployment_id for _revision, deployment_id in sorted(revisions, reverse=True)]

    def once_registered(self, own: Deployment, services: t.Iterable[Service]) -> Registry:
        """Return what is registered once a deployment offers these services and no others.

        Of a service that it drops, the newest revision of the others is the latest then (seen on 1.5.3, 1.6.2 and
        1.7.12).
        """
        offered = {each.name: each.model_copy(update={"deployment_id": own.id}) for each in services}
        others = tuple(each for each in self.deployments if each.id != own.id)
        latest = {name: each for name, each in self.latest.items() if each.deployment_id != own.id}
        for name in self.latest.keys() - latest.keys():
            place = _newest(name, others)
            if place:
                latest[name] = self.latest[name].model_copy(update={"deployment_id": place.id})
        revisions = tuple(ServiceRevision(name=name, revision=0) for name in offered)
        return Registry((*others, own.model_copy(update={"services": revisions})), {**latest, **offered})

    @property
    def newest_active(self) -> Deployment | None:
        """The deployment at a URL that is the latest for some service and was registered last."""
        active = [each for each in self.deployments if each.uri and self.latest_at(each.id)]
        return max(active, key=lambda deployment: deployment.created, default=None)


def _newest(service: str, deployments: t.Iterable[Deployment]) -> Deployment | None:
    revisions = [
        (each.revision, deployment)
        for deployment in deployments
        for each in deployment.services
        if each.name == service
    ]
    return max(revisions, key=lambda pair: pair[0])[1] if revisions else None
