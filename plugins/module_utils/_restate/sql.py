# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions that are asked of Restate's SQL introspection, in the dialect of each server version.

Every value that comes from outside goes through L(literal). Row keys are the columns named here; NULLs are absent.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


def literal(value: str) -> str:
    """Return a string as an SQL literal; backslashes have no meaning in it."""
    return "'" + value.replace("'", "''") + "'"


def in_list(values: t.Iterable[str]) -> str:
    """Return strings as the list of an SQL IN, which must not be empty."""
    return "(" + ", ".join(literal(value) for value in values) + ")"


_UNFINISHED = "status != 'completed'"
_ZOMBIE = (
    f"{_UNFINISHED} AND pinned_deployment_id IS NOT NULL "
    "AND pinned_deployment_id NOT IN (SELECT id FROM sys_deployment)"
)
_INVOCATION = (
    "id, target, status, created_at, target_service_name, target_service_key, target_handler_name, "
    "target_service_ty, pinned_deployment_id"
)


@dataclass(frozen=True)
class Sql:
    """O(has_scopes) is true from server 1.7, whose tables prune by key only where the scope is named."""

    has_scopes: bool

    # The whole server

    def invocations_by_place(self) -> str:
        """Count invocations by what they are and where they are: as many rows as there are kinds, not invocations."""
        return (
            "SELECT status, completion_result, pinned_deployment_id, target_service_name, target_handler_name, "
            "target_service_ty, COUNT(1) AS n FROM sys_invocation_status GROUP BY status, completion_result, "
            "pinned_deployment_id, target_service_name, target_handler_name, target_service_ty"
        )

    def unfinished_by_activity(self, *, retries: int) -> str:
        """Count unfinished invocations by activity, and whether they were tried often."""
        return (
            "SELECT status, "
            f"COALESCE(retry_count >= {retries} AND status IN ('running', 'ready', 'backing-off'), false) AS stuck, "
            f"COUNT(1) AS n FROM sys_invocation WHERE {_UNFINISHED} GROUP BY 1, 2"
        )

    def latest_terminal_failures(self, *, limit: int) -> str:
        """The invocations that failed last."""
        return (
            f"SELECT {_INVOCATION}, completed_at, completion_failure FROM sys_invocation_status "
            "WHERE status = 'completed' AND completion_result = 'failure' "
            f"ORDER BY completed_at DESC LIMIT {limit}"
        )

    def latest_stuck(self, *, limit: int) -> str:
        """Paused invocations and those that are being retried, the last touched first."""
        return (
            f"SELECT {_INVOCATION}, modified_at, last_start_at, retry_count, last_failure, last_failure_error_code "
            "FROM sys_invocation WHERE status = 'paused' OR (status != 'completed' AND last_failure IS NOT NULL) "
            f"ORDER BY modified_at DESC LIMIT {limit}"
        )

    def last_events(self, ids: t.Iterable[str]) -> str:
        """Why invocations paused or failed: the invoker forgets it for paused ones, the journal's events keep it."""
        return (
            "SELECT id, event_type, event_json, appended_at FROM sys_journal_events "
            f"WHERE id IN {in_list(ids)} AND event_type IN ('Paused', 'TransientError') ORDER BY appended_at"
        )

    def zombies(self, *, limit: int) -> str:
        """Unfinished invocations that are pinned to a deployment that is gone."""
        return f"SELECT {_INVOCATION} FROM sys_invocation_status WHERE {_ZOMBIE} LIMIT {limit}"

    # Deployments

    def pinned(self) -> str:
        """Count unfinished invocations by the deployment that they are pinned to, and status."""
        return (
            "SELECT pinned_deployment_id, status, COUNT(1) AS n FROM sys_invocation_status "
            f"WHERE {_UNFINISHED} AND pinned_deployment_id IS NOT NULL GROUP BY pinned_deployment_id, status"
        )

    def unpinned(self) -> str:
        """Count unfinished invocations that are pinned to none, by service and where they were last tried."""
        return (
            "SELECT target_service_name, last_attempt_deployment_id, status, COUNT(1) AS n FROM sys_invocation "
            f"WHERE {_UNFINISHED} AND pinned_deployment_id IS NULL "
            "GROUP BY target_service_name, last_attempt_deployment_id, status"
        )

    def unfinished_on(self, deployment_id: str, services: t.Collection[str]) -> str:
        """The unfinished invocations that are pinned to a deployment or, of these services, to none; oldest first."""
        place = f"pinned_deployment_id = {literal(deployment_id)}"
        if services:
            place += f" OR (pinned_deployment_id IS NULL AND target_service_name IN {in_list(services)})"
        return f"SELECT {_INVOCATION} FROM sys_invocation_status WHERE {_UNFINISHED} AND ({place}) ORDER BY created_at"

    # Invocations

    def invocations(self, ids: t.Iterable[str]) -> str:
        """Invocations by id, with how their last attempt went."""
        return (
            f"SELECT {_INVOCATION}, completion_result, completion_failure, retry_count, last_attempt_deployment_id, "
            f"last_failure, last_failure_error_code FROM sys_invocation WHERE id IN {in_list(ids)}"
        )

    def held_by_invoker(self, ids: t.Iterable[str]) -> str:
        """Those of these invocations of which an attempt is under way or due, whatever became of them since."""
        return f"SELECT id FROM sys_invocation_state WHERE id IN {in_list(ids)}"

    def children(self, ids: t.Iterable[str]) -> str:
        """Unfinished invocations that these invocations called."""
        return (
            f"SELECT {_INVOCATION}, invoked_by_id FROM sys_invocation_status "
            f"WHERE {_UNFINISHED} AND invoked_by_id IN {in_list(ids)}"
        )

    def status_of(self, ids: t.Iterable[str]) -> str:
        """Invocations by id: what tells whether they still are what they were."""
        return (
            "SELECT id, status, created_at, completion_result, completion_failure FROM sys_invocation_status "
            f"WHERE id IN {in_list(ids)}"
        )

    def inputs(self, ids: t.Iterable[str]) -> str:
        """What invocations were submitted with, while their journal is retained."""
        # Not as a join with the invocations: up to 1.6.2 that leaves entry_json out.
        return f"SELECT id, entry_json FROM sys_journal WHERE id IN {in_list(ids)} AND index = 0"

    # Workflow runs

    def runs_in_trouble(
        self,
        kind: str,
        workflows: t.Mapping[str, t.Collection[str]],
        *,
        before: str | None,
        since: str | None,
        after: tuple[str, str] | None,
        limit: int,
        with_failure: bool,
    ) -> str:
        """The runs of a kind, V(failed), V(paused) or V(backing_off), the oldest failure first.

        O(workflows) names the run handlers of each service; O(before) and O(since) are instants in RFC 3339, and
        O(after) the failed_at and id of the last row of the page before.
        """
        table, condition, instant, failure = {
            "failed": (
                "sys_invocation_status",
                "status = 'completed' AND completion_result = 'failure'",
                "completed_at",
                "completion_failure",
            ),
            "paused": ("sys_invocation_status", "status = 'paused'", "modified_at", None),
            "backing_off": (
                "sys_invocation",
                # One that keeps retrying reads as running now and then.
                "status IN ('backing-off', 'running', 'ready') AND last_failure IS NOT NULL",
                "last_start_at",
                "last_failure",
            ),
        }[kind]
        runs = " OR ".join(
            f"(target_service_name = {literal(name)} AND target_handler_name IN {in_list(handlers)})"
            for name, handlers in sorted(workflows.items())
        )
        conditions = [condition, f"({runs})"]
        if self.has_scopes:
            conditions.append("scope IS NULL")
        if before is not None:
            conditions.append(f"{instant} < TIMESTAMP {literal(before)}")
        if since is not None:
            conditions.append(f"{instant} >= TIMESTAMP {literal(since)}")
        if after:
            moment = f"TIMESTAMP {literal(after[0])}"
            conditions.append(
                f"({instant} > {moment} OR ({instant} = {moment} AND id > {literal(after[1])}))"
            )
        text = f", {failure} AS failure" if failure and with_failure else ""
        return (
            f"SELECT id, target_service_name, target_service_key, {instant} AS failed_at{text} FROM {table} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {instant}, id LIMIT {limit}"
        )

    # Workflow keys

    def invocations_of_keys(self, service: str, keys: t.Iterable[str]) -> str:
        """All invocations of keys, finished or not."""
        return (
            f"SELECT {_INVOCATION}, completion_result, completion_failure FROM sys_invocation_status "
            f"WHERE {self._keys('target_service', service, keys)}"
        )

    def state_of_keys(self, service: str, keys: t.Iterable[str]) -> str:
        """The names of the state entries of keys."""
        return f"SELECT service_key, key FROM state WHERE {self._keys('service', service, keys)}"

    def state_values(self, service: str, keys: t.Iterable[str]) -> str:
        """The state of keys, its values as hexadecimal digits."""
        return f"SELECT service_key, key, value FROM state WHERE {self._keys('service', service, keys)}"

    def promise_values(self, service: str, keys: t.Iterable[str]) -> str:
        """The promises of keys, their values as hexadecimal digits."""
        return (
            "SELECT service_key, key, completed, completion_success_value, completion_failure FROM sys_promise "
            f"WHERE {self._keys('service', service, keys)}"
        )

    def promises_of_keys(self, service: str, keys: t.Iterable[str]) -> str:
        """The promises of keys."""
        return f"SELECT service_key, key, completed FROM sys_promise WHERE {self._keys('service', service, keys)}"

    def any_of_service(self, service: str) -> str:
        """One invocation of a service, if there is any."""
        return (
            "SELECT id, target_service_ty FROM sys_invocation_status "
            f"WHERE target_service_name = {literal(service)} LIMIT 1"
        )

    def any_state_of_service(self, service: str) -> str:
        """One state entry of a service, if there is any."""
        return f"SELECT service_key FROM state WHERE service_name = {literal(service)} LIMIT 1"

    def _keys(self, prefix: str, service: str, keys: t.Iterable[str]) -> str:
        scope = "scope IS NULL AND " if self.has_scopes else ""
        return f"{scope}{prefix}_key IN {in_list(keys)} AND {prefix}_name = {literal(service)}"
