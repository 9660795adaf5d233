# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results by what became of each: how many there are of a kind, and what makes the task fail."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError
from .report import SAMPLE, count


class Outcome(t.Protocol):
    """What became of one of many subjects."""

    @property
    def outcome(self) -> str:
        """What became of it, in a word."""

    @property
    def reason(self) -> str | None:
        """Why, in a word."""

    @property
    def invocation_ids(self) -> t.Sequence[str]:
        """The invocations concerned."""


def summary(results: t.Iterable[Outcome], outcomes: t.Iterable[str]) -> dict[str, int]:
    """Return how many results have which outcome; each of O(outcomes) is there."""
    numbers = dict.fromkeys(outcomes, 0)
    for result in results:
        numbers[result.outcome] = numbers.get(result.outcome, 0) + 1
    return numbers


def tally(results: t.Iterable[Outcome], outcome: str) -> str:
    """Return how many results have this outcome, and why, as in C(2 blocked (2 already_succeeded)); else nothing."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.outcome == outcome:
            reasons[result.reason or ""] = reasons.get(result.reason or "", 0) + 1
    why = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    return f"{sum(reasons.values())} {outcome} ({why})" if reasons else ""


def joined(remedies: t.Mapping[str, str], reasons: t.Collection[str]) -> str:
    """Return what helps with these reasons, each with its name where there are several; empty where none is known."""
    found = {reason: remedies[reason] for reason in reasons if reason in remedies}
    if len(reasons) == 1:
        return "".join(found.values())
    return " ".join(f"{reason}: {remedy}" for reason, remedy in found.items())


def refusal(
    results: t.Sequence[Outcome],
    *,
    tolerated: t.Collection[str],
    noun: str,
    remedies: t.Mapping[str, str],
    message: str | None = None,
) -> OperatorError | None:
    """Return what makes the task fail where results have other outcomes than O(tolerated) ones.

    O(remedies) are by reason; O(message) stands where the counts of what remains would tell less.
    """
    remaining = [result for result in results if result.outcome not in tolerated]
    if not remaining:
        return None
    reasons = {result.reason or "" for result in remaining}
    remedy = joined(remedies, sorted(reasons))
    reason = reasons.pop() if len(reasons) == 1 else "several"
    return OperatorError(
        "RESTATE_WORKFLOW_RETRY_BLOCKED",
        message or _what_remains(remaining, results, noun),
        remedy=remedy,
        reason=reason,
        invocation_ids=[each for result in remaining for each in result.invocation_ids][:SAMPLE],
    )


def _what_remains(remaining: t.Sequence[Outcome], results: t.Sequence[Outcome], noun: str) -> str:
    """Return how many results remain and why, and what became of the others: the same in a dry run and for real."""
    names = dict.fromkeys(result.outcome for result in remaining)
    others = summary((result for result in results if result.outcome not in names), ())
    parts = [tally(remaining, outcome) for outcome in names]
    parts += [f"{number} {outcome}" for outcome, number in sorted(others.items())]
    return (
        f"{len(remaining)} of {count(len(results), noun)} left: {'; '.join(parts)}. The results tell of each."
    )
