# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The question for workflow runs that failed, are paused, or are being retried; a page at a time."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .literals import in_list, literal, matches


class _Kind(t.NamedTuple):
    """Where runs of a kind are found, when they came to be of it, and why, if their table has it."""

    table: str
    condition: str
    instant: str
    failure: str | None


_KINDS = {
    "failed": _Kind(
        "sys_invocation_status",
        "status = 'completed' AND completion_result = 'failure'",
        "completed_at",
        "completion_failure",
    ),
    "paused": _Kind("sys_invocation_status", "status = 'paused'", "modified_at", None),
    "backing_off": _Kind(
        "sys_invocation",
        # One that keeps retrying reads as running now and then.
        "status IN ('backing-off', 'running', 'ready') AND last_failure IS NOT NULL",
        "last_start_at",
        "last_failure",
    ),
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the runs of a kind (V(failed), V(paused) or V(backing_off)), the oldest failure first.

    O(workflows) names the run handlers of each service; O(before) and O(since) are timestamps, and O(after) the
    failed_at and id of the last row of the page before. `matches` is a regular expression in Rust's syntax that the
    server has accepted before; of paused runs, only `events_match` can look for it.
    """

    kind: str
    workflows: t.Mapping[str, t.Collection[str]]
    before: str | None = None
    since: str | None = None
    after: tuple[str, str] | None = None
    limit: int
    matches: str | None = None

    def sql(self, *, has_scopes: bool) -> str:
        """Return the query."""
        kind = _KINDS[self.kind]
        conditions = [kind.condition, f"({self._runs()})"]
        if has_scopes:
            conditions.append("scope IS NULL")
        conditions += self._times(kind.instant)
        if self.matches is not None and kind.failure:
            conditions.append(matches(kind.failure, self.matches))
        return (
            f"SELECT id, target_service_name, target_service_key, {kind.instant} AS failed_at "
            f"FROM {kind.table} WHERE {' AND '.join(conditions)} ORDER BY {kind.instant}, id LIMIT {self.limit}"
        )

    def _runs(self) -> str:
        return " OR ".join(
            f"(target_service_name = {literal(name)} AND target_handler_name IN {in_list(handlers)})"
            for name, handlers in sorted(self.workflows.items())
        )

    def _times(self, instant: str) -> t.Iterator[str]:
        if self.before is not None:
            yield f"{instant} < TIMESTAMP {literal(self.before)}"
        if self.since is not None:
            yield f"{instant} >= TIMESTAMP {literal(self.since)}"
        if self.after:
            moment = f"TIMESTAMP {literal(self.after[0])}"
            yield f"({instant} > {moment} OR ({instant} = {moment} AND id > {literal(self.after[1])}))"
