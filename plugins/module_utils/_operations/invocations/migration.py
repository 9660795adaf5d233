# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving work from one deployment to another, so that it goes on from its journal rather than being lost."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..journal import NOT_DONE, Journal
from ..waiting import wait_until
from .chunks import chunks

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation

_PAUSE_SECONDS = 15
_FIRST_ATTEMPT_SECONDS = 5
_FIRST_FAILURE_SECONDS = 1
"""How long an attempt at the new place must run before it is taken for one that its journal fits."""
_POLL_SECONDS = 0.2
_JOURNAL_MISMATCH = "RT0016"


def migrate(
    admin: AdminClient,
    rows: t.Sequence[Invocation],
    deployment_id: str,
    journal: Journal,
    *,
    failed: str = "migration_failed",
) -> list[str]:
    """Move invocations to a deployment (servers from 1.6), pausing them where the server demands it.

    The journal has the action V(migrate). An invocation that cannot be moved is let go on where it is and has the
    reason O(failed). Those that completed meanwhile count as moved. What was moved and not seen at its new
    place, since it could not be read, is unknown.
    Returns the ids of those that met a journal mismatch (RT0016) at their new place.
    """
    migration = _Migration(admin, deployment_id, journal, failed)
    migration.send([row.id for row in rows])
    ids = [row.id for row in rows if journal.state("migrate", row.id) != NOT_DONE]
    try:
        return migration.verify(ids)
    except OperatorError as exc:
        journal.unknown("migrate", ids, f"Whether it moved could not be read: {exc.message}")
        return []


class _Migration:
    """The invocations that are being moved to one deployment."""

    def __init__(self, admin: AdminClient, deployment_id: str, journal: Journal, failed: str) -> None:
        self._admin = admin
        self._deployment_id = deployment_id
        self._journal = journal
        self._failed = failed
        self._busy: list[str] = []
        self._running_since: dict[str, float] = {}

    def send(self, ids: t.Iterable[str]) -> None:
        """Ask for each to go on at its new place; those that must be paused first are paused and asked again."""
        for invocation_id in ids:
            self._journal.sending("migrate", [invocation_id])
            try:
                if self._admin.resume(invocation_id, self._deployment_id) == "busy":
                    self._admin.pause(invocation_id)
                    self._busy.append(invocation_id)
            except OperatorError as exc:
                self._give_up(invocation_id, exc)
        # Completed ones are busy, too: the verification tells them apart.
        wait_until(
            self._are_all_resumed, clock=self._admin.clock, seconds=_PAUSE_SECONDS, pause=_POLL_SECONDS
        )

    def _are_all_resumed(self) -> bool:
        self._busy = [each for each in self._busy if self._is_busy(each)]
        if self._busy:
            try:
                unfinished = {row.id for row in self._read(self._busy) if row.status != "completed"}
            except OperatorError:
                # The verification reads again, and tells.
                return True
            self._busy = [each for each in self._busy if each in unfinished]
        return not self._busy

    def _is_busy(self, invocation_id: str) -> bool:
        try:
            return self._admin.resume(invocation_id, self._deployment_id) == "busy"
        except OperatorError as exc:
            self._give_up(invocation_id, exc)
            return False

    def _give_up(self, invocation_id: str, error: OperatorError) -> None:
        message = error.message
        try:
            self._admin.resume(invocation_id, "keep")
        except OperatorError as exc:
            message += f" It may have been left paused: {exc.message}"
        self._journal.not_done("migrate", [invocation_id], self._failed, message, error.http)

    def verify(self, ids: t.Sequence[str]) -> list[str]:
        """Read until each has been tried at its new place, or for a few seconds, and note what was seen."""
        rows: dict[str, Invocation] = {}

        def have_all_been_tried() -> bool:
            rows.clear()
            rows.update((row.id, row) for row in self._read(ids))
            return not any(self._is_open(row) for row in rows.values())

        wait_until(
            have_all_been_tried, clock=self._admin.clock, seconds=_FIRST_ATTEMPT_SECONDS, pause=_POLL_SECONDS
        )
        for invocation_id in ids:
            self._note(invocation_id, rows.get(invocation_id))
        return self._mismatched(list(rows.values()))

    def _is_open(self, row: Invocation) -> bool:
        """Whether the first attempt at the new place has not shown yet how it goes."""
        if row.last_attempt_deployment_id != self._deployment_id:
            return row.status in ("ready", "running", "backing-off")
        if row.status != "running" or row.last_failure is not None:
            return False
        now = self._admin.clock.now()
        return now - self._running_since.setdefault(row.id, now) < _FIRST_FAILURE_SECONDS

    def _note(self, invocation_id: str, row: Invocation | None) -> None:
        has_moved = (
            row is None or row.status == "completed" or row.pinned_deployment_id == self._deployment_id
        )
        if has_moved:
            self._journal.done("migrate", [invocation_id])
        else:
            pinned = row.pinned_deployment_id if row else None
            message = f"It is still pinned to {pinned}."
            self._journal.not_done("migrate", [invocation_id], self._failed, message)

    def _mismatched(self, rows: t.Sequence[Invocation]) -> list[str]:
        ids = {row.id for row in rows if row.last_failure_error_code == _JOURNAL_MISMATCH}
        paused = [row.id for row in rows if row.status == "paused"]
        for event in self._admin.query(self._admin.questions.last_events(paused)) if paused else []:
            if event.failure.restate_code == _JOURNAL_MISMATCH:
                ids.add(event.id)
        return sorted(ids)

    def _read(self, ids: t.Sequence[str]) -> list[Invocation]:
        questions = self._admin.questions
        return [row for chunk in chunks(ids) for row in self._admin.query(questions.invocations(chunk))]
