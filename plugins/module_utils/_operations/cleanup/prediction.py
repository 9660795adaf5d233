# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup would do: the journal that applying a plan would leave."""

from __future__ import annotations

import typing as t

from ..._restate.rows import Invocation
from ..invocations.cancellation import NOT_RECEIVED, CancellationPlan
from ..journal import Journal
from ..report import count
from .plan import Plan, Removal

OLDER_RETURNS = "older_revision_returns"
"""The reason of a deployment that stays since an older one of its service does, which would be the latest again."""


class _End(t.NamedTuple):
    """What is done to invocations at the end of the wait, and which ones hold their deployment then, by reason."""

    ended: t.Sequence[Invocation]
    remaining: t.Mapping[str, t.Sequence[str]]


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave, if what must drain does so in time."""
    journal = Journal(is_prediction=True)
    ends = {removal.id: _end_of(removal) for removal in plan.removals}
    blocked = _blocked(plan, {each for each, end in ends.items() if end.remaining})
    for removal in plan.in_order_of_ending:
        if removal.id in blocked:
            note_remaining(journal, removal.id, {OLDER_RETURNS: []})
        else:
            _predict_removal(removal, ends[removal.id], journal)
    conditional = sum(removal.is_conditional for removal in plan.removals)
    if conditional:
        rest = (
            f"what is still pending then: {plan.request.pending}"
            if plan.request.force_drain
            else "what is still pending then makes the task fail with RESTATE_DRAIN_TIMEOUT"
        )
        journal.warn(
            f"{count(conditional, 'deployment')} must drain first: this holds if they do so within "
            f"{plan.request.drain_timeout} s; {rest}."
        )
    return journal


def _blocked(plan: Plan, held: set[str]) -> set[str]:
    """Return the removals that would bring back an older revision, since its deployment stays."""
    registry = plan.registry
    services = {each.id: {service.name for service in each.services} for each in registry.deployments}
    ids = {each.id for each in plan.removals}
    blocked: set[str] = set()
    while True:
        staying = services.keys() - (ids - held - blocked)
        more = {
            each
            for each in ids - blocked
            if any(name in services[other] for name in registry.latest_at(each) for other in staying - {each})
        }
        if not more:
            return blocked
        blocked |= more


def _end_of(removal: Removal) -> _End:
    """Return what becomes, at the end of the wait, of the invocations that are there then for sure."""
    rows = removal.certain
    if removal.at_end == "stays":
        stays = rows or (removal.pending and not removal.waits)
        return _End((), {"drain_timeout": [row.id for row in rows]} if stays else {})
    if removal.migration:
        ids = {row.id for row in rows}
        found = {
            reason: [each for each in of_reason if each in ids]
            for reason, of_reason in removal.migration.remaining.items()
        }
        return _End(
            [row for row in removal.migration.movable if row.id in ids],
            {reason: of_reason for reason, of_reason in found.items() if of_reason},
        )
    if removal.cancellation:
        cancellation = removal.cancellation.of(rows)
        return _End(cancellation.to_cancel, held_by_cancelled(cancellation))
    return _End(rows, {})


def held_by_cancelled(plan: CancellationPlan) -> dict[str, list[str]]:
    """Return which invocations a cancel does not end at once: they do not receive it, or were cancelled before."""
    found = {
        NOT_RECEIVED: [row.id for row in plan.not_received],
        "drain_timeout": [row.id for row in plan.cancelled_before],
    }
    return {reason: ids for reason, ids in found.items() if ids}


def _predict_removal(removal: Removal, end: _End, journal: Journal) -> None:
    for warning in removal.migration.warnings if removal.migration else []:
        journal.warn(warning)
    journal.services.update((row.id, row.target_service_name) for row in end.ended)
    if end.ended:
        journal.done(removal.at_end, [row.id for row in end.ended])
    note_called(journal, removal.id, removal.called)
    if removal.is_conditional and removal.at_end != "stays":
        certain = [row.target_service_name for row in removal.certain]
        rest = {name: number - certain.count(name) for name, number in removal.services.items()}
        journal.learn(removal.id, may_end={name: number for name, number in rest.items() if number > 0})
    if end.remaining:
        note_remaining(journal, removal.id, end.remaining)
    else:
        journal.done("remove", [removal.id])


def note_called(journal: Journal, deployment_id: str, rows: t.Iterable[Invocation]) -> None:
    """Note what a kill of the invocations that pend on a deployment ends elsewhere, and of which service it is."""
    journal.learn(deployment_id, called={row.id: row.target_service_name for row in rows})


def note_remaining(
    journal: Journal, deployment_id: str, ids_by_reason: t.Mapping[str, t.Sequence[str]]
) -> None:
    """Note that a deployment stays, and which invocations hold it for which reason; the first reason is its own."""
    reason = next(iter(ids_by_reason))
    journal.not_done("remove", [deployment_id], reason, ids_by_reason=dict(ids_by_reason))
