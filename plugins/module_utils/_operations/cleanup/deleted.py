# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at deployments after their removal: whether they are gone, and whether something was left on them."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..deployments.registry import STALE_READ_SECONDS
from ..invocations.migration import is_moved
from ..invocations.migration_plan import plan_migration
from ..journal import Journal
from ..open_actions import PAUSE, OpenActions
from ..report import count, sample
from ..waiting import wait_until
from .moving import MoveToKept


class DeletedDeployments:
    """What was deleted and not looked at since."""

    def __init__(
        self, admin: AdminClient, journal: Journal, moving: MoveToKept, open_actions: OpenActions
    ) -> None:
        self._admin = admin
        self._journal = journal
        self._moving = moving
        self._open_actions = open_actions
        self._abandoned: dict[str, frozenset[str]] = {}

    def add(self, deployment_id: str, *, abandoned: t.Iterable[str]) -> None:
        """Take up a deployment that was deleted, with the ids of what was abandoned on it."""
        self._abandoned[deployment_id] = frozenset(abandoned)

    def look(self, listed: t.Collection[str] | None = None, holding: t.Container[str] = ()) -> None:
        """See that what was deleted is gone, and that nothing was left on it.

        O(listed) are the deployments that were read since, and O(holding) those that something is pinned to.
        """
        deleted, self._abandoned = self._abandoned, {}
        for deployment_id, abandoned in deleted.items():
            if listed is None or deployment_id in listed:
                self._wait_until_gone(deployment_id)
            if listed is None or deployment_id in holding:
                self._look_for_zombies(deployment_id, abandoned)

    def _wait_until_gone(self, deployment_id: str) -> None:
        def is_gone() -> bool:
            return all(other.id != deployment_id for other in self._admin.deployments())

        if not wait_until(is_gone, clock=self._admin.clock, seconds=STALE_READ_SECONDS, pause=0.5):
            raise OperatorError(
                "RESTATE_UNEXPECTED_RESPONSE",
                f"{deployment_id} was deleted, but the server still lists it.",
                deployment_ids=[deployment_id],
            )

    def _look_for_zombies(self, deployment_id: str, expected: t.Container[str]) -> None:
        """Find what got pinned between the last count and the delete, and move it where that is possible."""
        rows = self._admin.query(self._admin.questions.unfinished_on(deployment_id, ()))
        rows = [row for row in rows if row.id not in expected]
        self._journal.services.update((row.id, row.target_service_name) for row in rows)
        stranded = [row.id for row in rows]
        if rows and self._admin.capabilities.can_pause:
            of_tasks = self._open_actions.paused()
            plan = plan_migration(
                rows, self._moving.offer, began_on=None, move_paused=False, paused_by_task=of_tasks
            )
            self._moving.move(plan.movable)
            moved = {each for each in stranded if is_moved(self._journal, each)}
            self._open_actions.settle(PAUSE, of_tasks & moved)
            for warning in plan.warnings:
                self._journal.warn(warning)
            stranded = [each for each in stranded if each not in moved]
        if stranded:
            self._journal.warn(
                f"{count(len(stranded), 'invocation')} got pinned to {deployment_id} while it was deleted and cannot "
                f"go on (RT0011): {sample(stranded)}. Resume them on the latest deployment."
            )
