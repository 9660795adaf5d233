# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each key: a pure function of plan and journal."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from .doubt import latest
from .key_plan import FAILED, RECOVERED
from .key_state import KeyState
from .plan import KeyRecovery, Plan
from .progress import how_many_done


@dataclass(frozen=True, slots=True)
class KeyResult:
    """What became of a key; in check mode, what would. O(http) is the request that failed."""

    service_name: str
    service_key: str
    outcome: str
    reason: str | None = None
    message: str = ""
    failure: str | None = None
    """How the run had failed, in the words of its service."""
    invocation_ids: t.Sequence[str] = ()
    killed: t.Sequence[str] = ()
    purged: t.Sequence[str] = ()
    cleared: t.Sequence[str] = ()
    children: t.Sequence[str] = ()
    callers: t.Sequence[str] = ()
    snapshot: str | None = None
    resubmitted: str | None = None
    resubmitted_at: str | None = None
    http: dict[str, t.Any] | None = None
    unknown: t.Sequence[str] = field(default=())
    """The invocations of which it is unknown whether they were killed or purged."""
    retry_after: str | None = None
    """From when a key with a write in doubt can be taken up."""
    is_in_doubt: bool = False
    """Whether it is unknown of any write whether it was carried out."""

    @property
    def name(self) -> str:
        """Service and key."""
        return f"{self.service_name}/{self.service_key}"

    @property
    def changed(self) -> bool:
        """Whether anything was done to the key, or may have been."""
        return bool(self.killed or self.purged or self.cleared or self.resubmitted or self.is_in_doubt)

    def to_result(self) -> dict[str, t.Any]:
        """Return it as the result shows it; the request that failed is shown with the error."""
        return {name: list(getattr(self, name)) if name in _LISTS else getattr(self, name) for name in _SHOWN}


_LISTS = ("invocation_ids", "killed", "purged", "cleared", "children", "callers", "unknown")
_SHOWN = (
    "service_name",
    "service_key",
    "outcome",
    "reason",
    "message",
    "failure",
    *_LISTS,
    "snapshot",
    "resubmitted",
    "resubmitted_at",
    "retry_after",
)


@dataclass(frozen=True)
class _Verdict:
    outcome: str
    reason: str | None = None
    message: str = ""
    invocation_ids: t.Sequence[str] = ()
    http: dict[str, t.Any] | None = None


def key_result(recovery: KeyRecovery, plan: Plan, journal: Journal) -> KeyResult:
    """Return what became of a key."""
    verdict = _verdict(recovery, plan, journal)
    steps, name = recovery.steps, recovery.name
    calls = [(action, each, journal.state(action, each)) for action, each in steps.calls]
    resubmitted, resubmitted_at = _resubmitted(recovery, journal)
    cleared = journal.entry("clear_state", name)
    note = journal.learned(name, "note")
    return KeyResult(
        service_name=recovery.seen.service,
        service_key=recovery.seen.key,
        outcome=verdict.outcome,
        reason=verdict.reason,
        message="; ".join(part for part in (verdict.message, note) if part),
        failure=recovery.seen.run.completion_failure if recovery.seen.run else None,
        invocation_ids=verdict.invocation_ids,
        killed=tuple(each for action, each, state in calls if (action, state) == ("kill", DONE)),
        purged=tuple(each for action, each, state in calls if (action, state) == ("purge", DONE)),
        cleared=cleared.facts.get("keys", []) if cleared and cleared.state == DONE else (),
        children=recovery.children,
        callers=recovery.callers,
        snapshot=_snapshot(recovery, journal, verdict),
        resubmitted=resubmitted,
        resubmitted_at=resubmitted_at,
        http=verdict.http,
        unknown=tuple(each for _action, each, state in calls if state == UNKNOWN),
        retry_after=_retry_after(recovery, plan, journal),
        is_in_doubt=UNKNOWN in [state for _action, _each, state in calls] + _states_of_key(name, journal),
    )


def _retry_after(recovery: KeyRecovery, plan: Plan, journal: Journal) -> str | None:
    """Return from when a key with a write in doubt can be taken up."""
    if recovery.retry_after:
        return latest([recovery.retry_after])
    grace = datetime.timedelta(seconds=plan.write_grace)
    unknown = [call for call in recovery.steps.calls if journal.state(*call) == UNKNOWN]
    return latest(journal.sent_at(*call) + grace for call in unknown) if grace else None


