# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the attempts of invocations go."""

from __future__ import annotations

import typing as t

from ..waiting import wait_until
from .chunks import chunks, rows_about
from .failures import FAILURES

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation

_FIRST_ATTEMPT_SECONDS = 5
_LASTING_SECONDS = 1
"""How long an attempt must run before it is taken for one that its journal fits."""
_POLL_SECONDS = 0.2
_SECOND_LOOK_SECONDS = 0.5


def failure_codes(admin: AdminClient, rows: t.Iterable[Invocation]) -> dict[str, str]:
    """Return, by invocation, Restate's code of its last failure, as far as it is one of L(FAILURES)."""
    rows = list(rows)
    codes = {row.id: row.last_failure_error_code for row in rows if row.last_failure_error_code}
    paused = [row.id for row in rows if row.status == "paused"]
    if admin.capabilities.keeps_journal_events:
        # The invoker forgets why what is paused failed.
        for chunk in chunks(paused):
            for event in admin.query(admin.questions.last_events(chunk)):
                codes[event.id] = event.failure.restate_code or ""
    return {invocation_id: code for invocation_id, code in codes.items() if code in FAILURES}


def look_twice(admin: AdminClient, rows: dict[str, Invocation]) -> dict[str, Invocation]:
    """Forget the last failure of what is in the middle of an attempt that lasts.

    One that keeps failing reads as running only now and then; one that runs again keeps its last failure for a while.
    """
    running = [each for each, row in rows.items() if row.status == "running" and row.last_failure is not None]
    if not running:
        return rows
    admin.clock.sleep(_SECOND_LOOK_SECONDS)
    now = {row.id: row for row in rows_about(admin, admin.questions.invocations, running)}
    return {**rows, **{each: _without_old_failure(rows[each], row) for each, row in now.items()}}


def _without_old_failure(before: Invocation, now: Invocation) -> Invocation:
    is_lasting = now.status == "running" and now.retry_count == before.retry_count
    return now._replace(last_failure=None) if is_lasting else now


class FirstAttempts:
    """The first attempts of invocations that were resumed; O(is_new) tells whether a row is of one, or of an older one.

    An attempt keeps the last failure of the one before it, so only its end tells how it went.
    """

    def __init__(self, admin: AdminClient, is_new: t.Callable[[Invocation], bool]) -> None:
        self._admin = admin
        self._is_new = is_new
        self._starts: dict[str, dict[str | None, float]] = {}
        """When each attempt was first seen, by invocation and its start."""

    def watch(self, ids: t.Sequence[str]) -> dict[str, Invocation]:
        """Read until each was tried, or for a few seconds; return what was read last, by id."""
        rows: dict[str, Invocation] = {}

        def have_all_been_tried() -> bool:
            rows.clear()
            rows.update(
                (row.id, row) for row in rows_about(self._admin, self._admin.questions.invocations, ids)
            )
            # Each is looked at: when it was first seen counts.
            open_ids = [row.id for row in rows.values() if self._is_open(row)]
            return not open_ids

        if ids:
            wait_until(
                have_all_been_tried,
                clock=self._admin.clock,
                seconds=_FIRST_ATTEMPT_SECONDS,
                pause=_POLL_SECONDS,
            )
        return rows

    def failures(self, rows: t.Iterable[Invocation]) -> dict[str, str]:
        """Return, by invocation, the codes of those that were watched and failed."""
        return failure_codes(self._admin, [row for row in rows if self._has_failed(row)])

    def _is_open(self, row: Invocation) -> bool:
        """Whether its first attempt has not shown yet how it goes."""
        if row.status not in ("ready", "running", "backing-off"):
            return False
        if not self._is_new(row):
            return True
        now = self._admin.clock.now()
        seen_first = self._starts.setdefault(row.id, {}).setdefault(row.last_start_at, now)
        if row.status == "running" and len(self._starts[row.id]) == 1:
            return now - seen_first < _LASTING_SECONDS
        return row.status == "ready"

    def _has_failed(self, row: Invocation) -> bool:
        is_tried_again = len(self._starts.get(row.id, ())) > 1
        return row.status == "paused" or (
            self._is_new(row) and (row.status == "backing-off" or is_tried_again)
        )
