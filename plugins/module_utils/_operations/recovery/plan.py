# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about each key: a pure function of what was observed and asked."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..._errors import OperatorError
from ..._restate.rows import Invocation
from ..invocations.selection import Select
from ..journal import Journal
from ..open_actions import OpenAction
from ..operation import options
from .cluster import Cluster
from .doubt import Doubts
from .key_plan import (
    BLANK,
    BLOCKED,
    FAILED,
    RECOVERED,
    WRITE_IN_DOUBT,
    KeyPlan,
    Rules,
    plan_key,
)
from .key_state import KeyState
from .snapshots import PendingResubmission, SnapshotNames
from .workflow import Workflow

Name = tuple[str, str]
"""A service and a key."""


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """What the operator asked: one key, a list of keys, or a selection."""

    service_name: str | None = None
    service_key: str | None = None
    workflows: list[dict[str, str]] | None = None
    select: Select | None = field(default=None, metadata=options(Select))
    kill_active: str
    stuck_after_retries: int = 3
    clear_orphaned_state: bool = False
    snapshot_dir: str | None = None
    snapshot_cluster: str | None = None
    resubmit: str | None = None
    skip_blocked: bool

    def __post_init__(self) -> None:
        """Raise RESTATE_INVALID_ARGUMENT for options that do not go together."""
        if self.resubmit and not self.snapshot_dir:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "resubmit needs snapshot_dir: what is destroyed and not yet submitted again is kept there.",
            )

    @property
    def rules(self) -> Rules:
        """How far the recovery may go."""
        return Rules(self.kill_active, self.stuck_after_retries, self.clear_orphaned_state)

    @property
    def names(self) -> list[Name]:
        """The keys that are named; raises RESTATE_INVALID_ARGUMENT for empty names."""
        asked = [(self.service_name or "", self.service_key or "")]
        if self.workflows is not None:
            asked = [(entry["service_name"], entry["service_key"]) for entry in self.workflows]
        if not all(name and key for name, key in asked):
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "service_name and service_key must not be empty.")
        return list(dict.fromkeys(asked))


@dataclass(frozen=True)
class Observed:
    """What was read of all keys, before anything is written.

    O(seen) has, by name, what Restate holds of a key, and O(failed_reads) why something of it could not be read;
    O(children) the unfinished invocations below what may be killed, by id, and O(callers) those that wait for it;
    O(retained) the runs whose input can be submitted again. O(pending) are the resubmissions that an earlier task
    left, and O(foreign) those that another Restate is owed. O(cluster) is the one that is asked, where snapshots are
    kept. O(reads_all) says whether state and promises were read of all keys, also of those whose run takes them along.
    """

    names: tuple[Name, ...]
    workflows: t.Mapping[str, Workflow]
    seen: t.Mapping[Name, KeyState]
    now: datetime.datetime
    failed_reads: t.Mapping[Name, OperatorError] = field(default_factory=dict)
    releases_killed_at_once: bool = True
    children: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    callers: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retained: frozenset[str] = frozenset()
    unfit_inputs: t.Mapping[Name, str] = field(default_factory=dict)
    """Why the ingress would refuse the inputs of runs that have one."""
    unfit_pending: t.Mapping[Name, str] = field(default_factory=dict)
    """Why the ingress would refuse the inputs of O(pending)."""
    pending: t.Mapping[Name, PendingResubmission] = field(default_factory=dict)
    foreign: tuple[PendingResubmission, ...] = ()
    cluster: Cluster | None = None
    beyond_limit: int = 0
    reads_all: bool = True
    snapshots: SnapshotNames | None = None
    doubts: Doubts = field(default_factory=Doubts)
    content_digests: t.Mapping[Name, str] = field(default_factory=dict)
    """Of keys without a run, what tells one snapshot of a key from another."""


