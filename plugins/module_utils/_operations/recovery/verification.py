# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a recovery's keys afterwards, until nothing of what was planned is left."""

from __future__ import annotations

import typing as t

from ..._restate.admin import AdminClient
from ..journal import Journal
from ..waiting import wait_until
from .key_state import KeyState
from .observation import read_keys
from .plan import KeyRecovery
from .workflow import Workflow

SETTLE_SECONDS = 15


def what_is_left(
    admin: AdminClient, workflow: Workflow, recoveries: t.Iterable[KeyRecovery], journal: Journal
) -> list[KeyRecovery]:
    """Return those of which something that was planned is there for longer than is waited; note what is there of all.

    Also where nothing was sent: what was there may have gone by itself, or be another run by now.
    """
    open_ = {each.seen.key: each for each in recoveries}

    def is_nothing_left() -> bool:
        now = read_keys(admin, workflow, list(open_)) if open_ else {}
        for key, state in now.items():
            recovery = open_[key]
            journal.seen_after[recovery.name] = state
            is_stopped = journal.state("recover", recovery.name) is not None
            if is_stopped or not _is_left(recovery, state):
                del open_[key]
        return not open_

    wait_until(is_nothing_left, clock=admin.clock, seconds=SETTLE_SECONDS)
    return list(open_.values())


def _is_left(recovery: KeyRecovery, now: KeyState) -> bool:
    """Whether something of what was planned is there; a run that was submitted meanwhile has things of its own."""
    planned = {(row.id, row.created_at) for row in recovery.steps.purge}
    if any((row.id, row.created_at) in planned for row in now.invocations):
        return True
    is_another = now.run is not None and (now.run.id, now.run.created_at) not in planned
    return not is_another and bool(now.state or now.promises)
