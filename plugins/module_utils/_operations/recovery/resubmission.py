# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Submitting a run's own input again, as what Restate itself cannot do for workflows."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from ..._errors import OperatorError
from ..._restate.ingress import IngressClient
from ..._restate.server import Restate
from ..invocations.chunks import rows_about
from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from ..waiting import repeat_while_lost, wait_until
from .inputs import Input
from .key_plan import FAILED
from .key_state import KeyState
from .observation import READ_ERRORS
from .plan import KeyRecovery
from .snapshots import Snapshots, TakenUpError
from .workflow import Workflow

_SETTLE_SECONDS = 10


class Resubmissions:
    """Submits inputs through the ingress, one submission a key, and keeps the snapshots true to what was sent."""

    def __init__(self, restate: Restate, snapshots: Snapshots, journal: Journal) -> None:
        self._restate = restate
        self._snapshots = snapshots
        self._journal = journal
        self._ingress: IngressClient | None = None
        self._lost: OperatorError | None = None

    def close(self) -> None:
        """Close the connections to the ingress."""
        if self._ingress:
            self._ingress.close()

    def close_settled(self, recoveries: t.Iterable[KeyRecovery]) -> None:
        """Close the snapshots of runs that were submitted again already."""
        for recovery in recoveries:
            run = recovery.seen.run
            if recovery.closes and recovery.pending and run:
                self._close(recovery, recovery.pending.created_at, run.id, run.created_at)

    def submit_all(
        self, recoveries: t.Iterable[KeyRecovery], inputs: t.Mapping[str, Input], workflow: Workflow
    ) -> None:
        """Submit what is to be submitted again, and see that each is a new run."""
        submitting = [each for each in recoveries if each.submits]
        if not submitting:
            return
        with self._snapshots.alone(self._restate.clock) as is_alone:
            if is_alone:
                self._submit_all(submitting, inputs, workflow)
            for recovery in submitting if not is_alone else ():
                self._stop(recovery, "another task submits what snapshot_dir owes")

    def _submit_all(
        self, submitting: t.Sequence[KeyRecovery], inputs: t.Mapping[str, Input], workflow: Workflow
    ) -> None:
        sent: dict[str, KeyRecovery] = {}
        for recovery in submitting:
            run_id = self._submit(recovery, inputs[recovery.name], workflow)
            if run_id:
                sent[run_id] = recovery
            self._restate.clock.progress()
        try:
            created_at = self._read_created_at(list(sent)) if sent else {}
        except OperatorError as exc:
            if exc.code not in READ_ERRORS:
                raise
            for recovery in sent.values():
                message = f"it was submitted again, and the new run could not be read: {exc.message}"
                self._leave(recovery, message, reason=UNKNOWN, http=exc.http)
            return
        for run_id, recovery in sent.items():
            self._note_submitted(recovery, run_id, created_at.get(run_id), workflow)

    def _submit(self, recovery: KeyRecovery, content: Input, workflow: Workflow) -> str | None:
        """Submit a key's input, and return the id of its run; where that fails, note why."""
        if self._lost:
            # Where it is gone or takes nothing from us, every other submission would wait for the same.
            self._stop(recovery, self._lost.message)
            return None
        name = recovery.name
        try:
            was_sent = bool(recovery.pending and not recovery.closes and recovery.pending.was_sent)
            path = self._snapshots.claim(*self._key(recovery), was_sent=was_sent)
            self._journal.learn(name, snapshot=path)
        except TakenUpError as exc:
            self._journal.learn(name, snapshot=exc.path)
            self._leave(recovery, str(exc))
            return None
        except OSError as exc:
            self._stop(recovery, f"its snapshot could not be renamed: {exc}")
            return None
        self._journal.sending("resubmit", [name])
        try:
            run_id = self._send(recovery, content, workflow)
        except OperatorError as exc:
            self._note_failed(recovery, exc)
            if exc.status is None or exc.status in (401, 403, 429):
                self._lost = exc
            return None
        self._journal.done("resubmit", [name], run_id=run_id)
        # What was read before is no longer there, and it is not proved yet that this Restate took it.
        self._journal.seen_after.pop(name, None)
        return run_id

    def _send(self, recovery: KeyRecovery, content: Input, workflow: Workflow) -> str:
        """Submit an input, and return the id of its run; also where somebody else submitted the key first.

        The server takes one submission a key, so where an answer was lost the same submission is sent again.
        """
        if self._ingress is None:
            version = self._restate.admin
            self._ingress = self._restate.ingress.connect(lambda: version.version.ingress_endpoint)
        ingress, handler = self._ingress, workflow.run_handler
        if handler is None:
            raise AssertionError("a workflow without a run handler was refused before")
        target = (workflow.name, recovery.seen.key, handler.name)
        content = workflow.submission(recovery.seen.key, content)
        admin = self._restate.admin
        return repeat_while_lost(
            lambda: ingress.submit(*target, content.payload, content.headers),
            clock=admin.clock,
            delay_after=admin.connection.retry.patient_delay_after,
        )

    def _note_failed(self, recovery: KeyRecovery, error: OperatorError) -> None:
        self._stop(recovery, error.message, http=error.http)
        if error.outcome_unknown:
            return
        self._journal.not_done("resubmit", [recovery.name], "resubmission_failed", error.message)
        if not (recovery.pending and recovery.pending.was_sent):
            with self._noting(recovery, "it may have been"):
                path = self._snapshots.mark_not_submitted(*self._key(recovery))
                self._journal.learn(recovery.name, snapshot=path)

    def _stop(self, recovery: KeyRecovery, why: str, **more: t.Any) -> None:
        self._leave(recovery, f"it is blank, but could not be submitted again: {why}", **more)

    def _leave(
        self, recovery: KeyRecovery, message: str, *, reason: str = "resubmission_failed", **more: t.Any
    ) -> None:
        self._journal.not_done("recover", [recovery.name], reason, message, outcome=FAILED, **more)

    def _read_created_at(self, ids: list[str]) -> dict[str, str]:
        """Return, by id, when the submitted runs were created; one that is not to be seen in time is absent."""
        admin = self._restate.admin
        created_at: dict[str, str] = {}

        def are_all_seen() -> bool:
            rows = rows_about(admin, admin.questions.status_of, ids)
            created_at.update((row.id, row.created_at) for row in rows)
            return len(created_at) == len(ids)

        wait_until(are_all_seen, clock=admin.clock, seconds=_SETTLE_SECONDS)
        return created_at

    def _note_submitted(
        self, recovery: KeyRecovery, run_id: str, created_at: str | None, workflow: Workflow
    ) -> None:
        self._journal.seen_after[recovery.name] = KeyState(workflow.name, recovery.seen.key)
        planned = recovery.seen.run.id if recovery.seen.run else recovery.pending and recovery.pending.run_id
        is_old = created_at == recovery.run_created_at
        # The id of a workflow's run is a function of its service and key.
        is_other_key = planned not in (None, run_id)
        if is_old or is_other_key or (created_at is None and workflow.retention):
            taken_as = f"the ingress took its input as {run_id}"
            message = f"{taken_as}, but this Restate shows no new run: is ingress_url its own?"
            self._journal.not_done(
                "recover",
                [recovery.name],
                "resubmission_failed",
                message,
                outcome=FAILED,
                invocation_ids=[run_id],
            )
            self._journal.not_done("resubmit", [recovery.name], "resubmission_failed", message)
            return
        self._journal.done("resubmit", [recovery.name], run_id=run_id, created_at=created_at)
        path = self._close(recovery, recovery.run_created_at, run_id, created_at)
        if path:
            self._journal.learn(recovery.name, snapshot=path)

    def _close(self, recovery: KeyRecovery, kept_as: str, run_id: str, created_at: str | None) -> Path | None:
        """Note that nothing is pending any more, and return where the snapshot is now.

        Where that cannot be noted, the run that is there tells the next task.
        """
        resubmitted = {"invocation_id": run_id, "created_at": created_at}
        service, key, _created_at = self._key(recovery)
        try:
            return self._snapshots.close(service, key, kept_as, resubmitted)
        except OSError as exc:
            self._journal.learn(recovery.name, note=f"its snapshot could not be closed: {exc}")
            return None

    def cancel_for_kept_runs(self, recoveries: t.Iterable[KeyRecovery]) -> None:
        """Take back that a resubmission is pending for keys whose run was left: it may yet succeed."""
        for recovery in recoveries:
            is_stopped = self._journal.state("recover", recovery.name) == NOT_DONE
            has_snapshot = self._journal.learned(recovery.name, "snapshot") is not None
            if not (is_stopped and has_snapshot and self._is_run_unharmed(recovery)):
                continue
            with self._noting(recovery, "a resubmission is owed"):
                path = self._snapshots.cancel_resubmission(*self._key(recovery))
                self._journal.learn(recovery.name, snapshot=path)

    def _is_run_unharmed(self, recovery: KeyRecovery) -> bool:
        """Whether the run was seen to be there as it was, and no call is under way that may yet destroy it."""
        run = recovery.seen.run
        now: KeyState | None = self._journal.seen_after.get(recovery.name)
        if run is None or now is None or now.run is None or now.run.created_at != run.created_at:
            return False
        was_killed = self._journal.state("kill", run.id) in (DONE, UNKNOWN)
        return not was_killed and self._journal.state("purge", run.id) != UNKNOWN

    @contextlib.contextmanager
    def _noting(self, recovery: KeyRecovery, what: str) -> t.Iterator[None]:
        """Note where a snapshot could not be renamed what its name still says."""
        try:
            yield
        except OSError as exc:
            self._journal.learn(recovery.name, note=f"its snapshot still says that {what}: {exc}")

    @staticmethod
    def _key(recovery: KeyRecovery) -> tuple[str, str, str]:
        return recovery.seen.service, recovery.seen.key, recovery.run_created_at
