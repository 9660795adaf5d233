# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a recovery's keys afterwards, until nothing of what was planned is left."""

from __future__ import annotations

import typing as t

from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation, InvocationStatus
from ..._restate.server import Restate
from ..invocations.chunks import rows_about
from ..journal import Journal
from ..waiting import wait_until
from .key_state import KeyState
from .observation import read_keys
from .plan import KeyRecovery
from .results import is_purged
from .workflow import Workflow

SETTLE_SECONDS = 15


def what_is_left(
    restate: Restate,
    workflow: Workflow,
    recoveries: t.Iterable[KeyRecovery],
    journal: Journal,
    *,
    reads_all: bool,
) -> list[KeyRecovery]:
    """Return those of which something that was planned is there for longer than is waited; note what is there of all.

    Also where nothing was sent: what was there may have gone by itself, or be another run by now.
    """
    open_ = {each.seen.key: each for each in recoveries}

    def is_nothing_left() -> bool:
        cleared = [
            each for each in open_.values() if not reads_all and _is_cleared_with_its_run(each, journal)
        ]
        now = _read_purged(restate.admin, cleared)
        others = [key for key in open_ if key not in now]
        now |= read_keys(restate.admin, workflow, others, reads_all=True)
        for key, state in now.items():
            recovery = open_[key]
            journal.seen_after[recovery.name] = state
            is_stopped = journal.state("recover", recovery.name) is not None
            if is_stopped or not _is_left(recovery, state):
                del open_[key]
        return not open_

    wait_until(is_nothing_left, clock=restate.clock, seconds=SETTLE_SECONDS)
    return list(open_.values())


def _is_cleared_with_its_run(recovery: KeyRecovery, journal: Journal) -> bool:
    """Whether it is enough to read by their ids what was purged.

    The purge of a run that completed clears state and promises before it is answered (seen on 1.5.3, 1.6.2 and 1.7.12).
    A run that goes otherwise may leave them, as one that is killed does where its retention is zero.
    """
    steps = recovery.steps
    return not steps.kill and recovery.seen.run in steps.purge and is_purged(recovery, journal)


def _read_purged(admin: AdminClient, recoveries: t.Sequence[KeyRecovery]) -> dict[str, KeyState]:
    """Return, by key, what there is of what was purged, or of another run with the id of the one that was."""
    planned = [row.id for each in recoveries for row in each.steps.purge]
    there = {row.id: row for row in rows_about(admin, admin.questions.status_of, planned)}
    return {
        each.seen.key: KeyState(
            each.seen.service,
            each.seen.key,
            tuple(_as_it_is_now(row, there[row.id]) for row in each.steps.purge if row.id in there),
            each.seen.run_handlers,
        )
        for each in recoveries
    }


def _as_it_is_now(row: Invocation, now: InvocationStatus) -> Invocation:
    return row._replace(status=now.status, created_at=now.created_at, completion_result=now.completion_result)


def _is_left(recovery: KeyRecovery, now: KeyState) -> bool:
    """Whether something of what was planned is there; a run that was submitted meanwhile has things of its own."""
    planned = {(row.id, row.created_at) for row in recovery.steps.purge}
    if any((row.id, row.created_at) in planned for row in now.invocations):
        return True
    is_another = now.run is not None and (now.run.id, now.run.created_at) not in planned
    return not is_another and bool(now.state or now.promises)
