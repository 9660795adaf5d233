# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions that are asked of Restate's SQL introspection, in the dialect of each server version.

Every value that comes from outside goes through L(literal). A question carries the type of its rows.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .literals import in_list, literal, matches
from .rows import (
    ACTIVITIES,
    Caller,
    Count,
    EventMatch,
    Invocation,
    InvocationId,
    InvocationsByPlace,
    InvocationStatus,
    InvokedByActivity,
    JournalCommand,
    JournalEvent,
    JournalInput,
    Matched,
    PendingCount,
    PinnedKind,
    Promise,
    Question,
    ServerClock,
    ServiceKey,
    ServiceType,
    StateEntry,
    TroubledRun,
)

if t.TYPE_CHECKING:
    from .troubled_runs import Page

_UNFINISHED = "status != 'completed'"
_ZOMBIE = (
    f"{_UNFINISHED} AND pinned_deployment_id IS NOT NULL "
    "AND pinned_deployment_id NOT IN (SELECT id FROM sys_deployment)"
)
_PAUSED_WITH = (
    "COALESCE(json_get_str(event_json, 'last_failure', 'error_message'), "
    "json_get_str(event_json, 'error_message'))"
)
_INVOCATION = (
    "id, target, status, created_at, target_service_name, target_service_key, target_handler_name, "
    "target_service_ty, pinned_deployment_id"
)

# A server tells scheduled_start_at only if scheduled_at is read, too (1.5.3 to 1.7.12).
_SCHEDULED = "status = 'scheduled' AND scheduled_at IS NOT NULL"


def _is_later(seconds: int) -> str:
    """Return the condition that an invocation is scheduled for a time after so many seconds from now."""
    return f"({_SCHEDULED} AND scheduled_start_at > now() + interval '{int(seconds)} seconds')"


