# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows that the SQL introspection answers with. Fields are columns; a column that is NULL is absent from a row."""

from __future__ import annotations

import json
import typing as t

ACTIVITIES = {
    "inboxed": "pending",
    "scheduled": "scheduled",
    "suspended": "suspended",
    "paused": "paused",
    "completed": "completed",
}
"""What sys_invocation calls a status of sys_invocation_status; with any other status, the invoker decides that."""


Row = t.TypeVar("Row", covariant=True)


class Question(t.NamedTuple, t.Generic[Row]):
    """A query, and the type of the rows that answer it."""

    row: type[Row]
    sql: str


class Invocation(t.NamedTuple):
    """An invocation, with as many of its columns as the question asks for."""

    id: str
    target: str
    status: str
    created_at: str
    target_service_name: str
    target_handler_name: str
    target_service_ty: str
    target_service_key: str | None = None
    pinned_deployment_id: str | None = None
    pinned_service_protocol_version: int | None = None
    completion_result: str | None = None
    completion_failure: str | None = None
    completed_at: str | None = None
    modified_at: str | None = None
    last_start_at: str | None = None
    retry_count: int | None = None
    last_attempt_deployment_id: str | None = None
    last_failure: str | None = None
    last_failure_error_code: str | None = None
    last_failure_related_command_type: str | None = None
    scheduled_at: str | None = None
    scheduled_start_at: str | None = None
    is_later: bool | None = None
    """Whether it is scheduled for a time after the wait that the question names."""
    invoked_by_id: str | None = None
    scope: str | None = None


class ServerClock(t.NamedTuple):
    """The time by the clock of the server that was asked, in UTC; only 1.5 writes its zone."""

    now: str


class InvocationStatus(t.NamedTuple):
    """What tells whether an invocation still is what it was."""

    id: str
    status: str
    created_at: str
    completion_result: str | None = None
    completion_failure: str | None = None


class InvocationId(t.NamedTuple):
    """An invocation that is there."""

    id: str


class Failure(t.NamedTuple):
    """Why an invocation paused or is being retried.

    O(restate_code) is one of Restate's own, such as C(RT0016); O(code) is that, or the failure's.
    """

    code: str | int | None
    restate_code: str | None
    message: str | None
    command_type: str | None = None
    """The type of the step that failed, such as C(Run); None if the handler failed outside of its steps."""


class JournalEvent(t.NamedTuple):
    """An event of sys_journal_events: Paused, with the last failure in it, or TransientError, which is one."""

    id: str
    event_type: str
    event_json: str
    appended_at: str

    @property
    def failure(self) -> Failure:
        """The failure that it tells of."""
        event = json.loads(self.event_json)
        told = event.get("last_failure") or event
        restate_code = told.get("restate_doc_error_code")
        return Failure(
            restate_code or told.get("error_code"),
            restate_code,
            told.get("error_message"),
            told.get("related_command_type"),
        )

    @property
    def is_failure(self) -> bool:
        """Whether it tells of a failure; a pause by hand has none."""
        return self.event_type != "Paused" or "last_failure" in json.loads(self.event_json)


class Caller(t.NamedTuple):
    """An invocation and which one called it."""

    id: str
    invoked_by_id: str


class JournalCommand(t.NamedTuple):
    """An entry of a journal that is about another invocation: OneWayCall or AttachInvocation."""

    id: str
    entry_json: str

    @property
    def about(self) -> str | None:
        """The id of that invocation, where the entry tells it.

        An attachment can name a workflow or an idempotency key in its place (crates/types/src/journal_v2/command.rs).
        """
        (content,) = json.loads(self.entry_json)["Command"].values()
        told = content.get("request", {}).get("invocation_id") or content.get("target", {}).get(
            "InvocationId"
        )
        return str(told) if told else None


class JournalInput(t.NamedTuple):
    """The first entry of a journal."""

    id: str
    entry_json: str | None = None


class Matched(t.NamedTuple):
    """Whether a regular expression matches."""

    matches: bool


class EventMatch(t.NamedTuple):
    """Whether a regular expression matches why an invocation paused, by one event of its journal."""

    id: str
    matches: bool


class Count(t.NamedTuple):
    """How many there are."""

    n: int


class InvocationsByPlace(t.NamedTuple):
    """How many invocations are alike in what they are and where they are."""

    status: str
    target_service_name: str
    target_handler_name: str
    target_service_ty: str
    n: int
    completion_result: str | None = None
    pinned_deployment_id: str | None = None
    is_scoped: bool | None = None


class InvokedByActivity(t.NamedTuple):
    """How many invocations of a service do the same; O(retried_often) where that is being retried for long.

    O(is_unpinned) says whether they are pinned to no deployment.
    """

    status: str
    retried_often: bool
    is_unpinned: bool
    target_service_name: str
    n: int
    last_attempt_deployment_id: str | None = None


class PendingCount(t.NamedTuple):
    """How many unfinished invocations of a handler are pinned and were last tried at the same places.

    `n_later` of them are scheduled for a time after the wait that the question names; the first of them is due at
    `due_at`.
    """

    target_service_name: str
    status: str
    n: int
    pinned_deployment_id: str | None = None
    last_attempt_deployment_id: str | None = None
    target_handler_name: str = ""
    n_later: int = 0
    due_at: str | None = None


class PinnedKind(t.NamedTuple):
    """How many unfinished invocations that are pinned to one deployment began with the same."""

    target_service_name: str
    target_handler_name: str
    target_service_ty: str
    n: int
    pinned_service_protocol_version: int | None = None


class TroubledRun(t.NamedTuple):
    """A workflow run that failed, paused or is being retried; `failed_at` is when."""

    id: str
    target_service_name: str
    target_service_key: str
    failed_at: str


class StateEntry(t.NamedTuple):
    """A state entry of a key; O(value) is in hexadecimal digits, where it was asked for."""

    service_key: str
    key: str
    value: str | None = None

    @property
    def content(self) -> bytes:
        """The value itself."""
        return bytes.fromhex(self.value or "")


class Promise(t.NamedTuple):
    """A promise of a key; its values are in hexadecimal digits."""

    service_key: str
    key: str
    completed: bool | None = None
    completion_success_value: str | None = None
    completion_failure: str | None = None


class ServiceType(t.NamedTuple):
    """An invocation and of what type its service was."""

    id: str
    target_service_ty: str


class ServiceKey(t.NamedTuple):
    """A key that has state."""

    service_key: str


def columns(row: t.Any) -> dict[str, t.Any]:
    """Return a row as the server answered it: by column, without those that are NULL."""
    return {name: value for name, value in row._asdict().items() if value is not None}
