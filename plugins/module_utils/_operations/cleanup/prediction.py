# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup would do: the journal that applying a plan would leave."""

from __future__ import annotations

import typing as t

from ..journal import Journal
from ..report import count
from .plan import Plan, Removal


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave, if what must drain does so in time."""
    journal = Journal(is_prediction=True)
    for removal in plan.removals:
        _predict_removal(removal, journal)
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


def _predict_removal(removal: Removal, journal: Journal) -> None:
    for warning in removal.migration.warnings if removal.migration else []:
        journal.warn(warning)
    ids = [row.id for row in removal.unfinished]
    if not removal.pending or removal.waits:
        journal.done("remove", [removal.id])
    elif removal.migration:
        journal.done("migrate", [row.id for row in removal.migration.movable])
        if removal.migration.remaining:
            note_remaining(journal, removal.id, removal.migration.remaining)
        else:
            journal.done("remove", [removal.id])
    elif removal.at_end == "stays":
        note_remaining(journal, removal.id, {"drain_timeout": ids})
    else:
        journal.done(removal.at_end, ids)
        journal.done("remove", [removal.id])


def note_remaining(
    journal: Journal, deployment_id: str, ids_by_reason: t.Mapping[str, t.Sequence[str]]
) -> None:
    """Note that a deployment stays, and which invocations hold it for which reason; the first reason is its own."""
    reason = next(iter(ids_by_reason))
    journal.not_done("remove", [deployment_id], reason, ids_by_reason=dict(ids_by_reason))