@dataclass(frozen=True)
class Questions:
    """O(has_scopes) is that of L(Capabilities)."""

    has_scopes: bool

    # The whole server

    @staticmethod
    def clock() -> Question[ServerClock]:
        """Ask what time it is."""
        return Question(ServerClock, "SELECT now() AS now")

    def invocations_by_place(self) -> Question[InvocationsByPlace]:
        """Count invocations by what they are and where they are: as many rows as there are kinds, not invocations."""
        place = (
            "status, completion_result, pinned_deployment_id, target_service_name, target_handler_name, "
            "target_service_ty"
        )
        columns, groups = place, place
        if self.has_scopes:
            columns, groups = f"{place}, scope IS NOT NULL AS is_scoped", f"{place}, scope IS NOT NULL"
        return Question(
            InvocationsByPlace,
            f"SELECT {columns}, COUNT(1) AS n FROM sys_invocation_status GROUP BY {groups}",
        )

    def invoked_by_activity(self, *, retries: int) -> Question[InvokedByActivity]:
        """Count the invocations of which only the invoker knows what they do, and whether they were tried often."""
        place = "target_service_name, last_attempt_deployment_id"
        return Question(
            InvokedByActivity,
            f"SELECT status, COALESCE(retry_count >= {retries}, false) AS retried_often, "
            f"pinned_deployment_id IS NULL AS is_unpinned, {place}, COUNT(1) AS n FROM sys_invocation "
            f"WHERE status NOT IN {in_list(ACTIVITIES.values())} GROUP BY 1, 2, 3, {place}",
        )

    def latest_terminal_failures(self, *, limit: int) -> Question[InvocationId]:
        """The invocations that failed last, the last first; with more columns it takes three times as long."""
        return Question(
            InvocationId,
            "SELECT id FROM sys_invocation_status WHERE status = 'completed' AND completion_result = 'failure' "
            f"ORDER BY completed_at DESC, id LIMIT {limit}",
        )

    def latest_unsettled(self, *, limit: int) -> Question[InvocationId]:
        """Paused invocations and those that are being retried, the last touched first."""
        return Question(
            InvocationId,
            "SELECT id FROM sys_invocation WHERE status = 'paused' OR (status != 'completed' AND last_failure IS NOT "
            f"NULL) ORDER BY modified_at DESC, id LIMIT {limit}",
        )

    def failures(self, ids: t.Iterable[str]) -> Question[Invocation]:
        """Invocations by id, with why they failed, or fail."""
        return Question(
            Invocation,
            f"SELECT {_INVOCATION}, {'scope, ' if self.has_scopes else ''}completion_failure, completed_at, "
            "modified_at, last_start_at, retry_count, last_failure, last_failure_error_code FROM sys_invocation "
            f"WHERE id IN {in_list(ids)}",
        )

    def last_events(self, ids: t.Iterable[str]) -> Question[JournalEvent]:
        """Why invocations paused or failed: the invoker forgets it for paused ones, the journal's events keep it."""
        return Question(
            JournalEvent,
            "SELECT id, event_type, event_json, appended_at FROM sys_journal_events "
            f"WHERE id IN {in_list(ids)} AND event_type IN ('Paused', 'TransientError') ORDER BY appended_at",
        )

    def zombies(self, *, limit: int) -> Question[Invocation]:
        """Unfinished invocations that are pinned to a deployment that is gone, the oldest first."""
        return Question(
            Invocation,
            f"SELECT {_INVOCATION} FROM sys_invocation_status WHERE {_ZOMBIE} ORDER BY created_at, id LIMIT {limit}",
        )

    # Deployments

    def pending(self, *, within: int = 0) -> Question[PendingCount]:
        """Count unfinished invocations by handler, status, and where they are pinned and were last tried.

        `within` is how long will be waited for them, in seconds.
        """
        kind = "target_service_name, target_handler_name, pinned_deployment_id, last_attempt_deployment_id, status"
        return Question(
            PendingCount,
            f"SELECT {kind}, COUNT(1) AS n, SUM(CASE WHEN {_is_later(within)} THEN 1 ELSE 0 END) AS n_later, "
            f"MIN(CASE WHEN {_SCHEDULED} THEN scheduled_start_at END) AS due_at FROM sys_invocation "
            f"WHERE {_UNFINISHED} GROUP BY {kind}",
        )

    def pinned_kinds(self, deployment_id: str) -> Question[PinnedKind]:
        """Count the unfinished invocations that are pinned to a deployment, by what they began with."""
        return Question(
            PinnedKind,
            "SELECT target_service_name, target_handler_name, target_service_ty, pinned_service_protocol_version, "
            f"COUNT(1) AS n FROM sys_invocation_status WHERE {_UNFINISHED} "
            f"AND pinned_deployment_id = {literal(deployment_id)} GROUP BY target_service_name, target_handler_name, "
            "target_service_ty, pinned_service_protocol_version",
        )

    def unfinished_on(
        self,
        deployment_id: str,
        services: t.Collection[str],
        handlers: t.Iterable[tuple[str, str]] = (),
        *,
        within: int = 0,
    ) -> Question[Invocation]:
        """List the unfinished invocations that pend on a deployment, the oldest first.

        They are those that are pinned to it, those that are pinned to none and attempted there now, and those that are
        pinned to none and of these services or handlers (service and name). `within` is that of `pending`.
        """
        place = literal(deployment_id)
        unpinned = [f"(status = 'running' AND last_attempt_deployment_id = {place})"]
        if services:
            unpinned.append(f"target_service_name IN {in_list(services)}")
        unpinned += [
            f"(target_service_name = {literal(service)} AND target_handler_name = {literal(handler)})"
            for service, handler in handlers
        ]
        is_there = (
            f"pinned_deployment_id = {place} OR (pinned_deployment_id IS NULL AND ({' OR '.join(unpinned)}))"
        )
        return Question(
            Invocation,
            f"SELECT {_INVOCATION}, pinned_service_protocol_version, last_attempt_deployment_id, retry_count, "
            "last_failure, last_failure_related_command_type, scheduled_at, scheduled_start_at, "
            f"{_is_later(within)} AS is_later FROM sys_invocation WHERE {_UNFINISHED} AND ({is_there}) "
            "ORDER BY created_at, id",
        )

    # Invocations

    def invocations(self, ids: t.Iterable[str]) -> Question[Invocation]:
        """Invocations by id, with how their last attempt went."""
        return Question(
            Invocation,
            f"SELECT {_INVOCATION}, pinned_service_protocol_version, completion_result, completion_failure, "
            "retry_count, last_start_at, last_attempt_deployment_id, last_failure, last_failure_error_code, "
            "last_failure_related_command_type FROM sys_invocation "
            f"WHERE id IN {in_list(ids)}",
        )

    def held_by_invoker(self, ids: t.Iterable[str]) -> Question[InvocationId]:
        """Those of these invocations of which an attempt is under way or due, whatever became of them since."""
        return Question(InvocationId, f"SELECT id FROM sys_invocation_state WHERE id IN {in_list(ids)}")

    def children(self, ids: t.Iterable[str]) -> Question[Invocation]:
        """Unfinished invocations that these invocations called."""
        return Question(
            Invocation,
            f"SELECT {_INVOCATION}, invoked_by_id FROM sys_invocation_status "
            f"WHERE {_UNFINISHED} AND invoked_by_id IN {in_list(ids)}",
        )

    def callers(self, ids: t.Iterable[str]) -> Question[Caller]:
        """Those of these invocations that another one called, and which."""
        return Question(
            Caller,
            "SELECT id, invoked_by_id FROM sys_invocation_status "
            f"WHERE id IN {in_list(ids)} AND invoked_by_id IS NOT NULL",
        )

    def cancelled(self, ids: t.Iterable[str]) -> Question[InvocationId]:
        """List those of these invocations whose journal has a cancel (the signal with the index 1)."""
        return Question(
            InvocationId,
            f"SELECT DISTINCT id FROM sys_journal WHERE id IN {in_list(ids)} "
            """AND entry_type = 'Notification: Signal' AND entry_json LIKE '%"id":{"Index":1}%'""",
        )

    def one_way_calls(self, ids: t.Iterable[str]) -> Question[JournalCommand]:
        """The calls of these invocations whose result they do not wait for."""
        return Question(
            JournalCommand,
            "SELECT id, entry_json FROM sys_journal "
            f"WHERE id IN {in_list(ids)} AND entry_type = 'Command: OneWayCall'",
        )

    def attachments(self) -> Question[JournalCommand]:
        """The attachments of all unfinished invocations; a scan of all journals, some 10 ms for 1,000 of them."""
        return Question(
            JournalCommand,
            "SELECT id, entry_json FROM sys_journal WHERE entry_type = 'Command: AttachInvocation' "
            f"AND id IN (SELECT id FROM sys_invocation_status WHERE {_UNFINISHED})",
        )

    def status_of(self, ids: t.Iterable[str]) -> Question[InvocationStatus]:
        """Invocations by id: what tells whether they still are what they were."""
        return Question(
            InvocationStatus,
            "SELECT id, status, created_at, completion_result, completion_failure FROM sys_invocation_status "
            f"WHERE id IN {in_list(ids)}",
        )

    def inputs(self, ids: t.Iterable[str]) -> Question[JournalInput]:
        """What invocations were submitted with, while their journal is retained."""
        # Not as a join with the invocations: up to 1.6.2 that leaves entry_json out.
        return Question(
            JournalInput, f"SELECT id, entry_json FROM sys_journal WHERE id IN {in_list(ids)} AND index = 0"
        )

    # Workflow runs

    def troubled_runs(self, page: Page) -> Question[TroubledRun]:
        """A page of runs that failed, are paused, or are being retried."""
        return Question(TroubledRun, page.sql(has_scopes=self.has_scopes))

    @staticmethod
    def attempts() -> Question[Count]:
        """Count the attempts that are under way or due: the leader of each partition knows them without reading."""
        return Question(Count, "SELECT COUNT(1) AS n FROM sys_invocation_state")

    @staticmethod
    def pattern_check(pattern: str) -> Question[Matched]:
        """Have a regular expression compiled: in a scan of a table, one that is none disconnects 1.5.3."""
        return Question(
            Matched,
            "SELECT regexp_like(text, pattern) AS matches "
            f"FROM (VALUES ('', {literal(pattern)})) AS given(text, pattern)",
        )

    def events_match(self, ids: t.Iterable[str], pattern: str) -> Question[EventMatch]:
        """Whether a regular expression matches why invocations paused, as `last_events` tells it, in its order."""
        return Question(
            EventMatch,
            f"SELECT id, {matches(_PAUSED_WITH, pattern)} AS matches FROM sys_journal_events "
            f"WHERE id IN {in_list(ids)} AND event_type IN ('Paused', 'TransientError') ORDER BY appended_at",
        )

    # Workflow keys

    def invocations_of_keys(
        self, service: str, keys: t.Iterable[str], *, by_scan: bool = False
    ) -> Question[Invocation]:
        """All invocations of keys, finished or not; O(by_scan) has the server look at all there are, of any key."""
        return Question(
            Invocation,
            f"SELECT {_INVOCATION}, completion_result, completion_failure FROM sys_invocation_status "
            f"WHERE {self._keys('target_service', service, keys, by_scan=by_scan)}",
        )

    def some_invocations(self, *, limit: int) -> Question[Count]:
        """Count all invocations, up to a limit."""
        some = f"SELECT id FROM sys_invocation_status LIMIT {limit}"
        return Question(Count, f"SELECT COUNT(1) AS n FROM ({some})")

    def state_of_keys(self, service: str, keys: t.Iterable[str]) -> Question[StateEntry]:
        """The names of the state entries of keys."""
        return Question(
            StateEntry, f"SELECT service_key, key FROM state WHERE {self._keys('service', service, keys)}"
        )

    def state_values(self, service: str, keys: t.Iterable[str]) -> Question[StateEntry]:
        """The state of keys, its values as hexadecimal digits."""
        return Question(
            StateEntry,
            f"SELECT service_key, key, value FROM state WHERE {self._keys('service', service, keys)}",
        )

    def promise_values(self, service: str, keys: t.Iterable[str]) -> Question[Promise]:
        """The promises of keys, their values as hexadecimal digits."""
        return Question(
            Promise,
            "SELECT service_key, key, completed, completion_success_value, completion_failure FROM sys_promise "
            f"WHERE {self._keys('service', service, keys)}",
        )

    def promises_of_keys(self, service: str, keys: t.Iterable[str]) -> Question[Promise]:
        """The promises of keys."""
        return Question(
            Promise,
            f"SELECT service_key, key, completed FROM sys_promise WHERE {self._keys('service', service, keys)}",
        )

    def any_of_service(self, service: str) -> Question[ServiceType]:
        """One invocation of a service, if there is any."""
        return Question(
            ServiceType,
            "SELECT id, target_service_ty FROM sys_invocation_status "
            f"WHERE target_service_name = {literal(service)} LIMIT 1",
        )

    def any_state_of_service(self, service: str) -> Question[ServiceKey]:
        """One state entry of a service, if there is any."""
        return Question(
            ServiceKey, f"SELECT service_key FROM state WHERE service_name = {literal(service)} LIMIT 1"
        )

    def _keys(self, prefix: str, service: str, keys: t.Iterable[str], *, by_scan: bool = False) -> str:
        scope = "scope IS NULL AND " if self.has_scopes else ""
        # A server looks keys up one by one unless something is done to the column that has them.
        key = f"{prefix}_key || ''" if by_scan else f"{prefix}_key"
        return f"{scope}{key} IN {in_list(keys)} AND {prefix}_name = {literal(service)}"
