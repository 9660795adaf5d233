# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a resumption tells: a pure function of its plan and journal."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..invocations.failures import FAILURES
from ..invocations.fit import CURES
from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from ..outcomes import refusal, summary, tally
from ..report import Report, by_state, count, cut_off
from .plan import BLOCKED, FAILED, OUTCOMES, RESUMED, UNCHANGED, Plan, Step

_REMEDIES = {
    **{reason: f"{cure} Cancelling or killing it is the last resort." for reason, cure in CURES.items()},
    **{failure.reason: failure.cure for failure in FAILURES.values()},
    "deployment_gone": "Set deployment to latest, or to the id of a deployment that serves it.",
    "service_not_registered": "Register the service first (restate_redeploy).",
    "attempt_running": "Wait until its attempt has ended, and run the same task again: it moves it then.",
    "unknown": "Run the same task again: what goes on already is left.",
    "latest_does_not_fit": "It has not begun, so it goes to the latest of its service: register code that fits it "
    "(restate_redeploy), or cancel it.",
    "not_found": "Run restate_doctor and use ids that it shows.",
}


@dataclass(frozen=True)
class InvocationResult:
    """What became of an invocation; in check mode, what would."""

    invocation_id: str
    target: str | None
    outcome: str
    reason: str | None
    message: str
    deployment_id: str | None

    @property
    def invocation_ids(self) -> list[str]:
        """Which invocations it is about."""
        return [self.invocation_id]

    def to_result(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what became of each invocation, or would."""
    results = [_result(step, journal) for step in plan.steps]
    before = {step.row.id: _place(step.row.pinned_deployment_id, step.row.status) for step in plan.steps}
    after = {
        step.row.id: _after(step, result, journal) for step, result in zip(plan.steps, results, strict=True)
    }
    results += [_missing(invocation_id) for invocation_id in plan.missing]
    numbers = summary(results, OUTCOMES)
    message = _sentence(results, numbers, is_prediction=journal.is_prediction)
    tolerated = (RESUMED, UNCHANGED, BLOCKED) if plan.request.skip_blocked else (RESUMED, UNCHANGED)
    error = cut_off(message, journal.ended_by) or refusal(
        results, tolerated=tolerated, noun="invocation", remedies=_REMEDIES
    )
    warnings = [*plan.warnings, *journal.warnings]
    details: dict[str, t.Any] = {"results": [each.to_result() for each in results], "summary": numbers}
    if plan.request.select is not None:
        details["left_over"] = plan.beyond_limit
    if plan.beyond_limit:
        warnings.append(
            f"{count(plan.beyond_limit, 'more run')} match the selection: beyond select.limit, and left."
        )
    return Report(
        message=error.message if error else message,
        subject=_subject(results),
        changed=journal.changed,
        details=details,
        before=before,
        after=after,
        warnings=warnings,
        error=error,
        steps=by_state((step.to_result(), journal.state(step.action, step.row.id)) for step in plan.going),
    )


def _result(step: Step, journal: Journal) -> InvocationResult:
    row = step.row
    outcome, reason, message = _outcome(step, journal)
    moved = step.move_to if journal.is_done(step.action, row.id) else None
    return InvocationResult(row.id, row.target, outcome, reason, message, moved or row.pinned_deployment_id)


def _outcome(step: Step, journal: Journal) -> tuple[str, str | None, str]:
    """Return what became of an invocation, with reason and message."""
    if step.outcome != RESUMED:
        return step.outcome, step.reason, step.message
    entry = journal.entry(step.action, step.row.id)
    if entry is None:
        return FAILED, "not_tried", "the task ended before"
    if entry.state == DONE:
        return _of_resumed(step, journal)
    if entry.state == NOT_DONE:
        is_settled = entry.reason in ("completed", "already_moved")
        return (UNCHANGED if is_settled else FAILED), entry.reason, entry.message
    why = journal.ended_by.message if journal.ended_by else ""
    return FAILED, UNKNOWN, entry.message or f"whether it was resumed is unknown: {why}"


def _of_resumed(step: Step, journal: Journal) -> tuple[str, str | None, str]:
    failure = FAILURES.get(journal.learned(step.row.id, "failed_again") or "")
    if failure:
        return FAILED, failure.reason, f"it was resumed and failed: {failure.message}. {failure.cure}"
    return RESUMED, None, step.message


def _missing(invocation_id: str) -> InvocationResult:
    return InvocationResult(invocation_id, None, BLOCKED, "not_found", "there is no such invocation", None)


def _after(step: Step, result: InvocationResult, journal: Journal) -> dict[str, str | None]:
    if journal.is_done(step.action, step.row.id):
        return _place(result.deployment_id, "resumed" if result.outcome == RESUMED else "failing")
    if result.reason == UNKNOWN:
        return _place(None, "unknown")
    return _place(step.row.pinned_deployment_id, step.row.status)


def _place(deployment_id: str | None, status: str) -> dict[str, str | None]:
    return {"deployment_id": deployment_id, "status": status}


def _subject(results: t.Sequence[InvocationResult]) -> str:
    if len(results) == 1:
        return results[0].target or results[0].invocation_id
    return count(len(results), "invocation")


def _sentence(results: t.Sequence[InvocationResult], numbers: dict[str, int], *, is_prediction: bool) -> str:
    if not results:
        return "Nothing matches; nothing to resume."
    would = "would be " if is_prediction else ""
    parts = [f"{numbers[RESUMED]} of {count(len(results), 'invocation')} {would}resumed"]
    parts += [tally(results, outcome) for outcome in (UNCHANGED, BLOCKED, FAILED) if numbers[outcome]]
    return "; ".join(parts) + "."
