# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a key's fresh start takes, or why it is blocked: a pure function of what Restate holds of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._restate.rows import Invocation
from .key_state import NOT_BEGUN, KeyState

BLANK, RECOVERED, BLOCKED, FAILED = "blank", "recovered", "blocked", "failed"
WRITE_IN_DOUBT = "write_in_doubt"
OUTCOMES = (BLANK, RECOVERED, BLOCKED, FAILED)


@dataclass(frozen=True)
class Rules:
    """How far a recovery may go. O(kill_active) is V(never), V(stuck) or V(any)."""

    kill_active: str
    stuck_after_retries: int
    clear_orphaned_state: bool


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What a key's fresh start takes: rows to kill, then rows to purge, or the state to clear; or why it is blocked."""

    outcome: str
    reason: str | None = None
    message: str = ""
    invocation_ids: tuple[str, ...] = ()
    kill: tuple[Invocation, ...] = ()
    purge: tuple[Invocation, ...] = ()
    clear_state: bool = False

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The kills and purges in their order, each as its action and the invocation's id."""
        return [("kill", row.id) for row in self.kill] + [("purge", row.id) for row in self.purge]

    @property
    def has_steps(self) -> bool:
        """Whether anything is to be destroyed."""
        return bool(self.kill or self.purge or self.clear_state)


def plan_key(seen: KeyState, rules: Rules) -> KeyPlan:
    """Return what a fresh start takes; in doubt, that it is blocked."""
    run = seen.run
    if seen.is_blank:
        return KeyPlan(BLANK)
    if run and run.status == "completed" and run.completion_result != "failure":
        return _blocked("already_succeeded", "its run succeeded", [run])
    if seen.unfinished and not _may_kill(seen, rules):
        return _blocked("active_invocation", _activity(seen, rules), seen.unfinished)
    # A killed invocation that never began leaves nothing to purge, and so no purge that clears state and promises.
    lasting = [row for row in seen.invocations if row.status not in NOT_BEGUN]
    if seen.has_begun:
        lasting.sort(key=lambda row: row is not run)
        return KeyPlan(RECOVERED, kill=seen.unfinished, purge=tuple(lasting))
    return _without_run(seen, tuple(lasting), rules)


def _without_run(seen: KeyState, lasting: tuple[Invocation, ...], rules: Rules) -> KeyPlan:
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
    return KeyPlan(RECOVERED, kill=seen.unfinished, purge=lasting, clear_state=bool(seen.state))


def _blocked(reason: str, message: str, rows: t.Iterable[Invocation]) -> KeyPlan:
    return KeyPlan(BLOCKED, reason, message, tuple(row.id for row in rows))


def _may_kill(seen: KeyState, rules: Rules) -> bool:
    if rules.kill_active == "any":
        return True
    return rules.kill_active == "stuck" and all(_is_stuck(row, seen, rules) for row in seen.unfinished)


def _is_stuck(row: Invocation, seen: KeyState, rules: Rules) -> bool:
    # One that keeps retrying reads as running now and then: the number of attempts tells, not the status.
    retries = seen.retries.get(row.id, 0)
    return row.status == "paused" or (row.status == "invoked" and retries >= rules.stuck_after_retries)


def _activity(seen: KeyState, rules: Rules) -> str:
    shown = ", ".join(f"{row.target_handler_name} is {row.status}" for row in seen.unfinished)
    if rules.kill_active == "stuck":
        return f"{shown}, not all of it stuck (paused, or tried {rules.stuck_after_retries} times or more)"
    return shown
