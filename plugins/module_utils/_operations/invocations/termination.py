# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing and purging invocations: exactly those that were planned, and none that took their ids meanwhile."""

from __future__ import annotations

import datetime
import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..journal import DONE, UNKNOWN, Journal
from ..waiting import repeat_while_lost, wait_until
from .chunks import chunks, rows_about

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation, InvocationStatus

KILLED = "[409] killed"
"""The failure of what was killed (crates/types/src/errors.rs:276-282 of v1.7.6)."""

_SETTLE_SECONDS = 15
_TOLD = {
    "gone": "there is none any more",
    "completed": "it has completed",
    "unfinished": "it has not completed",
}


def still_there(admin: AdminClient, planned: t.Iterable[Invocation]) -> dict[str, InvocationStatus]:
    """Return, by id, what there is of the planned invocations now.

    A run that is submitted again has the id of the run before it; only created_at tells them apart
    (crates/types/src/identifiers.rs:293-325 of v1.7.6).
    """
    created_at = {row.id: row.created_at for row in planned}
    return {
        row.id: row
        for row in rows_about(admin, admin.questions.status_of, list(created_at))
        if row.created_at == created_at[row.id]
    }


def retained_until(row: Invocation, retention: float | None) -> datetime.datetime | None:
    """Return until when an invocation that is gone was destroyed, and did not expire; `retention` is in seconds.

    It counts from when the invocation was created, so it is never too long.
    """
    if retention is None:
        return None
    return _timestamps.parse(row.created_at) + datetime.timedelta(seconds=retention)


def kill(
    admin: AdminClient,
    planned: t.Sequence[Invocation],
    journal: Journal,
    *,
    retention: float | None = None,
) -> None:
    """Kill what is unfinished of the planned invocations, and keep the journal of it.

    Each call names only what was read just before it; where its answer was lost, what remains is read again. One
    that was killed meanwhile, as a child of another that was, counts as killed. What the server refuses has the reason
    V(kill_failed); where no answer tells, and reading again for a while neither, it is unknown.
    A call that timed out is never sent again, since it may be delivered late: its invocations are read again, and what
    is neither killed nor gone (within its `retention`, in seconds) is unknown.
    Raises OperatorError where no answer came.
    """
    for chunk in chunks(planned):
        _Kill(admin, chunk, journal, retention).run()


def purge(
    admin: AdminClient,
    planned: t.Sequence[Invocation],
    journal: Journal,
    *,
    runs: t.Container[str],
    retention: float | None = None,
) -> None:
    """Purge the planned invocations, which are completed or are being killed, and keep the journal of it.

    Those whose id is in O(runs) are only purged if they failed: a run that succeeded meanwhile has the reason
    V(already_succeeded). What the server refuses has the reason V(purge_failed); see L(kill) for what is unknown.
    Raises OperatorError where no answer came.
    """
    for chunk in chunks(planned):
        _Purge(admin, chunk, journal, retention, runs).run()


def may_be_late(error: OperatorError) -> bool:
    """Whether a write timed out, here or at a gateway: it may be held somewhere, and be delivered later."""
    return error.outcome_unknown and (error.reason == "timeout" or error.status == 504)


class _Termination:
    """One chunk of invocations, until it is settled what became of each."""

    verb: t.ClassVar[str]

    def __init__(
        self,
        admin: AdminClient,
        planned: t.Sequence[Invocation],
        journal: Journal,
        retention: float | None,
    ) -> None:
        self._admin = admin
        self._journal = journal
        self._open = list(planned)
        self._retention = retention
        self._late: set[str] = set()
        """Whose call timed out, and may be delivered late."""

    def run(self) -> None:
        """Read and call until all is settled, or for a while."""
        clock, retry = self._admin.clock, self._admin.connection.retry

        def is_settled() -> bool:
            return repeat_while_lost(self._round, clock=clock, delay_after=retry.patient_delay_after)

        try:
            # A kill is applied at once where the leader answers; a read elsewhere may be behind.
            if not wait_until(is_settled, clock=clock, seconds=_SETTLE_SECONDS, growth=1.2):
                if self._late:
                    # The call that timed out may have taken all the time there was.
                    self._note_seen(still_there(self._admin, self._open))
                self._give_up()
        except OperatorError as exc:
            if exc.status is None or not exc.outcome_unknown:
                raise
            lost = [row.id for row in self._open if self._state(row.id) == UNKNOWN]
            self._journal.unknown(self.verb, lost, exc.message, exc.http)

    def _round(self) -> bool:
        """Read what is there, send a call for what is still to be done, and return whether all is settled."""
        raise NotImplementedError

    def _give_up(self) -> None:
        """Say what became of those that are not settled in time."""
        raise NotImplementedError

    def _note_seen(self, now: t.Mapping[str, InvocationStatus]) -> None:
        """Note that what was carried out is done: those whose answer was lost, and that are gone."""
        gone = [row for row in self._open if row.id not in now and self._state(row.id) == UNKNOWN]
        self._note_done([row.id for row in gone if row.id not in self._late or self._is_retained(row)])

    def _note_done(self, ids: t.Sequence[str]) -> None:
        self._journal.done(self.verb, [each for each in ids if each not in self._late])
        late = [each for each in ids if each in self._late]
        if late:
            self._journal.done(self.verb, late, timed_out=True)

    def _is_retained(self, row: Invocation) -> bool:
        """Whether it would still be there by itself."""
        end = retained_until(row, self._retention)
        return end is None or _timestamps.now() < end

    def _state(self, invocation_id: str) -> str | None:
        return self._journal.state(self.verb, invocation_id)

    def _send(self, ids: t.Sequence[str]) -> None:
        """Send one round of calls, and note what was done and what was refused."""
        failed = f"{self.verb}_failed"
        remaining = list(ids)
        for each in remaining:
            if self._state(each) == UNKNOWN:
                self._journal.learn(each, sent_again=True)
        while remaining:
            self._journal.sending(self.verb, remaining)
            try:
                for invocation_id, answer in self._admin.terminate(self.verb, remaining):
                    self._note(invocation_id, answer)
                return
            except OperatorError as exc:
                remaining = [each for each in remaining if self._state(each) == UNKNOWN]
                hit = exc.invocation_ids or remaining
                unsent = [each for each in remaining if each not in hit]
                self._journal.not_done(self.verb, unsent, "not_tried")
                if not exc.outcome_unknown:
                    self._journal.not_done(self.verb, hit, failed, exc.message, exc.http)
                if may_be_late(exc):
                    self._journal.unknown(self.verb, hit, exc.message, exc.http)
                    self._late.update(hit)
                    return
                # Where the server is gone or takes nothing from us, every other call would meet the same.
                if exc.status is None or exc.outcome_unknown or exc.status in (401, 403, 429):
                    raise
                remaining = unsent

    def _note(self, invocation_id: str, answer: str) -> None:
        if answer == "done":
            self._journal.done(self.verb, [invocation_id])
        elif answer in _TOLD:
            self._journal.not_done(self.verb, [invocation_id], answer, _TOLD[answer])
        else:
            self._journal.unknown(self.verb, [invocation_id], answer)

    def _is_refused(self, invocation_id: str) -> bool:
        entry = self._journal.entry(self.verb, invocation_id)
        return entry is not None and entry.reason == f"{self.verb}_failed"


