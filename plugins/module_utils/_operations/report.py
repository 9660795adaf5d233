# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation tells its caller, in check mode and out of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import OperatorError

_SAMPLE = 20


@dataclass
class Report:
    """The outcome of an operation.

    O(details) are the operation's own result keys; O(before) and O(after) are the diff; O(acknowledged) is true for a
    write operation that succeeded. With an O(error) the task fails, and still shows the rest.
    """

    msg: str
    subject: str
    changed: bool = False
    details: dict[str, t.Any] = field(default_factory=dict)
    before: dict[str, t.Any] = field(default_factory=dict)
    after: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    acknowledged: bool | None = None
    error: OperatorError | None = None
    done: list[dict[str, t.Any]] = field(default_factory=list)
    not_done: list[dict[str, t.Any]] = field(default_factory=list)


def tally(results: t.Iterable[t.Any], outcome: str) -> str:
    """Return how many results have this outcome, and why, as in C(2 blocked (2 already_succeeded)); else nothing."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.outcome == outcome:
            reasons[result.reason or ""] = reasons.get(result.reason or "", 0) + 1
    why = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    return f"{sum(reasons.values())} {outcome} ({why})" if reasons else ""


def cut_off(message: str, error: OperatorError | None, *, remedy: str = "") -> OperatorError | None:
    """Return what ended the task half-way, with how far it had come (O(message)); None where nothing did."""
    if error is None:
        return None
    return OperatorError(
        error.code,
        f"{message} The task was cut off: {error.message}",
        remedy=f"{error.remedy} {remedy}".rstrip(),
        reason="interrupted",
        invocation_ids=error.invocation_ids,
        http=error.http,
    )


def left_behind(
    results: t.Sequence[t.Any],
    *,
    tolerated: t.Collection[str],
    noun: str,
    remedies: t.Mapping[str, str],
    message: str | None = None,
) -> OperatorError | None:
    """Return what makes the task fail where results have other outcomes than O(tolerated) ones.

    O(remedies) are by reason; O(message) stands where the counts of what was left would tell less.
    """
    stopped = [result for result in results if result.outcome not in tolerated]
    if not stopped:
        return None
    reasons = {result.reason or "" for result in stopped}
    reason = reasons.pop() if len(reasons) == 1 else "several"
    return OperatorError(
        "RESTATE_WORKFLOW_RETRY_BLOCKED",
        message or _what_was_left(stopped, results, noun),
        remedy=remedies.get(reason, ""),
        reason=reason,
        invocation_ids=[each for result in stopped for each in result.invocation_ids][:_SAMPLE],
    )


def _what_was_left(stopped: t.Sequence[t.Any], results: t.Sequence[t.Any], noun: str) -> str:
    """Return how many results were left and why, and what became of the others: the same in a dry run and for real."""
    others: dict[str, int] = {}
    left = {id(result) for result in stopped}
    for result in results:
        if id(result) not in left:
            others[result.outcome] = others.get(result.outcome, 0) + 1
    parts = [tally(stopped, outcome) for outcome in dict.fromkeys(result.outcome for result in stopped)]
    parts += [f"{number} {outcome}" for outcome, number in sorted(others.items())]
    return (
        f"{len(stopped)} of {count(len(results), noun)} left: {'; '.join(parts)}. The results tell of each."
    )


def count(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural where it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
