# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unfinished work whose service or handler no deployment serves where it would run. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter

from ..._restate.rows import InvocationsByPlace
from .registry import Registry

Unserved = t.Mapping[str, t.Mapping[str, int]]
"""By service and handler, as in C(Cart/add), how many invocations of each status."""


def unserved_work(rows: t.Iterable[InvocationsByPlace], registry: Registry) -> Unserved:
    """Return the work that fails with every attempt (RT0011, RT0012), wherever it is moved to."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.status != "completed" and not is_served(row, registry):
            name = f"{row.target_service_name}/{row.target_handler_name}"
            found.setdefault(name, Counter())[row.status] += row.n
    return {name: dict(found[name]) for name in sorted(found)}


def is_served(row: InvocationsByPlace, registry: Registry) -> bool:
    """Whether what is at a place has its handler there, or where it would be moved to."""
    pinned, service = row.pinned_deployment_id, row.target_service_name
    latest = registry.latest.get(service)
    is_latest = latest is not None and latest.deployment_id == pinned
    place = None if is_latest else next((each for each in registry.deployments if each.id == pinned), None)
    if place:
        # The list of deployments does not tell the handlers of an older revision.
        return service in {offered.name for offered in place.services}
    return registry.serves(service, row.target_handler_name)


def told(work: Unserved) -> str:
    """Return it as a message tells it, such as C(Cart/add (1 inboxed, 2 suspended))."""
    return ", ".join(
        f"{name} ({', '.join(f'{number} {status}' for status, number in sorted(statuses.items()))})"
        for name, statuses in work.items()
    )


def number_of(work: Unserved) -> int:
    """Return how many invocations it is."""
    return sum(sum(statuses.values()) for statuses in work.values())
