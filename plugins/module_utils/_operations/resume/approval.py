# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is approved of a resumption: a pure function of its plan."""

from __future__ import annotations

from ..approval import NOTHING, Subject
from .plan import BLOCKED, RESUMED, Plan, Step


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of each invocation, and where it goes on."""
    missing = [Subject(each, BLOCKED, "not_found") for each in plan.missing]
    return [*map(_subject, plan.steps), *missing]


def _subject(step: Step) -> Subject:
    if step.outcome == BLOCKED:
        return Subject(step.row.id, BLOCKED, step.reason)
    if step.outcome != RESUMED:
        return Subject(step.row.id, NOTHING)
    # A run's id is that of the next run of its key, too.
    return Subject(step.row.id, step.action, [step.row.created_at, step.move_to])
