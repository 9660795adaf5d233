# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving work from one deployment to another, so that it goes on from its journal rather than being lost."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import OperatorError
from ..commands import runbook
from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from ..report import count
from ..waiting import wait_until
from .attempts import FirstAttempts
from .chunks import rows_about

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation

ATTEMPT_RUNNING = "attempt_running"
"""The reason of what was not moved since its attempt had not ended by then."""
ALREADY_MOVED = "already_moved"
"""The reason of what this task did not move since another one had moved it."""

_AT_ONCE = 10
_PAUSE_SECONDS = 15
_LEAST_PAUSE_SECONDS = 1
_LEAST_LOOKS = 3
_TOLD_OF_ATTEMPT = "Its attempt has not ended yet. It is paused when it ends; the same task moves it then."
_POLL_SECONDS = 0.2
_FRESH_SECONDS = 0.5


def migrate(
    admin: AdminClient,
    rows: t.Sequence[Invocation],
    deployment_id: str,
    journal: Journal,
    *,
    failed: str = "migration_failed",
) -> dict[str, str]:
    """Move invocations to a deployment (servers from 1.6), pausing them where the server demands it.

    The journal has the action V(migrate). An invocation that cannot be moved is let go on where it is and has the
    reason O(failed). Those that completed meanwhile count as moved. What was moved and not seen at its new
    place, since it could not be read, is unknown.
    Raises OperatorError where there is no connection any more.
    Returns, by id, the codes of those that met one of L(FAILURES) at their new place.
    """
    migration = _Migration(admin, deployment_id, journal, failed)
    wanted = [row.id for row in rows]
    with admin.clock.telling(lambda: migration.how_far(wanted)):
        migration.send(wanted)
        ids = [row.id for row in rows if journal.state("migrate", row.id) != NOT_DONE]
        try:
            return migration.verify(ids)
        except OperatorError as exc:
            journal.unknown("migrate", ids, f"Whether it moved could not be read: {exc.message}")
            return {}


def is_moved(journal: Journal, invocation_id: str) -> bool:
    """Return whether an invocation is at its new place, whoever moved it."""
    entry = journal.entry("migrate", invocation_id)
    return entry is not None and (entry.state == DONE or entry.reason == ALREADY_MOVED)


