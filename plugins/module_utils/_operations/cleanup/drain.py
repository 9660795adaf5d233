# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying a cleanup out: remove what is drained, wait for the rest, and do with what remains as was asked."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import OperatorError
from ..._restate.rows import Invocation
from ..._restate.server import Restate
from ..deployments.pending import Pending, read_pending, read_unfinished
from ..deployments.registry import STALE_READ_SECONDS, Registry
from ..invocations.called import read_called
from ..invocations.cancellation import plan_cancellation
from ..invocations.fit import offer_of
from ..invocations.migration import ATTEMPT_RUNNING, is_moved
from ..invocations.migration_plan import plan_migration
from ..invocations.termination import kill
from ..journal import UNKNOWN, Entry, Journal
from ..open_actions import PAUSE, OpenActions
from ..report import count
from ..waiting import wait_until
from .deleted import DeletedDeployments
from .moving import MoveToKept
from .plan import Plan, Removal
from .prediction import OLDER_RETURNS, held_by_cancelled, note_called, note_remaining

_SHOWN = 5
_SETTLE_SECONDS = 5
"""How long the counts may take to follow what was cancelled, killed or moved."""


class Drain:
    """Carries a plan out against Restate, and keeps its journal."""

    def __init__(self, restate: Restate, plan: Plan, journal: Journal) -> None:
        self._admin = restate.admin
        self._clock = restate.clock
        self._plan = plan
        self._journal = journal
        self._waiting = list(plan.removals)
        self._pending = Pending({})
        """What was pending when it was last looked at."""
        self._in_doubt: OperatorError | None = None
        """The first removal of which no answer tells whether it was, or will be, carried out."""
        self._open_actions = OpenActions.of(restate)
        self._moving = MoveToKept(restate.admin, plan.kept, journal)
        self._deleted = DeletedDeployments(restate.admin, journal, self._moving, self._open_actions)

    def run(self) -> None:
        """Do what is planned; what remains at the end is noted with its reason."""
        with self._clock.telling(self._how_far):
            self._run()

    def _how_far(self) -> str:
        removed = len(self._journal.subjects("remove"))
        return f"cleanup: {removed:,} of {len(self._plan.removals):,} removed"

    def _run(self) -> None:
        request = self._plan.request
        started = self._clock.now()
        try:
            wait_until(
                self._remove_drained,
                clock=self._clock,
                seconds=request.drain_timeout,
                pause=0.5,
                growth=1.5,
                progress=lambda: draining({each.id: self._pending[each.id] for each in self._waiting}),
            )
        finally:
            waited = min(round(self._clock.now() - started), request.drain_timeout)
            self._journal.learn(self._plan.kept.id, waited_seconds=waited)
        if request.force_drain:
            self._end_all_pending()
        self._note_undecided()
        if self._in_doubt:
            raise self._in_doubt

    def _remove_drained(self) -> bool:
        """Remove what nothing pends on, and return whether nothing waits any more."""
        registry = Registry.read(self._admin)
        pending = self._pending = read_pending(self._admin, registry)
        try:
            for removal in list(self._waiting):
                is_elsewhere = self._plan.kept.id in registry.ids and self._is_gone(removal, registry)
                if not is_elsewhere and not pending[removal.id]:
                    self._remove(removal)
        except OperatorError:
            with contextlib.suppress(OperatorError):
                self._deleted.look()
            raise
        self._deleted.look()
        return not self._waiting

    def _undecided(self) -> list[Removal]:
        return [each for each in self._waiting if self._journal.state("remove", each.id) is None]

    def _note_undecided(self) -> None:
        """Note why what is neither removed nor held stays."""
        undecided = self._undecided()
        registry = Registry.read(self._admin) if undecided else self._plan.registry
        for removal in undecided:
            if self._is_gone(removal, registry):
                continue
            reason = self._why_latest_is_kept(removal, registry)
            ids = [] if reason else [row.id for row in self._unfinished_on(removal, registry)]
            note_remaining(self._journal, removal.id, {reason or "drain_timeout": ids})

    # What is still pending at the end

    def _end_all_pending(self) -> None:
        """Do with all that is still pending as was asked, then remove what has ended."""
        for removal in self._plan.in_order_of_ending:
            if removal in self._waiting:
                self._end_pending(removal)
        wait_until(
            lambda: self._remove_drained() or not self._undecided(),
            clock=self._clock,
            seconds=_SETTLE_SECONDS,
            pause=0.2,
        )

    def _end_pending(self, removal: Removal) -> None:
        # Who is the latest is read again: it may be this one by now, and its work alive.
        registry = self._read_with_kept()
        if self._is_gone(removal, registry):
            return
        if reason := self._why_latest_is_kept(removal, registry):
            note_remaining(self._journal, removal.id, {reason: []})
            return
        if removal.at_end == "abandon":
            self._remove(removal, abandon=True)
            self._deleted.look()
            return
        rows = self._unfinished_on(removal, registry)
        self._note_services(rows)
        try:
            if removal.at_end == "migrate":
                self._migrate(removal, rows)
            elif removal.at_end == "cancel":
                self._cancel(removal, rows, registry)
            else:
                self._kill(removal, rows)
        except OperatorError:
            unknown = [row.id for row in rows if self._journal.state(removal.at_end, row.id) == UNKNOWN]
            if unknown:
                note_remaining(self._journal, removal.id, {UNKNOWN: unknown})
            raise

    def _note_services(self, rows: t.Iterable[Invocation]) -> None:
        self._journal.services.update((row.id, row.target_service_name) for row in rows)

    def _cancel(self, removal: Removal, rows: t.Sequence[Invocation], registry: Registry) -> None:
        plan = plan_cancellation(self._admin, registry, rows)
        for row in plan.to_cancel:
            self._clock.progress()
            try:
                with self._journal.attempt("cancel", row.id):
                    is_there = self._admin.cancel(row.id)
            except OperatorError as exc:
                if exc.status is None or not exc.outcome_unknown:
                    raise
                # A second cancel would interrupt what the first one began.
                self._journal.unknown("cancel", [row.id], exc.message, exc.http)
                self._journal.warn(f"Whether {row.id} was cancelled is unknown: {exc.message}")
                continue
            if not is_there:
                self._journal.not_done("cancel", [row.id], "completed", "there is nothing left to cancel")
        if plan.not_received:
            note_remaining(self._journal, removal.id, held_by_cancelled(plan))

    def _kill(self, removal: Removal, rows: list[Invocation]) -> None:
        called = read_called(self._admin, [row.id for row in rows])
        try:
            kill(self._admin, rows, self._journal)
        finally:
            killed = [
                each for id_, below in called.items() if self._journal.is_done("kill", id_) for each in below
            ]
            note_called(self._journal, removal.id, killed)
        remaining: dict[str, list[str]] = {}
        for row in rows:
            entry = self._journal.entry("kill", row.id)
            if entry and entry.reason in ("kill_failed", UNKNOWN):
                remaining.setdefault(entry.reason, []).append(row.id)
                self._journal.warn(f"{row.id} {_was_not('killed', entry)}: {entry.message}")
        if remaining:
            note_remaining(self._journal, removal.id, remaining)

    def _migrate(self, removal: Removal, rows: list[Invocation]) -> None:
        of_tasks = self._open_actions.paused()
        paused_by_task = {row.id for row in rows if row.status == "paused" and row.id in of_tasks}
        plan = plan_migration(
            rows,
            self._moving.offer,
            began_on=offer_of(removal.id, self._admin.deployment(removal.id)),
            move_paused=self._plan.request.migrate_paused,
            paused_by_task=paused_by_task,
        )
        for warning in plan.warnings:
            self._journal.warn(warning)
        remaining: dict[str, t.Sequence[str]] = dict(plan.remaining)
        movable = plan.movable
        if movable and not self._admin.capabilities.can_pause:
            # Where it pended from the start the plan is refused; this got pinned since.
            remaining["migrate_unsupported"] = [row.id for row in movable]
            movable = ()
        for invocation_id, entry in self._moving.move(movable).items():
            reason = _why_not_moved(entry)
            remaining[reason] = [*remaining.get(reason, ()), invocation_id]
            self._journal.warn(f"{invocation_id} {_was_not('moved', entry)}: {entry.message}")
        # What goes on is paused by no earlier task any more; what this one leaves paused is kept at its end.
        left = {each for each in paused_by_task if not is_moved(self._journal, each)}
        self._open_actions.settle(PAUSE, of_tasks & {row.id for row in rows} - left)
        if remaining:
            note_remaining(self._journal, removal.id, remaining)

    # The removal

    def _remove(self, removal: Removal, *, abandon: bool = False) -> None:
        """Delete a deployment, unless what was read just before forbids it."""
        registry = self._read_with_kept()
        pending = self._pending = read_pending(self._admin, registry)
        # What is read before a removal shows what became of the one before it, too.
        self._deleted.look(registry.ids, pending.numbers.keys())
        if self._is_gone(removal, registry) or (pending[removal.id] and not abandon):
            return
        reason = self._why_latest_is_kept(removal, registry)
        if reason == "became_latest":
            note_remaining(self._journal, removal.id, {reason: []})
        if reason:
            return
        abandoned = self._unfinished_on(removal, registry) if abandon else []
        self._note_services(abandoned)
        ids = [row.id for row in abandoned]
        try:
            with self._journal.attempt("remove", removal.id, reason="interrupted"):
                was_there = self._admin.delete_deployment(removal.id)
            if not was_there:
                self._note_gone(removal)
                return
        except OperatorError as exc:
            if not exc.outcome_unknown:
                raise
            if not self._is_removed_after_all(removal, exc):
                self._journal.unknown("abandon", ids, exc.message, exc.http)
                return
        self._journal.done("abandon", ids)
        self._waiting.remove(removal)
        self._deleted.add(removal.id, abandoned=ids)
        self._clock.progress()

    def _is_removed_after_all(self, removal: Removal, error: OperatorError) -> bool:
        """Read whether a removal whose answer never came was carried out; if it was not, it may be later."""

        def is_gone() -> bool:
            return removal.id not in Registry.read(self._admin).ids

        if wait_until(is_gone, clock=self._clock, seconds=STALE_READ_SECONDS, pause=0.5):
            self._journal.done("remove", [removal.id])
            return True
        self._journal.unknown("remove", [removal.id], error.message, error.http)
        self._waiting.remove(removal)
        self._in_doubt = self._in_doubt or error
        return False

    def _is_gone(self, removal: Removal, registry: Registry) -> bool:
        """Whether somebody else has removed the deployment meanwhile; that is noted."""
        if removal.id in registry.ids:
            return False
        self._note_gone(removal)
        return True

    def _note_gone(self, removal: Removal) -> None:
        self._journal.not_done("remove", [removal.id], "already_gone", "somebody else removed it meanwhile")
        self._waiting.remove(removal)
        if self._pending[removal.id]:
            self._journal.warn(
                f"Somebody else removed {removal.id} meanwhile, with {count(self._pending[removal.id], 'invocation')} "
                "pending on it. What is pinned to it cannot go on (RT0011): resume it on the latest deployment."
            )

    def _read_with_kept(self) -> Registry:
        """Return what is registered now; raise where the deployment that is to be kept is not, for good."""
        registry = Registry.read(self._admin)

        def is_kept_there() -> bool:
            nonlocal registry
            if self._plan.kept.id not in registry.ids:
                registry = Registry.read(self._admin)
            return self._plan.kept.id in registry.ids

        # A node of a cluster may not know yet of what was registered a moment ago.
        is_there = wait_until(is_kept_there, clock=self._clock, seconds=STALE_READ_SECONDS, pause=0.5)
        if is_there:
            return registry
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"{self._plan.kept.id} at {self._plan.kept.shown_url}, which is to be kept, is no longer registered: "
            "nothing more is removed.",
            remedy="Register it again (restate_redeploy), then run the task again.",
            deployment_ids=[self._plan.kept.id],
        )

    def _why_latest_is_kept(self, removal: Removal, registry: Registry) -> str | None:
        """Return why a deployment that is the latest for a service stays now, or None.

        Nobody allowed that the service vanishes, or an older revision of it would be the latest again.
        """
        others = {
            service.name
            for other in registry.deployments
            if other.id != removal.id
            for service in other.services
        }
        may_vanish = self._plan.request.allow_service_removal
        latest = registry.latest_at(removal.id)
        lost = {name for name in latest if name in others or not may_vanish}
        if not lost:
            return None
        was_latest = lost <= set(self._plan.registry.latest_at(removal.id))
        return OLDER_RETURNS if was_latest else "became_latest"

    def _unfinished_on(self, removal: Removal, registry: Registry) -> list[Invocation]:
        return read_unfinished(self._admin, registry, removal.id, self._pending)


def _why_not_moved(entry: Entry) -> str:
    if entry.state == UNKNOWN:
        return UNKNOWN
    return ATTEMPT_RUNNING if entry.reason == ATTEMPT_RUNNING else "migration_failed"


def draining(pending: t.Mapping[str, int]) -> str:
    """Return what a person is told while deployments drain."""
    shown = ", ".join(f"{each} has {number} pending" for each, number in list(pending.items())[:_SHOWN])
    more = len(pending) - _SHOWN
    return f"draining: {shown}" + (f", and {more} more" if more > 0 else "")


def _was_not(done: str, entry: Entry) -> str:
    return f"may have been {done} or not" if entry.state == UNKNOWN else f"was not {done}"
