# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of a workflow key, and what a fresh start of it takes. Pure: nothing here calls a server."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Row = dict[str, t.Any]


@dataclass(frozen=True)
class Rules:
    """How far a recovery may go. O(kill_active) is V(never), V(stuck) or V(any)."""

    kill_active: str
    stuck_after_retries: int
    clear_orphaned_state: bool


@dataclass
class Situation:
    """All that Restate holds of a key.

    O(runs) are the invocations of the run handler: one at most, unless the service is not registered and says not
    which handler that is. O(retries) counts attempts by invocation id; O(state) and O(promises) are names.
    """

    service: str
    key: str
    invocations: list[Row] = field(default_factory=list)
    run_handlers: frozenset[str] = frozenset()
    retries: dict[str, int] = field(default_factory=dict)
    state: list[str] = field(default_factory=list)
    promises: list[str] = field(default_factory=list)

    @property
    def run(self) -> Row | None:
        """The run's invocation."""
        return next(
            (row for row in self.invocations if row["target_handler_name"] in self.run_handlers), None
        )

    @property
    def unfinished(self) -> list[Row]:
        """The invocations that have not completed."""
        return [row for row in self.invocations if row["status"] != "completed"]

    @property
    def is_blank(self) -> bool:
        """Whether the next submission starts from nothing."""
        return not (self.run or self.unfinished or self.state or self.promises)

    def described(self) -> dict[str, t.Any]:
        """Return it as a diff shows it."""
        if not (self.invocations or self.state or self.promises):
            return {}
        return {
            "invocations": {
                row["id"]: _status(row) for row in sorted(self.invocations, key=lambda row: row["id"])
            },
            "state": sorted(self.state),
            "promises": sorted(self.promises),
        }


def _status(row: Row) -> str:
    result = row.get("completion_result")
    return f"{row['target_handler_name']} {row['status']}" + (f" ({result})" if result else "")


@dataclass
class KeyPlan:
    """What a key's fresh start takes: rows to kill, then rows to purge, or the state to clear; or why it is blocked."""

    outcome: str
    reason: str | None = None
    explanation: str = ""
    invocation_ids: list[str] = field(default_factory=list)
    kill: list[Row] = field(default_factory=list)
    purge: list[Row] = field(default_factory=list)
    clear_state: bool = False

    @property
    def steps(self) -> list[dict[str, t.Any]]:
        """The write calls, in their order."""
        return [
            *({"action": "kill", "invocation_id": row["id"]} for row in self.kill),
            *({"action": "purge", "invocation_id": row["id"]} for row in self.purge),
            *([{"action": "clear_state"}] if self.clear_state else []),
        ]


def make_plan(seen: Situation, rules: Rules) -> KeyPlan:
    """Return what a fresh start takes; in doubt, that it is blocked."""
    run, unfinished = seen.run, seen.unfinished
    if seen.is_blank:
        return KeyPlan("blank")
    if run and run["status"] == "completed" and run.get("completion_result") != "failure":
        return _blocked("already_succeeded", "its run succeeded", [run])
    if unfinished and not _may_kill(seen, rules):
        return _blocked("active_invocation", _activity(seen, rules), unfinished)
    # A killed invocation that never began leaves nothing to purge, and so no purge that clears state and promises.
    lasting = [row for row in seen.invocations if row["status"] not in ("inboxed", "scheduled")]
    if run in lasting:
        lasting.sort(key=lambda row: row is not run)
        return KeyPlan("recovered", kill=unfinished, purge=lasting)
    if seen.promises:
        return _blocked(
            "promise_without_run",
            "it has a promise but no run that began, and nothing in Restate clears that",
            seen.invocations,
        )
    if seen.state and not rules.clear_orphaned_state:
        return _blocked(
            "run_unknown",
            "it has state but no run that began; where the retention is zero, a run that succeeded looks like this",
            seen.invocations,
        )
    return KeyPlan("recovered", kill=unfinished, purge=lasting, clear_state=bool(seen.state))


def _blocked(reason: str, explanation: str, rows: list[Row]) -> KeyPlan:
    return KeyPlan("blocked", reason, explanation, [row["id"] for row in rows])


def _may_kill(seen: Situation, rules: Rules) -> bool:
    if rules.kill_active == "any":
        return True
    return rules.kill_active == "stuck" and all(_is_stuck(row, seen, rules) for row in seen.unfinished)


def _is_stuck(row: Row, seen: Situation, rules: Rules) -> bool:
    # One that keeps retrying reads as running now and then: the number of attempts tells, not the status.
    return row["status"] == "paused" or (
        row["status"] == "invoked" and seen.retries.get(row["id"], 0) >= rules.stuck_after_retries
    )


def _activity(seen: Situation, rules: Rules) -> str:
    shown = ", ".join(f"{row['target_handler_name']} is {row['status']}" for row in seen.unfinished)
    if rules.kill_active == "stuck":
        return f"{shown}, not all of it stuck (paused, or tried {rules.stuck_after_retries} times or more)"
    return shown
