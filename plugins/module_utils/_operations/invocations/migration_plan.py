# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which work can be moved to another deployment. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._restate.rows import Invocation
from ..report import count, sample
from .fit import Misfit, Offer, find_misfit


@dataclass(frozen=True)
class MigrationPlan:
    """Which invocations can be moved, and which remain and why: ids by reason, and of what does not fit by how."""

    movable: tuple[Invocation, ...]
    remaining: t.Mapping[str, t.Sequence[str]]
    unfit: t.Mapping[Misfit, t.Sequence[str]]

    @property
    def warnings(self) -> list[str]:
        """What does not fit, and why."""
        return [
            f"{count(len(ids), 'invocation')} cannot be moved: {misfit.message}: {sample(ids)}."
            for misfit, ids in self.unfit.items()
        ]


def plan_migration(
    rows: t.Iterable[Invocation],
    offer: Offer,
    *,
    began_on: Offer | None,
    move_paused: bool,
    paused_by_task: t.Container[str] = (),
) -> MigrationPlan:
    """Tell what of a deployment's work (O(began_on)) can be moved to another one (O(offer)). A pure function.

    What an earlier task paused for a move (`paused_by_task`) was not paused on purpose.
    """
    movable: list[Invocation] = []
    remaining: dict[str, list[str]] = {}
    unfit: dict[Misfit, list[str]] = {}
    for row in rows:
        misfit = find_misfit(row, offer, began_on)
        if misfit:
            unfit.setdefault(misfit, []).append(row.id)
            remaining.setdefault(misfit.reason, []).append(row.id)
        elif row.status == "paused" and not move_paused and row.id not in paused_by_task:
            remaining.setdefault("paused_invocations", []).append(row.id)
        else:
            movable.append(row)
    return MigrationPlan(tuple(movable), remaining, unfit)