def _verdict(recovery: KeyRecovery, plan: Plan, journal: Journal) -> _Verdict:
    steps = recovery.steps
    entry = journal.entry("recover", recovery.name)
    if steps.outcome != RECOVERED:
        error = plan.failed_reads.get(recovery.name)
        return _Verdict(
            steps.outcome, steps.reason, steps.message, steps.invocation_ids, error.http if error else None
        )
    if not recovery.is_in_work or (entry and entry.state == DONE):
        return _Verdict(RECOVERED, message=steps.message)
    if entry and entry.state == NOT_DONE:
        ids = entry.facts.get("invocation_ids", ())
        return _Verdict(entry.facts["outcome"], entry.reason, entry.message, ids, entry.http)
    if _is_untouched(recovery, journal):
        return _Verdict(FAILED, "not_tried", "the task ended before")
    if is_purged(recovery, journal) and not recovery.submits:
        # What was acknowledged is done.
        return _Verdict(RECOVERED, message="not verified: the task ended before")
    ended = journal.ended_by
    return _Verdict(FAILED, "interrupted", ended.message if ended else "", http=ended.http if ended else None)


def how_far(plan: Plan, journal: Journal) -> str:
    """Return what a person is told of a recovery of many keys that is under way."""
    entries = journal.entries("recover").values()
    outcomes = [RECOVERED if each.state == DONE else each.facts["outcome"] for each in entries]
    total = sum(each.is_in_work for each in plan.recoveries)
    return how_many_done(outcomes, total, submitted_again=len(journal.subjects("resubmit")))


def is_purged(recovery: KeyRecovery, journal: Journal) -> bool:
    """Whether all that was to be destroyed was acknowledged."""
    if recovery.steps.clear_state:
        # The server answers before it clears a state: only reading it again tells.
        return False
    return all(journal.is_done(action, each) for action, each in recovery.steps.calls)


def _snapshot(recovery: KeyRecovery, journal: Journal, verdict: _Verdict) -> str | None:
    """Return where the snapshot is, under the name that it has now."""
    path = journal.learned(recovery.name, "snapshot")
    if path is None and journal.is_prediction and recovery.is_in_work:
        path = recovery.snapshot
    if path is None and not recovery.steps.has_steps and recovery.submits and recovery.pending:
        path = recovery.pending.path
    return str(path) if path and verdict.reason != "snapshot_failed" else None


def _resubmitted(recovery: KeyRecovery, journal: Journal) -> tuple[str | None, str | None]:
    """Return the id of the new run, and when it was created."""
    if recovery.resubmitted:
        return recovery.resubmitted.id, recovery.resubmitted.created_at
    entry = journal.entry("resubmit", recovery.name)
    if entry is None or entry.state != DONE:
        return None, None
    return entry.facts["run_id"], entry.facts.get("created_at")


def state_after(recovery: KeyRecovery, result: KeyResult, journal: Journal) -> dict[str, t.Any]:
    """Return what is there now as a diff shows it; what is unknown is said to be unknown."""
    seen: KeyState | None = journal.seen_after.get(recovery.name)
    if seen is None and _is_untouched(recovery, journal):
        seen = recovery.seen
    if seen is None or journal.state("resubmit", recovery.name) == UNKNOWN:
        return {"unknown": "the task was cut off before it could read this again"}
    shown = seen.to_result()
    return {**shown, "resubmitted": result.resubmitted} if result.resubmitted else shown


def was_touched(recovery: KeyRecovery, journal: Journal) -> bool:
    """Whether anything was done to the key, or may have been."""
    return any(state in (DONE, UNKNOWN) for state in _states(recovery, journal))


def _is_untouched(recovery: KeyRecovery, journal: Journal) -> bool:
    """Whether nothing was done to the key, and nothing may have been."""
    if not recovery.is_in_work or recovery.name not in journal.begun:
        return True
    return not was_touched(recovery, journal)


def _states(recovery: KeyRecovery, journal: Journal) -> list[str | None]:
    """Return what became of each write of a key."""
    states = [journal.state(action, each) for action, each in recovery.steps.calls]
    return states + _states_of_key(recovery.name, journal)


def _states_of_key(name: str, journal: Journal) -> list[str | None]:
    return [journal.state(action, name) for action in ("clear_state", "resubmit")]
