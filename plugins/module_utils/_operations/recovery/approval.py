# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is approved of a recovery: a pure function of its plan."""

from __future__ import annotations

import typing as t

from ..._restate.rows import Invocation
from ..approval import NOTHING, Subject
from .key_plan import BLOCKED, FAILED
from .plan import KeyRecovery, Plan


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of each key, with all that is destroyed."""
    return [_subject(recovery) for recovery in plan.recoveries]


def _subject(recovery: KeyRecovery) -> Subject:
    steps = recovery.steps
    if steps.outcome in (BLOCKED, FAILED):
        return Subject(recovery.name, steps.outcome, steps.reason)
    if not recovery.is_in_work:
        return Subject(recovery.name, NOTHING)
    content = {
        "kill": _destroyed(steps.kill),
        "purge": _destroyed(steps.purge),
        "children": sorted(recovery.children),
        "state": sorted(recovery.seen.state) if steps.clear_state else [],
        "is_kept": recovery.snapshot is not None,
        "submits": recovery.submits,
        "owed": recovery.pending.created_at if recovery.pending else None,
    }
    return Subject(recovery.name, "recover", content)


def _destroyed(rows: t.Iterable[Invocation]) -> list[tuple[str, str]]:
    # A run's id is that of the next run of its key, too.
    return sorted((row.id, row.created_at) for row in rows)