@dataclass(frozen=True, slots=True)
class KeyRecovery:
    """A key, and what is to be done about it.

    O(children) are the unfinished invocations that a kill takes along, O(callers) those that wait for what it ends.
    O(pending) is what an earlier task left to be submitted again for it; with O(closes) it is not, any more, since its
    run was submitted again (O(resubmitted)). O(submits) says that its input is submitted again in the end. O(snapshot)
    is where its snapshot will be. `retry_after` is from when a key with a write in doubt can be taken up, `settled` are
    the writes of earlier tasks that were seen to have been carried out, `doubted` those of which it is never known.
    """

    seen: KeyState
    steps: KeyPlan
    children: tuple[str, ...] = ()
    pending: PendingResubmission | None = None
    closes: bool = False
    resubmitted: Invocation | None = None
    submits: bool = False
    snapshot: Path | None = None
    callers: tuple[str, ...] = ()
    retry_after: datetime.datetime | None = None
    settled: tuple[OpenAction, ...] = ()
    doubted: tuple[OpenAction, ...] = ()

    @property
    def name(self) -> str:
        """Service and key."""
        return self.seen.name

    @property
    def is_in_work(self) -> bool:
        """Whether anything is to be done about it."""
        return self.steps.outcome == RECOVERED and (self.steps.has_steps or self.submits)

    @property
    def run_created_at(self) -> str:
        """When the run that the snapshot is of was created; empty where there is none."""
        if self.pending and not self.closes:
            return self.pending.created_at
        return self.seen.run.created_at if self.seen.run else ""


@dataclass(frozen=True)
class Plan:
    """What is to be done about all keys. Where a key is blocked, the others are recovered all the same."""

    request: RecoveryRequest
    workflows: t.Mapping[str, Workflow]
    recoveries: tuple[KeyRecovery, ...]
    foreign: tuple[PendingResubmission, ...]
    cluster: Cluster | None
    beyond_limit: int
    reads_all: bool
    releases_killed_at_once: bool
    failed_reads: t.Mapping[str, OperatorError]
    """By name, why something of a key could not be read."""
    write_grace: float = 0.0
    """How long a write that was not answered is in doubt, in seconds."""
    error: OperatorError | None = None


def make_plan(observed: Observed, request: RecoveryRequest) -> Plan:
    """Return what is to be done."""
    planner = _Planner(observed, request)
    return Plan(
        request=request,
        workflows=observed.workflows,
        recoveries=tuple(planner.recovery(name) for name in observed.names),
        foreign=observed.foreign,
        cluster=observed.cluster,
        beyond_limit=observed.beyond_limit,
        reads_all=observed.reads_all,
        releases_killed_at_once=observed.releases_killed_at_once,
        failed_reads={"/".join(name): error for name, error in observed.failed_reads.items()},
        write_grace=observed.doubts.grace,
    )


