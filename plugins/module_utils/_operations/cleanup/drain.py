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
from ..deployments.pending import read_pending
from ..deployments.registry import STALE_READ_SECONDS, Registry
from ..invocations.fit import offer_of
from ..invocations.migration_plan import plan_migration
from ..invocations.termination import kill
from ..journal import NOT_DONE, UNKNOWN, Entry, Journal
from ..waiting import wait_until
from .deleted import DeletedDeployments
from .moving import MoveToKept
from .plan import Plan, Removal
from .prediction import note_remaining

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
        self._pending: dict[str, int] = {}
        """What was pending when it was last looked at, by deployment."""
        self._moving = MoveToKept(restate.admin, plan.kept, journal)
        self._deleted = DeletedDeployments(restate.admin, journal, self._moving)

    def run(self) -> None:
        """Do what is planned; what remains at the end is noted with its reason."""
        with self._clock.telling(self._how_far):
            self._run()

    def _how_far(self) -> str:
        removed = len(self._journal.subjects("remove"))
        return f"cleanup: {removed:,} of {len(self._plan.removals):,} removed"

    def _run(self) -> None:
        request = self._plan.request
        wait_until(
            self._remove_drained,
            clock=self._clock,
            seconds=request.drain_timeout,
            pause=0.5,
            growth=1.5,
            progress=lambda: draining({each.id: self._pending[each.id] for each in self._waiting}),
        )
        if request.force_drain:
            for removal in list(self._waiting):
                self._end_pending(removal)
        undecided = [each for each in self._waiting if self._journal.state("remove", each.id) is None]
        registry = Registry.read(self._admin) if undecided else self._plan.registry
        for removal in undecided:
            ids = [row.id for row in self._unfinished_on(removal, registry)]
            note_remaining(self._journal, removal.id, {"drain_timeout": ids})

    def _remove_drained(self) -> bool:
        """Remove what nothing pends on, and return whether nothing waits any more."""
        pending = read_pending(self._admin, Registry.read(self._admin))
        try:
            for removal in list(self._waiting):
                self._pending[removal.id] = pending.get(removal.id, 0)
                if not self._pending[removal.id]:
                    self._remove(removal)
        except OperatorError:
            with contextlib.suppress(OperatorError):
                self._deleted.look()
            raise
        self._deleted.look()
        return not self._waiting

    # What is still pending at the end

    def _end_pending(self, removal: Removal) -> None:
        # Who is the latest is read again: it may be this one by now, and its work alive.
        registry = self._read_with_kept()
        if self._is_gone(removal, registry) or self._has_become_latest(removal, registry):
            return
        how = removal.at_end
        rows = self._unfinished_on(removal, registry)
        if how == "migrate":
            self._migrate(removal, rows)
        elif how == "cancel":
            self._cancel(rows)
        elif how == "kill":
            self._kill(removal, rows)
        if how != "abandon" and not self._is_held(removal):
            self._wait_until_drained(removal)
        self._remove(removal, abandon=how == "abandon")
        self._deleted.look()

    def _cancel(self, rows: t.Iterable[Invocation]) -> None:
        for row in rows:
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

    def _kill(self, removal: Removal, rows: list[Invocation]) -> None:
        kill(self._admin, rows, self._journal)
        remaining: dict[str, list[str]] = {}
        for row in rows:
            entry = self._journal.entry("kill", row.id)
            if entry and entry.reason in ("kill_failed", UNKNOWN):
                remaining.setdefault(entry.reason, []).append(row.id)
                self._journal.warn(f"{row.id} {_was_not('killed', entry)}: {entry.message}")
        if remaining:
            note_remaining(self._journal, removal.id, remaining)

    def _migrate(self, removal: Removal, rows: list[Invocation]) -> None:
        plan = plan_migration(
            rows,
            self._moving.offer,
            began_on=offer_of(removal.id, self._admin.deployment(removal.id)),
            move_paused=self._plan.request.migrate_paused,
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
            reason = UNKNOWN if entry.state == UNKNOWN else "migration_failed"
            remaining[reason] = [*remaining.get(reason, ()), invocation_id]
            self._journal.warn(f"{invocation_id} {_was_not('moved', entry)}: {entry.message}")
        if remaining:
            note_remaining(self._journal, removal.id, remaining)

    def _is_held(self, removal: Removal) -> bool:
        """Whether it was noted that the deployment stays."""
        return self._journal.state("remove", removal.id) == NOT_DONE

    def _wait_until_drained(self, removal: Removal) -> None:
        wait_until(
            lambda: not self._unfinished_on(removal, self._plan.registry),
            clock=self._clock,
            seconds=max(self._plan.request.drain_timeout, _SETTLE_SECONDS),
            pause=0.2,
        )

    # The removal

    def _remove(self, removal: Removal, *, abandon: bool = False) -> None:
        """Delete a deployment, unless what was read just before forbids it."""
        registry = self._read_with_kept()
        pending = read_pending(self._admin, registry)
        # What is read before a removal shows what became of the one before it, too.
        self._deleted.look(registry.ids, pending.keys())
        if self._is_gone(removal, registry) or (pending[removal.id] and not abandon):
            return
        if self._has_become_latest(removal, registry):
            return
        abandoned = [row.id for row in self._unfinished_on(removal, registry)] if abandon else []
        with self._journal.attempt("remove", removal.id, reason="interrupted"):
            self._admin.delete_deployment(removal.id)
        self._journal.done("abandon", abandoned)
        self._waiting.remove(removal)
        self._deleted.add(removal.id, abandoned=abandoned)
        self._clock.progress()

    def _is_gone(self, removal: Removal, registry: Registry) -> bool:
        """Whether somebody else has removed the deployment meanwhile; that is noted."""
        if removal.id in registry.ids:
            return False
        self._journal.not_done("remove", [removal.id], "already_gone", "somebody else removed it meanwhile")
        self._waiting.remove(removal)
        return True

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

    def _has_become_latest(self, removal: Removal, registry: Registry) -> bool:
        """Whether a service would lose its latest deployment, which no plan allowed; it is noted that it stays."""
        latest = registry.latest_at(removal.id)
        others = {
            service.name
            for other in registry.deployments
            if other.id != removal.id
            for service in other.services
        }
        may_vanish = self._plan.request.allow_service_removal
        if not any(name in others or not may_vanish for name in latest):
            return False
        note_remaining(self._journal, removal.id, {"became_latest": []})
        return True

    def _unfinished_on(self, removal: Removal, registry: Registry) -> list[Invocation]:
        latest = registry.latest_at(removal.id)
        return self._admin.query(self._admin.questions.unfinished_on(removal.id, latest))


def draining(pending: t.Mapping[str, int]) -> str:
    """Return what a person is told while deployments drain."""
    shown = ", ".join(f"{each} has {number} pending" for each, number in list(pending.items())[:_SHOWN])
    more = len(pending) - _SHOWN
    return f"draining: {shown}" + (f", and {more} more" if more > 0 else "")


def _was_not(done: str, entry: Entry) -> str:
    return f"may have been {done} or not" if entry.state == UNKNOWN else f"was not {done}"
