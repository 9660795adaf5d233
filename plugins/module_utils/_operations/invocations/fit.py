# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether invocations fit what a deployment offers. Pure.

Only the protocol is compared by the server, and only on a move: it lets an object's call go on as a workflow's run, and
resumes where nothing serves the handler (1.6.2, 1.7.12).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.wire import DeploymentDetail, Registration, Service
from .failures import ELSEWHERE

_TYPES = {"service": "Service", "virtual_object": "VirtualObject", "workflow": "Workflow"}
"""How GET /services calls what sys_invocation calls so."""

CURES = {
    "handler_not_served": f"Serve code that has the handler {ELSEWHERE}.",
    "service_type_changed": f"Serve the old code {ELSEWHERE}.",
    "handler_type_changed": f"Serve the old code {ELSEWHERE}.",
    "protocol_not_supported": (
        f"Serve the old code, or the new one with an SDK that still speaks that version, {ELSEWHERE}."
    ),
}
"""What helps, by the reason of a misfit."""


class Pinned(t.Protocol):
    """What an invocation began with. The protocol is None where it has not begun."""

    @property
    def target_service_name(self) -> str: ...

    @property
    def target_handler_name(self) -> str: ...

    @property
    def target_service_ty(self) -> str: ...

    @property
    def pinned_service_protocol_version(self) -> int | None: ...


@dataclass(frozen=True)
class Offer:
    """What a deployment offers: services by name, and the versions of the service protocol that its SDK speaks.

    O(place) is how messages call it. The versions are None where nothing tells them.
    """

    place: str
    services: t.Mapping[str, Service] = field(default_factory=dict)
    min_protocol_version: int | None = None
    max_protocol_version: int | None = None

    def handler_types(self, service: str) -> dict[str, str | None]:
        """Return the types of a service's handlers by name; empty where the service is not offered."""
        offered = self.services.get(service)
        return offered.handler_types if offered else {}

    def speaks(self, version: int | None) -> bool:
        """Whether it speaks a version of the protocol, as far as is told."""
        lowest, highest = self.min_protocol_version, self.max_protocol_version
        return version is None or lowest is None or highest is None or lowest <= version <= highest


def offer_of(place: str, told: DeploymentDetail | Registration | None) -> Offer:
    """Return what a deployment offers: nothing where it is not registered."""
    if told is None:
        return Offer(place)
    services = {service.name: service for service in told.services}
    return Offer(place, services, told.min_protocol_version, told.max_protocol_version)


@dataclass(frozen=True)
class Misfit:
    """Why an invocation does not fit an offer; equal for all that do not fit in the same way."""

    reason: str
    message: str


def find_misfit(pinned: Pinned, offer: Offer, began_on: Offer | None = None) -> Misfit | None:
    """Return why an invocation does not fit, or None.

    O(began_on) is what its deployment offers, if that is there still: only that tells of what type its handler was.
    """
    service, handler = pinned.target_service_name, pinned.target_handler_name
    types = offer.handler_types(service)
    if handler not in types:
        return Misfit("handler_not_served", f"{offer.place} does not serve {service}/{handler}")
    was, is_now = _TYPES.get(pinned.target_service_ty), offer.services[service].ty
    if was and was != is_now:
        return Misfit(
            "service_type_changed", f"{service} began as a {was}, and is a {is_now} on {offer.place}"
        )
    began_as = began_on.handler_types(service).get(handler) if began_on else None
    if began_as and began_as != types[handler]:
        message = f"{service}/{handler} began as {began_as}, and is {types[handler]} on {offer.place}"
        return Misfit("handler_type_changed", message)
    version = pinned.pinned_service_protocol_version
    if not offer.speaks(version):
        speaks = f"{offer.min_protocol_version} to {offer.max_protocol_version}"
        return Misfit(
            "protocol_not_supported",
            f"{service}/{handler} began with version {version} of the service protocol, and the SDK on "
            f"{offer.place} speaks {speaks}",
        )
    return None