class _Planner:
    def __init__(self, observed: Observed, request: RecoveryRequest) -> None:
        self._observed = observed
        self._rules = request.rules
        self._resubmits = request.resubmit is not None

    def recovery(self, name: Name) -> KeyRecovery:
        """Return what is to be done about a key."""
        seen = self._observed.seen.get(name, KeyState(*name))
        error = self._observed.failed_reads.get(name)
        if error:
            return KeyRecovery(seen, KeyPlan(BLOCKED, "query_failed", error.message))
        pending = self._observed.pending.get(name)
        doubt = self._observed.doubts.of(seen, pending.run_id if pending else None, self._observed.now)
        if doubt.until:
            ids = tuple(dict.fromkeys(each.subject for each in doubt.unsettled))
            steps = KeyPlan(FAILED, WRITE_IN_DOUBT, doubt.message, ids)
            return KeyRecovery(seen, steps, pending=pending, retry_after=doubt.until)
        steps = plan_key(seen, self._rules)
        recovery = (
            self._with_pending(seen, steps, pending, was_doubted=bool(doubt.unsettled))
            if pending
            else self._destroying(seen, steps)
        )
        return replace(recovery, settled=doubt.settled, doubted=doubt.unsettled)

    def _destroying(
        self,
        seen: KeyState,
        steps: KeyPlan,
        *,
        pending: PendingResubmission | None = None,
        closes: bool = False,
    ) -> KeyRecovery:
        """Return a recovery of what is there now; with a snapshot, where one is wanted."""
        if steps.outcome != RECOVERED:
            return KeyRecovery(seen, steps, pending=pending, closes=closes)
        children = tuple(child for row in steps.kill for child in self._observed.children.get(row.id, ()))
        names, run = self._observed.snapshots, seen.run
        why_not = self._why_not_submitted(seen, None if closes else pending)
        if self._resubmits and why_not:
            ids = tuple(row.id for row in seen.invocations)
            blocked = KeyPlan(BLOCKED, "input_unavailable", why_not, ids)
            return KeyRecovery(seen, blocked, children, pending, closes)
        snapshot = None
        if names:
            name = (seen.service, seen.key)
            snapshot = names.closed(*name, run.created_at if run else self._observed.content_digests[name])
        return KeyRecovery(
            seen,
            steps,
            children,
            pending,
            closes,
            submits=self._resubmits,
            snapshot=snapshot,
            callers=self._callers(steps, children),
        )

    def _why_not_submitted(self, seen: KeyState, pending: PendingResubmission | None) -> str:
        """Return why the input of a key cannot be submitted again; empty if it can."""
        name = (seen.service, seen.key)
        if pending:
            return self._observed.unfit_pending.get(name, "")
        if seen.run and seen.run.id in self._observed.retained:
            return ""
        return self._observed.unfit_inputs.get(name, "its input is no longer retained")

    def _callers(self, steps: KeyPlan, children: tuple[str, ...]) -> tuple[str, ...]:
        """Return who waits for what is killed, and is not killed with it."""
        ids = [row.id for row in steps.kill]
        waiting = [caller for each in ids for caller in self._observed.callers.get(each, ())]
        return tuple(each for each in dict.fromkeys(waiting) if each not in {*ids, *children})

    def _with_pending(
        self, seen: KeyState, steps: KeyPlan, pending: PendingResubmission, *, was_doubted: bool
    ) -> KeyRecovery:
        """Take up what an earlier task that was cut off left to do for this key.

        With `was_doubted`, a write that may have been delivered late may also have destroyed a run that was submitted.
        """
        run = seen.run
        if run and run.created_at == pending.created_at:
            # It was cut off before the purge.
            return self._destroying(seen, steps, pending=pending)
        if run:
            return self._already_submitted(seen, steps, pending, run)
        if steps.outcome != BLANK:
            return self._destroying(seen, steps)
        age = (self._observed.now - pending.taken_at).total_seconds()
        if pending.was_sent and (was_doubted or age >= self._observed.workflows[seen.service].retention):
            message = (
                "whether its input was submitted again before is unknown, since its run would leave no trace by now: "
                f"see {pending.path}"
            )
            return KeyRecovery(seen, KeyPlan(BLOCKED, "resubmission_unknown", message))
        unfit = self._why_not_submitted(seen, pending)
        if unfit:
            message = f"{unfit}: see {pending.path}"
            return KeyRecovery(seen, KeyPlan(FAILED, "input_unavailable", message), pending=pending)
        names = self._observed.snapshots
        snapshot = names.closed(seen.service, seen.key, pending.created_at) if names else None
        return KeyRecovery(seen, KeyPlan(RECOVERED), pending=pending, submits=True, snapshot=snapshot)

    def _already_submitted(
        self, seen: KeyState, steps: KeyPlan, pending: PendingResubmission, run: Invocation
    ) -> KeyRecovery:
        """Take up a key that was cut off after the submission, or that somebody else submitted."""
        has_failed = run.status == "completed" and run.completion_result == "failure"
        if has_failed and steps.outcome != BLOCKED:
            return self._destroying(seen, steps, pending=pending, closes=True)
        # Also where it might be killed: that was asked of the run before it.
        message = "was submitted again already"
        return KeyRecovery(
            seen, KeyPlan(RECOVERED, message=message), pending=pending, closes=True, resubmitted=run
        )


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave."""
    journal = Journal(is_prediction=True)
    for recovery in plan.recoveries:
        _predict_key(recovery, journal)
    return journal


def _predict_key(recovery: KeyRecovery, journal: Journal) -> None:
    if not recovery.is_in_work:
        return
    steps, seen = recovery.steps, recovery.seen
    journal.done("kill", [row.id for row in steps.kill])
    journal.done("purge", [row.id for row in steps.purge])
    if steps.clear_state:
        journal.done("clear_state", [recovery.name], keys=sorted(seen.state))
    if steps.has_steps:
        journal.seen_after[recovery.name] = KeyState(seen.service, seen.key)
    if recovery.submits:
        # The id of a workflow's run is a function of its service and key.
        run_id = seen.run.id if seen.run else recovery.pending and recovery.pending.run_id
        journal.done("resubmit", [recovery.name], run_id=run_id)
    journal.done("recover", [recovery.name])
