# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give stuck workflow keys a fresh start, straight against Restate, and lose nothing that may still be wanted."""

from __future__ import annotations

import contextlib
import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.rows import Invocation
from ..._restate.server import Restate
from ..._restate.state_version import state_version
from ..invocations.chunks import chunks, rows_about
from ..invocations.termination import kill, purge, retained_until
from ..journal import UNKNOWN, Entry, Journal
from ..open_actions import OpenAction, OpenActions
from ..operation import Backend
from ..waiting import repeat_while_lost, wait_until
from .approval import subjects
from .inputs import Input, read_inputs
from .key_plan import BLOCKED, FAILED
from .observation import READ_ERRORS, observe, read_keys
from .plan import KeyRecovery, Plan, RecoveryRequest, make_plan, predict
from .report import make_report
from .resubmission import Resubmissions
from .results import how_far, is_purged, was_touched
from .snapshot_content import content_digest, read_contents, snapshot_content
from .snapshots import Snapshots
from .verification import SETTLE_SECONDS, what_is_left
from .workflow import Workflow


def apply(restate: Restate, plan: Plan, journal: Journal) -> None:
    """Recover the keys chunk by chunk; one key's trouble does not stop the others."""
    _settle(restate, plan)
    snapshots = None
    if plan.request.snapshot_dir and plan.cluster:
        snapshots = Snapshots(plan.request.snapshot_dir, cluster=plan.cluster)
        snapshots.make_folder()
    resubmissions = (
        Resubmissions(restate, snapshots, journal) if snapshots and plan.request.resubmit else None
    )
    try:
        with restate.clock.telling(lambda: how_far(plan, journal)):
            for workflow in plan.workflows.values():
                recoveries = [each for each in plan.recoveries if each.seen.service == workflow.name]
                for chunk in chunks(recoveries):
                    _ChunkRecovery(restate, workflow, plan, journal).run(chunk, snapshots, resubmissions)
                    restate.clock.progress()
    finally:
        if resubmissions:
            resubmissions.close()


def _settle(restate: Restate, plan: Plan) -> None:
    """Forget the writes of earlier tasks that were seen to have been carried out."""
    settled = [each for recovery in plan.recoveries for each in recovery.settled]
    sent_again = [each for recovery in plan.recoveries if recovery.is_in_work for each in recovery.doubted]
    if settled or sent_again:
        open_actions = OpenActions.of(restate, plan.request.snapshot_dir)
        for action in ("kill", "purge"):
            open_actions.settle(action, {each.subject for each in settled if each.action == action})
        open_actions.send_again({each.subject for each in sent_again})