class _Migration:
    """The invocations that are being moved to one deployment."""

    def __init__(self, admin: AdminClient, deployment_id: str, journal: Journal, failed: str) -> None:
        self._admin = admin
        self._deployment_id = deployment_id
        self._journal = journal
        self._failed = failed
        self._open: list[str] = []
        self._looked_at = 0.0
        self._seconds_left = float(_PAUSE_SECONDS)
        """For how long attempts that do not end are waited for."""
        self._unanswered: set[str] = set()
        """What may have been moved by a call whose answer was lost."""

    def send(self, ids: t.Sequence[str]) -> None:
        """Ask for each to go on at its new place; those that must be paused first are paused and asked again.

        A few at a time, so that few stay paused where the server goes away meanwhile.
        Raises OperatorError where there is no connection any more: the rest is not tried.
        """
        for first in range(0, len(ids), _AT_ONCE):
            batch = list(ids[first : first + _AT_ONCE])
            self._open = batch
            started = self._admin.clock.now()
            try:
                # Completed ones are busy, too: the verification tells them apart.
                have_all_been_asked = self._repeat(
                    self._have_all_been_asked, seconds=max(self._seconds_left, _LEAST_PAUSE_SECONDS)
                )
                if not have_all_been_asked:
                    self._seconds_left -= self._admin.clock.now() - started
            except OperatorError:
                untried = [each for each in ids if self._journal.state("migrate", each) is None]
                self._journal.not_done("migrate", untried, "not_tried", "there was no connection any more")
                lost = [each for each in ids if self._journal.state("migrate", each) == UNKNOWN]
                if lost:
                    self._journal.warn(
                        f"Whether {count(len(lost), 'invocation')} moved is unknown: {', '.join(lost)}."
                    )
                raise
            finally:
                self._let_paused_go_on(batch)
            self._admin.clock.progress()

    def how_far(self, ids: t.Sequence[str]) -> str:
        """Return what a person is told while these are moved."""
        done = sum(self._journal.is_done("migrate", each) for each in ids)
        return f"moving: {done:,} of {len(ids):,} were asked to go on at {self._deployment_id}"

    def _repeat(self, look: t.Callable[[], bool], *, seconds: float, growth: float = 1.0) -> bool:
        """Look until it is so, and return True; look again at least twice, however long a node hangs."""
        looks = 0
        clock = self._admin.clock

        def is_so() -> bool:
            nonlocal looks
            looks += 1
            return look()

        if wait_until(is_so, clock=clock, seconds=seconds, pause=_POLL_SECONDS, growth=growth):
            return True
        while looks < _LEAST_LOOKS:
            if is_so():
                return True
        return False

    def _have_all_been_asked(self) -> bool:
        if not self._look():
            # It is looked at again, and the verification tells.
            return False
        self._call_each(self._open, self._ask)
        self._call_each(
            [each for each in self._open if not self._journal.is_done("pause", each)], self._pause
        )
        return not self._open

    def _look(self) -> bool:
        """Read what is still open, and close what has completed or is at its new place; return whether it was read."""
        try:
            now = {row.id: row for row in self._read(self._open)}
        except OperatorError as exc:
            if exc.status is None:
                raise
            return False
        self._looked_at = self._admin.clock.now()
        settled = [each for each in self._open if each not in now or self._is_settled(now[each])]
        self._note_moved_by_others(now[each] for each in settled if each in now)
        self._note_resumed(settled)
        self._open = [each for each in self._open if each not in settled]
        return True

    def _call_each(self, ids: t.Sequence[str], call: t.Callable[[str], bool]) -> None:
        """Call for each that is open, and close what is settled by it; after a time-out, no other is called.

        What was read some time ago may have been moved by another task since: a call would move or stop it once more.
        """
        for each in ids:
            if self._admin.clock.now() - self._looked_at > _FRESH_SECONDS and not self._look():
                return
            if each not in self._open:
                continue
            try:
                if self._settles(call, each):
                    self._open = [other for other in self._open if other != each]
            except OperatorError as exc:
                if exc.reason != "timeout":
                    raise
                # Another node may answer, which a read tells; of this one, the others would wait as long.
                return

    def _note_moved_by_others(self, rows: t.Iterable[Invocation]) -> None:
        there = [row.id for row in rows if row.pinned_deployment_id == self._deployment_id]
        ids = [each for each in there if each not in self._unanswered]
        self._journal.not_done("migrate", ids, ALREADY_MOVED, "another task has moved it")

    def _is_settled(self, row: Invocation) -> bool:
        has_moved = row.pinned_deployment_id == self._deployment_id and row.status != "paused"
        return row.status == "completed" or has_moved

    def _settles(self, call: t.Callable[[str], bool], invocation_id: str) -> bool:
        """Call for one, and return whether that settles what becomes of it; raise if nobody answers."""
        try:
            return call(invocation_id)
        except OperatorError as exc:
            if exc.status is None:
                raise
            if exc.outcome_unknown:
                self._journal.unknown("migrate", [invocation_id], exc.message, exc.http)
                return False
            self._journal.not_done("migrate", [invocation_id], self._failed, exc.message, exc.http)
            return True

    def _ask(self, invocation_id: str) -> bool:
        """Ask one to go on at its new place, and return whether it does; one that is busy must be paused first."""
        self._journal.sending("migrate", [invocation_id])
        was_asked = invocation_id in self._unanswered
        self._unanswered.add(invocation_id)
        is_busy = self._admin.resume(invocation_id, self._deployment_id) == "busy"
        if not was_asked:
            self._unanswered.discard(invocation_id)
        if not is_busy:
            # What was acknowledged is done; the verification sees whether it lasts.
            self._journal.done("migrate", [invocation_id])
            self._note_resumed([invocation_id])
        return not is_busy

    def _pause(self, invocation_id: str) -> bool:
        """Pause one, and return False: it is to be asked again then."""
        # Noted before it is sent: whatever ends the task, what may be paused is let go on.
        was_sent = self._journal.state("pause", invocation_id) == UNKNOWN
        self._journal.sending("pause", [invocation_id])
        if self._admin.pause(invocation_id):
            self._journal.done("pause", [invocation_id])
        elif not was_sent:
            self._journal.not_done("pause", [invocation_id], "not_running")
        return False

    def _paused(self, ids: t.Iterable[str]) -> list[str]:
        """Return those that are paused by this, or may be."""
        return [each for each in ids if self._journal.state("pause", each) in (DONE, UNKNOWN)]

    def _note_resumed(self, ids: t.Iterable[str]) -> None:
        self._journal.not_done("pause", self._paused(ids), "resumed")

    def _let_paused_go_on(self, ids: t.Sequence[str]) -> None:
        """Let go on where they are those that were paused here and were not moved, whatever ends the task."""
        self._repeat(lambda: self._do_paused_go_on(ids), seconds=_PAUSE_SECONDS, growth=2.0)
        paused = self._paused(ids)
        if paused:
            command = runbook(
                "resume", restate_invocation_ids=",".join(paused), restate_deployment=self._deployment_id
            )
            self._journal.warn(
                f"{count(len(paused), 'invocation')} may have been left paused by this task: "
                f"{', '.join(paused)}. Move them: {command}"
            )

    def _do_paused_go_on(self, ids: t.Sequence[str]) -> bool:
        """Resume those that are paused; return whether all go on, or are paused only once their attempt ends."""
        attempted = set()
        for invocation_id in self._paused(ids):
            with contextlib.suppress(OperatorError):
                rows = self._read([invocation_id])
                if rows and rows[0].status == "running" and self._is_attempted_elsewhere(rows[0]):
                    # The server answers that it resumes it, and pauses it all the same when its attempt ends.
                    attempted.add(invocation_id)
                elif self._admin.resume(invocation_id, "keep") != "busy" or self._goes_on(invocation_id):
                    self._note_resumed([invocation_id])
        return attempted.issuperset(self._paused(ids))

    def _is_attempted_elsewhere(self, row: Invocation) -> bool:
        return row.last_attempt_deployment_id not in (None, self._deployment_id)

    def _goes_on(self, invocation_id: str) -> bool:
        return all(self._is_settled(row) for row in self._read([invocation_id]))

    def verify(self, ids: t.Sequence[str]) -> dict[str, str]:
        """Read until each has been tried at its new place, or for a few seconds, and note what was seen."""
        attempts = FirstAttempts(
            self._admin, lambda row: row.last_attempt_deployment_id == self._deployment_id
        )
        rows = attempts.watch(ids)
        for invocation_id in ids:
            self._note(invocation_id, rows.get(invocation_id))
        return attempts.failures(row for row in rows.values() if self._journal.is_done("migrate", row.id))

    def _note(self, invocation_id: str, row: Invocation | None) -> None:
        has_moved = (
            row is None or row.status == "completed" or row.pinned_deployment_id == self._deployment_id
        )
        if has_moved:
            self._journal.done("migrate", [invocation_id])
        else:
            pinned = row.pinned_deployment_id if row else None
            reason, message = self._failed, f"It is still pinned to {pinned}."
            if row and row.status == "running" and self._is_attempted_elsewhere(row):
                reason, message = ATTEMPT_RUNNING, _TOLD_OF_ATTEMPT
            self._journal.not_done("migrate", [invocation_id], reason, message)

    def _read(self, ids: t.Sequence[str]) -> list[Invocation]:
        return rows_about(self._admin, self._admin.questions.invocations, ids)
