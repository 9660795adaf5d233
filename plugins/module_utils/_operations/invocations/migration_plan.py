# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which work can be moved to another deployment. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._restate.rows import Invocation
from ..._restate.wire import Service

ServedHandlers = t.Mapping[str, frozenset[str]]
"""By service name, the handlers that a deployment serves."""


def served_handlers(services: t.Iterable[Service]) -> ServedHandlers:
    """Return the handlers of services."""
    return {service.name: frozenset(handler.name for handler in service.handlers) for service in services}


@dataclass(frozen=True)
class MigrationPlan:
    """Which invocations can be moved, and which remain and why (ids by reason)."""

    movable: tuple[Invocation, ...]
    remaining: dict[str, tuple[str, ...]]


def plan_migration(
    rows: t.Iterable[Invocation], served: ServedHandlers, *, move_paused: bool
) -> MigrationPlan:
    """Tell what can be moved to a deployment that serves these handlers. A pure function.

    The server would accept any move, also to a deployment that does not serve the handler (1.6.2, 1.7.12).
    """
    movable: list[Invocation] = []
    remaining: dict[str, tuple[str, ...]] = {}
    for row in rows:
        reason = _why_it_remains(row, served, move_paused=move_paused)
        if reason is None:
            movable.append(row)
        else:
            remaining[reason] = (*remaining.get(reason, ()), row.id)
    return MigrationPlan(tuple(movable), remaining)


def _why_it_remains(row: Invocation, served: ServedHandlers, *, move_paused: bool) -> str | None:
    if row.target_handler_name not in served.get(row.target_service_name, frozenset()):
        return "handler_not_served"
    if row.status == "paused" and not move_paused:
        return "paused_invocations"
    return None