class _ChunkRecovery:
    """Some keys of one workflow, few enough to keep memory bounded."""

    def __init__(self, restate: Restate, workflow: Workflow, plan: Plan, journal: Journal) -> None:
        self._restate = restate
        self._admin = restate.admin
        self._workflow = workflow
        self._plan = plan
        self._journal = journal
        self._recoveries: list[KeyRecovery] = []

    def run(
        self,
        recoveries: t.Sequence[KeyRecovery],
        snapshots: Snapshots | None,
        resubmissions: Resubmissions | None,
    ) -> None:
        """Recover the keys, and note for each that is not what forbade it."""
        if resubmissions:
            resubmissions.close_settled(recoveries)
        self._recoveries = [each for each in recoveries if each.is_in_work]
        self._journal.begun.update(each.name for each in self._recoveries)
        inputs: dict[str, Input] = {}
        destroying: list[KeyRecovery] = []
        try:
            inputs = self._keep(snapshots) if snapshots else {}
            destroying = [each for each in self._in_work() if each.steps.has_steps]
            self._destroy()
        except OperatorError as exc:
            if exc.code not in READ_ERRORS:
                raise
            self._stop_unread(exc)
        self._verify(destroying)
        self._stop_timed_out()
        if resubmissions:
            resubmissions.submit_all(self._in_work(), inputs, self._workflow)
            resubmissions.cancel_for_kept_runs(self._recoveries)
        self._journal.done("recover", [each.name for each in self._in_work()])

    def _in_work(self) -> list[KeyRecovery]:
        """Return the keys that nothing has stopped so far."""
        return [each for each in self._recoveries if self._journal.state("recover", each.name) is None]

    def _stop(self, recovery: KeyRecovery, reason: str, message: str, **facts: t.Any) -> None:
        """Stop a key: it is blocked if nothing was done to it, and nothing may have been; else it has failed."""
        http = facts.pop("http", None)
        facts.setdefault("outcome", FAILED if was_touched(recovery, self._journal) else BLOCKED)
        self._journal.not_done("recover", [recovery.name], reason, message, http, **facts)

    def _stop_unread(self, error: OperatorError) -> None:
        """Stop the keys that are not done as far as was acknowledged, since what there is of them is not known."""
        for recovery in self._in_work():
            if recovery.steps.has_steps and is_purged(recovery, self._journal):
                continue
            if was_touched(recovery, self._journal):
                message = f"what became of it is unknown, since it could not be read again: {error.message}"
                self._stop(recovery, UNKNOWN, message, http=error.http)
            else:
                self._stop(recovery, "query_failed", error.message, http=error.http)

    def _stop_timed_out(self) -> None:
        """Stop the keys that a request destroyed that timed out: none of them is submitted again in this task."""
        for recovery in self._in_work():
            entries = [self._journal.entry(action, each) for action, each in recovery.steps.calls]
            if recovery.submits and any(entry and entry.facts.get("timed_out") for entry in entries):
                message = "the request that destroyed it timed out, so it is not submitted again in this task"
                self._stop(recovery, "resubmission_failed", message, outcome=FAILED)

    # Keep

    def _keep(self, snapshots: Snapshots) -> dict[str, Input]:
        """Write the snapshots of what is to be destroyed, and return the inputs by the key's name.

        A key whose snapshot cannot be written is left.
        """
        destroying = [each for each in self._recoveries if each.steps.has_steps]
        runs = {each.seen.run.id: each for each in destroying if each.seen.run}
        read = read_inputs(self._admin, list(runs))
        inputs = {
            each.name: each.pending.input for each in self._recoveries if each.pending and not each.closes
        }
        inputs |= {runs[run_id].name: content for run_id, content in read.items()}
        contents = read_contents(self._admin, self._workflow.name, [each.seen.key for each in destroying])
        for recovery in destroying:
            seen, kept_input = recovery.seen, inputs.get(recovery.name)
            why_not = self._why_not_submitted(recovery, kept_input)
            if why_not:
                ids = [row.id for row in seen.invocations]
                self._stop(recovery, "input_unavailable", why_not, invocation_ids=ids)
                continue
            content = snapshot_content(seen, contents.of(seen.key), kept_input)
            kept_as = recovery.run_created_at or content_digest(seen, contents.of(seen.key))
            try:
                path = snapshots.write(content, kept_as, is_pending=recovery.submits)
            except OSError as exc:
                self._stop(recovery, "snapshot_failed", f"its snapshot could not be written: {exc}")
            else:
                self._journal.learn(recovery.name, snapshot=path)
        return inputs

    def _why_not_submitted(self, recovery: KeyRecovery, kept_input: Input | None) -> str:
        """Return why a key that is to be submitted again cannot be; empty if it can."""
        if not recovery.submits:
            return ""
        if kept_input is None:
            return "its input is no longer retained"
        return self._workflow.why_not_submitted(recovery.seen.key, kept_input)

    # Destroy

    def _destroy(self) -> None:
        self._kill()
        self._wait_until_released()
        # The runs first, and then, of the keys whose run is gone, the rest.
        runs = {each.seen.run.id for each in self._in_work() if each.seen.run}
        self._purge(runs, of_runs=True)
        self._purge(runs, of_runs=False)
        for recovery in self._in_work():
            if recovery.steps.clear_state:
                self._clear_state(recovery)

    def _kill(self) -> None:
        planned = {row.id: (row, each.name) for each in self._in_work() for row in each.steps.kill}
        if planned:
            rows = [row for row, _name in planned.values()]
            with self._noted("kill", planned.values()):
                kill(self._admin, rows, self._journal, retention=self._workflow.retention)
        for recovery in self._in_work():
            self._stop_for("kill", recovery, recovery.steps.kill)

    @contextlib.contextmanager
    def _noted(self, action: str, planned: t.Iterable[tuple[Invocation, str]]) -> t.Iterator[None]:
        """Note what a later task must know of writes that are not answered, for as long as that is so."""
        now = _timestamps.now()
        actions = []
        for row, name in planned:
            until = retained_until(row, self._workflow.retention)
            self._journal.learn(row.id, key=name, retained_until=until)
            actions.append(OpenAction(action, row.id, now, name, until))
        open_actions = OpenActions.of(self._restate, self._plan.request.snapshot_dir)
        with open_actions.noted(
            actions, lambda each: self._journal.state(each.action, each.subject) == UNKNOWN
        ):
            yield

    def _stop_for(self, action: str, recovery: KeyRecovery, rows: t.Iterable[Invocation]) -> None:
        """Stop a key for what the server refused, or of what it is unknown whether it was carried out."""
        entries = {row.id: self._journal.entry(action, row.id) for row in rows}
        reasons = (f"{action}_failed", "already_succeeded", UNKNOWN)
        stopping = {each: entry for each, entry in entries.items() if entry and entry.reason in reasons}
        for entry in stopping.values():
            ids = list(stopping)
            self._stop(recovery, entry.reason, _whether(action, entry), http=entry.http, invocation_ids=ids)
            return

    def _wait_until_released(self) -> None:
        """Wait until no attempt of the runs is under way, on servers where another run could meet it.

        1.5.3 aborts an attempt of what was killed only once the service is silent for its inactivity_timeout (a minute
        by default). A run that is submitted after a purge has the same id, and the partition that is asked to start it
        before that panics, and stays down. A key whose run is still held after a while is left half-way.
        """
        if self._plan.releases_killed_at_once:
            return
        held = {
            each.seen.run.id: each
            for each in self._in_work()
            if each.seen.run and each.seen.run in each.steps.purge
        }

        def are_released() -> bool:
            rows = rows_about(self._admin, self._admin.questions.held_by_invoker, list(held))
            for run_id in held.keys() - {row.id for row in rows}:
                del held[run_id]
            return not held

        if not wait_until(are_released, clock=self._admin.clock, seconds=SETTLE_SECONDS):
            for run_id, recovery in held.items():
                message = "an attempt of its killed run is still under way"
                self._stop(recovery, "purge_failed", message, invocation_ids=[run_id])

    def _purge(self, runs: set[str], *, of_runs: bool) -> None:
        planned = {
            row.id: (row, recovery.name)
            for recovery in self._in_work()
            for row in recovery.steps.purge
            if (row.id in runs) is of_runs
        }
        if planned:
            rows = [row for row, _name in planned.values()]
            with self._noted("purge", planned.values()):
                purge(self._admin, rows, self._journal, runs=runs, retention=self._workflow.retention)
        for recovery in self._in_work():
            self._stop_for("purge", recovery, recovery.steps.purge)

    def _clear_state(self, recovery: KeyRecovery) -> None:
        """Clear orphaned state if it is still what is read now and no run has come meanwhile.

        Never after a purge of a run: that has cleared the state, and what is there then is another run's.
        """
        service, key = self._workflow.name, recovery.seen.key
        rows = self._admin.query(self._admin.questions.state_values(service, [key]))
        entries = {row.key: row.content for row in rows}
        now = read_keys(self._admin, self._workflow, [key], reads_all=True)[key]
        if now.invocations or now.promises:
            ids = [row.id for row in now.invocations]
            self._stop(recovery, "active_invocation", "it was submitted meanwhile", invocation_ids=ids)
        elif entries:
            try:
                with self._journal.attempt("clear_state", recovery.name):
                    # Only this version of the state is cleared, also by a second call.
                    repeat_while_lost(
                        lambda: self._admin.clear_state(service, key, state_version(entries)),
                        clock=self._admin.clock,
                        delay_after=self._admin.connection.retry.patient_delay_after,
                    )
            except OperatorError as exc:
                if exc.status in (None, 401, 403):
                    raise
                # The other keys are not to blame.
                if exc.outcome_unknown:
                    message = f"whether its state was cleared is unknown: {exc.message}"
                    self._stop(recovery, UNKNOWN, message, http=exc.http, outcome=FAILED)
                else:
                    self._stop(recovery, "clear_failed", exc.message, http=exc.http)
            else:
                self._journal.done("clear_state", [recovery.name], keys=sorted(entries))

    # Verify

    def _what_is_left(self, recoveries: t.Sequence[KeyRecovery]) -> list[KeyRecovery]:
        return what_is_left(
            self._restate, self._workflow, recoveries, self._journal, reads_all=self._plan.reads_all
        )

    def _verify(self, recoveries: t.Sequence[KeyRecovery]) -> None:
        """Verify; what was acknowledged is done also where that cannot be read, but is not submitted again then."""
        try:
            for recovery in self._what_is_left(recoveries):
                ids = [row.id for row in self._journal.seen_after[recovery.name].invocations]
                message = "some of it is still there after the purge"
                self._stop(recovery, "purge_failed", message, invocation_ids=ids)
        except OperatorError as exc:
            if exc.code not in READ_ERRORS:
                raise
            for recovery in self._in_work():
                self._journal.learn(recovery.name, note=f"not verified: {exc.message}")
                if recovery.steps.clear_state:
                    # The server answers before it clears a state, and only if it still has the version that was read.
                    message = "whether its state was cleared is unknown"
                    self._stop(recovery, UNKNOWN, message, http=exc.http)
                elif recovery.submits:
                    message = f"purged, not verified, and so not submitted again: {exc.message}"
                    self._stop(recovery, "resubmission_failed", message, http=exc.http, outcome=FAILED)


def _whether(action: str, entry: Entry) -> str:
    if entry.state != UNKNOWN:
        return entry.message
    return f"whether its {action} was carried out is unknown: {entry.message}"


BACKEND = Backend(
    request=RecoveryRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
    subjects=subjects,
)
