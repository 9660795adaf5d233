# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cleanups that move suspended and retrying work, and a release: a registration and such a cleanup."""

from __future__ import annotations

import re
import typing as t
from random import Random
from typing import Any

from tests.integration.cleanup_claims import wrong_of_cleanup, wrong_of_moved
from tests.integration.cluster_work import known_as_latest, retrying_orders, suspended_orders
from tests.integration.kills import Moment
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED
from tests.proof.work import Attempt, Work, choose

_ORDERS = 20
_LEFT_PAUSED = re.compile(r"restate_invocation_ids=([\w,]+)")
_REMOVAL = ("DELETE", "^/deployments/", 1)
_MOVE = ("PATCH", "/resume$", _ORDERS // 2)


class CleanupOfSuspended(Work):
    """Suspended runs are moved, and their deployment is removed."""

    name = "cleanup of suspended work"
    left_paused: t.Sequence[str] = ()
    """What an attempt said to have left paused, to be let go on."""

    def prepare(self) -> None:
        self.old, self.new = suspended_orders(self.cluster, _ORDERS)
        known_as_latest(self.cluster, self.new)

    def moment(self, random: Random) -> Moment:
        return choose(random, _MOVE, _REMOVAL)

    def attempt(self, server: Server, admin_url: str) -> Attempt:
        if self.left_paused:
            # As the warning of the attempt before says; it is no work of the cleanup.
            server.task(
                "resume", invocation_ids=self.left_paused, deployment=self.new.id, admin_url=admin_url
            )
            self.look()
        result = server.task("cleanup", service_url=self.new.url, admin_url=admin_url, **FORCED)
        named = _LEFT_PAUSED.findall(" ".join(result.get("warnings", [])))
        self.left_paused = [each for ids in named for each in ids.split(",")]
        self.cluster.wait_for_lists(gone=result.get("removed", ()))
        before, now = self.look()
        return Attempt(not result["failed"], result["msg"], wrong_of_cleanup(result, before, now))

    def wrong_at_end(self) -> list[str]:
        first, end = self.truths[0], self.truths[-1]
        wrong = []
        for invocation_id, seen in first.invocations.items():
            now = end.invocations.get(invocation_id)
            found = wrong_of_moved(invocation_id, first, end)
            if now is not None and now.is_paused:
                found.append("is paused")
            wrong += [f"{seen.key}: {each}" for each in found]
        if self.old.id in end.deployments:
            wrong.append("the old deployment is there")
        return wrong


class CleanupOfRetrying(CleanupOfSuspended):
    """Runs that keep retrying are paused, moved and go on, and their deployment is removed."""

    name = "cleanup of retrying work"

    def prepare(self) -> None:
        self.old, self.new = retrying_orders(self.cluster, _ORDERS)
        known_as_latest(self.cluster, self.new)

    def moment(self, random: Random) -> Moment:
        return choose(random, ("PATCH", "/pause$", _ORDERS // 2), _MOVE, _REMOVAL)


class Release(CleanupOfSuspended):
    """A release is registered, what is pending is moved to it, and what it supersedes is removed."""

    name = "release"
    tasks = 2

    def prepare(self) -> None:
        self.old, self.new = suspended_orders(self.cluster, _ORDERS)
        self.cluster.nodes[self.cluster.others()[0]].delete(self.new.id)
        known_as_latest(self.cluster, self.old)

    def moment(self, random: Random) -> Moment:
        return choose(random, ("POST", "^/deployments$", 1), _MOVE, _REMOVAL)

    def attempt(self, server: Server, admin_url: str) -> Attempt:
        result = server.task("redeploy", service_url=self.new.url, admin_url=admin_url)
        if not result["failed"]:
            self.cluster.wait_for_lists(there=[result["deployment_id"]])
        before, now = self.look()
        wrong = _wrong_of_redeploy(result, now.deployments - before.deployments, now.deployments)
        if result["failed"]:
            return Attempt(False, result["msg"], wrong)
        cleaned = super().attempt(server, admin_url)
        return Attempt(cleaned.is_done, cleaned.message, wrong + cleaned.wrong)


def _wrong_of_redeploy(
    result: dict[str, Any], registered: frozenset[str], deployments: frozenset[str]
) -> list[str]:
    said = result.get("deployment_id")
    checks = [
        (
            bool(registered) and not result["changed"],
            "a registration was made, and nothing is said to have changed",
        ),
        (not result["failed"] and said not in deployments, "what is said to be registered is not"),
    ]
    return [text for is_wrong, text in checks if is_wrong]
