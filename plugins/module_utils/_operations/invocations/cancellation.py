# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which invocations receive a cancel.

A cancel is a signal in the journal of an invocation: its handler sees it when an attempt gets as far as a step. Work
that fails before, or whose deployment does not answer, never receives it (seen on 1.5.3, 1.6.2 and 1.7.12). What has
not begun ends at once.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..deployments.registration import OF_THE_SERVICE, as_registered
from .attempts import look_twice
from .chunks import rows_about

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation
    from ..deployments.registry import Registry

NOT_RECEIVED = "cancel_not_received"

_NOT_BEGUN = ("pending", "scheduled")


@dataclass(frozen=True)
class CancellationPlan:
    """Which invocations are to be cancelled, which were before, and which cannot receive a cancel."""

    to_cancel: tuple[Invocation, ...]
    cancelled_before: tuple[Invocation, ...]
    not_received: tuple[Invocation, ...]

    def of(self, rows: t.Collection[Invocation]) -> CancellationPlan:
        """Return the plan for some of the invocations."""
        ids = {row.id for row in rows}
        return CancellationPlan(
            *(
                tuple(row for row in group if row.id in ids)
                for group in (self.to_cancel, self.cancelled_before, self.not_received)
            )
        )


def plan_cancellation(
    admin: AdminClient, registry: Registry, rows: t.Sequence[Invocation]
) -> CancellationPlan:
    """Read what tells which of these invocations receive a cancel, and return the plan."""
    seen = look_twice(admin, {row.id: row for row in rows})
    rows = [seen[row.id] for row in rows if seen[row.id].status != "completed"]
    begun = [row for row in rows if row.status not in _NOT_BEGUN]
    dead = _dead_places(admin, registry, begun)
    paused = _paused_in_a_step(admin, [row.id for row in begun if row.status == "paused"])
    cancelled = {row.id for row in rows_about(admin, admin.questions.cancelled, [row.id for row in begun])}

    def receives(row: Invocation) -> bool:
        if row.status in _NOT_BEGUN:
            return True
        if _place(row, registry) in dead:
            return False
        if row.status == "paused":
            return row.id in paused
        return not _is_failing(row) or row.last_failure_related_command_type is not None

    receiving = [row for row in rows if receives(row)]
    return CancellationPlan(
        tuple(row for row in receiving if row.id not in cancelled),
        tuple(row for row in receiving if row.id in cancelled),
        tuple(row for row in rows if not receives(row)),
    )


def _is_failing(row: Invocation) -> bool:
    return row.status == "backing-off" or (row.status == "running" and row.last_failure is not None)


def _place(row: Invocation, registry: Registry) -> str | None:
    """Return the id of the deployment on which an invocation is, or would be, attempted."""
    if row.pinned_deployment_id:
        return row.pinned_deployment_id
    if row.status == "running":
        return row.last_attempt_deployment_id
    latest = registry.latest.get(row.target_service_name)
    return latest.deployment_id if latest else None


def _dead_places(admin: AdminClient, registry: Registry, rows: t.Iterable[Invocation]) -> set[str | None]:
    """Return the deployments of these invocations that do not answer discovery, or are gone."""
    places = {_place(row, registry) for row in rows}
    dead = places - registry.ids
    for deployment in registry.deployments:
        # Deployments on AWS Lambda are never removed.
        if deployment.id not in places or deployment.uri is None:
            continue
        try:
            admin.discover(as_registered(deployment, admin.capabilities))
        except OperatorError as exc:
            if exc.code not in OF_THE_SERVICE:
                raise
            dead.add(deployment.id)
    return dead


def _paused_in_a_step(admin: AdminClient, ids: t.Sequence[str]) -> set[str]:
    """Return those of these paused invocations whose next attempt gets as far as a step.

    They are those that were paused by hand, and those whose last failure was that of a step. A server that keeps no
    events of journals does not tell.
    """
    if not ids or not admin.capabilities.keeps_journal_events:
        return set()
    last = {event.id: event for event in rows_about(admin, admin.questions.last_events, ids)}
    return {
        event.id
        for event in last.values()
        if event.event_type == "Paused" and (not event.is_failure or event.failure.command_type)
    }
