# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unfinished work that a registration would leave without a service or handler. Pure."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._restate.rows import InvocationsByPlace
from ..._restate.wire import Deployment, Registration
from ..deployments.registry import Registry
from ..deployments.unserved import Unserved, is_served, number_of, told, unserved_work
from ..report import count


def dropped_handlers(
    registry: Registry, own_id: str | None, discovered: Registration
) -> set[tuple[str, str]]:
    """Return the handlers, each with its service, that the latest revisions have now and would not have then."""
    offered = {service.name: service.handler_types for service in discovered.services}
    return {
        (name, handler)
        for name, service in registry.latest.items()
        if name in offered or service.deployment_id == own_id
        for handler in service.handler_types
        if handler not in offered.get(name, {})
    }


def work_lost(
    rows: t.Iterable[InvocationsByPlace],
    registry: Registry,
    own_id: str | None,
    discovered: Registration,
) -> Unserved:
    """Return the unfinished work that is served now, and would not be with what is offered at O(own_id)."""
    served_now = [row for row in rows if is_served(row, registry)]
    new = Deployment(id="dp_new", created_at="2000-01-01T00:00:00Z")
    own = next((each for each in registry.deployments if each.id == own_id), new)
    return unserved_work(served_now, registry.once_registered(own, discovered.services))


def refusal(work: Unserved, service_url: str) -> OperatorError:
    """Return why what would lose work is not registered."""
    names = sorted({name.partition("/")[0] for name in work})
    return OperatorError(
        "RESTATE_SERVICE_REMOVAL_REFUSED",
        f"{service_url} does not offer what {count(number_of(work), 'unfinished invocation')} would need: "
        f"{told(work)}; nothing was touched.",
        remedy=f"Serve {', '.join(names)} with the release or at a URL of its own, or let that work end first. With "
        "allow_service_removal: true it is left, and fails with every attempt (RT0011, RT0012) until something serves "
        "it again.",
        reason="unfinished_work",
    )


def warnings(work: Unserved) -> list[str]:
    """Return what is told of work that is lost with the operator's permission."""
    if not work:
        return []
    return [
        f"{count(number_of(work), 'unfinished invocation')} will fail with every attempt (RT0011, RT0012), since "
        f"nothing serves them any more: {told(work)}."
    ]