class _Kill(_Termination):
    verb = "kill"

    def _round(self) -> bool:
        now = still_there(self._admin, self._open)
        self._note_seen(now)
        self._journal.not_done(self.verb, self._ended_otherwise(now), "completed", _TOLD["completed"])
        self._open = [
            row
            for row in self._open
            if row.id in now and now[row.id].status != "completed" and not self._is_settled(row)
        ]
        if self._open:
            self._send([row.id for row in self._open])
        # Those that timed out are read once more.
        self._open = [row for row in self._open if row.id in self._late or not self._is_settled(row)]
        return not self._open

    def _note_seen(self, now: t.Mapping[str, InvocationStatus]) -> None:
        super()._note_seen(now)
        self._note_done([row.id for row in now.values() if row.completion_failure == KILLED])

    def _ended_otherwise(self, now: t.Mapping[str, InvocationStatus]) -> list[str]:
        """Return those whose answer was lost and that ended by themselves: it came too late."""
        completed = [row for row in now.values() if row.status == "completed"]
        return [
            row.id
            for row in completed
            if row.completion_failure != KILLED
            and self._state(row.id) == UNKNOWN
            and row.id not in self._late
        ]

    def _is_settled(self, row: Invocation) -> bool:
        return self._state(row.id) == DONE or row.id in self._late or self._is_refused(row.id)

    def _give_up(self) -> None:
        """Leave it as the server's last answers have it: the purge tells what has not completed."""


class _Purge(_Termination):
    verb = "purge"

    def __init__(
        self,
        admin: AdminClient,
        planned: t.Sequence[Invocation],
        journal: Journal,
        retention: float | None,
        runs: t.Container[str],
    ) -> None:
        super().__init__(admin, planned, journal, retention)
        self._runs = runs

    def _round(self) -> bool:
        now = still_there(self._admin, self._open)
        self._note_seen(now)
        self._open = [row for row in self._open if row.id in now and row.id not in self._late]
        succeeded = [row.id for row in self._open if self._has_succeeded(now[row.id])]
        self._journal.not_done(self.verb, succeeded, "already_succeeded", "its run succeeded meanwhile")
        self._open = [row for row in self._open if row.id not in succeeded]
        completed = [row.id for row in self._open if now[row.id].status == "completed"]
        if completed:
            self._send(completed)
        self._open = [row for row in self._open if row.id not in completed or self._is_open(row.id)]
        return not self._open

    def _has_succeeded(self, now: InvocationStatus) -> bool:
        is_run = now.id in self._runs
        return is_run and now.status == "completed" and now.completion_result != "failure"

    def _is_open(self, invocation_id: str) -> bool:
        """Whether it is to be tried again: it had not completed, or no answer tells what became of it."""
        entry = self._journal.entry(self.verb, invocation_id)
        return entry is not None and (entry.reason in ("unfinished", "not_tried") or entry.state == UNKNOWN)

    def _give_up(self) -> None:
        entries = {row.id: self._journal.entry(self.verb, row.id) for row in self._open}
        unsent = [id_ for id_, entry in entries.items() if entry and entry.reason == "not_tried"]
        ids = [id_ for id_ in entries if id_ not in unsent and self._state(id_) not in (UNKNOWN, DONE)]
        self._journal.not_done(self.verb, ids, "purge_failed", "it has not completed")
        message = "it was not come to, since the calls before it were not answered in time"
        self._journal.not_done(self.verb, unsent, "purge_failed", message)
