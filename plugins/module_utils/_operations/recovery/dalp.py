# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give stuck workflow keys a fresh start through DALP."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ..._dalp.client import INSPECT, DalpClient
from ..._dalp.wire import MOST_FAILURES, Health, Invocations, key_of
from ..._errors import OperatorError
from ..deployments.dalp_registry import UNKNOWN, not_begun
from ..report import Report, count, cut_off, left_behind, tally
from .recovery_run import OUTCOMES

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """What the operator asked: one key or a list of keys."""

    service_name: str | None = None
    service_key: str | None = None
    workflows: list[dict[str, str]] | None = None
    skip_blocked: bool

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The keys; raises RESTATE_INVALID_ARGUMENT for what the route does not take."""
        if self.workflows is not None:
            asked = [(entry["service_name"], entry["service_key"]) for entry in self.workflows]
        else:
            asked = [(self.service_name or "", self.service_key or "")]
        for name, key in asked:
            if not (_NAME.fullmatch(name) and _NAME.fullmatch(key)):
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT",
                    f"service_name {name!r} with service_key {key!r}: DALP takes letters, digits, underscores and "
                    "hyphens only. Nothing was sent.",
                    remedy="Correct it, or use backend: restate, which takes any key.",
                )
        return list(dict.fromkeys(asked))


@dataclass
class _KeyResult:
    """What became of a key, as far as DALP tells."""

    service_name: str
    service_key: str
    outcome: str
    reason: str | None = None
    message: str = ""
    invocation_ids: list[str] = field(default_factory=list)
    error: OperatorError | None = None

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it; the error is shown beside the results."""
        return {name: value for name, value in vars(self).items() if name != "error"}

    @property
    def name(self) -> str:
        """Service and key."""
        return f"{self.service_name}/{self.service_key}"


def recover_workflow(dalp: DalpClient, request: RecoveryRequest) -> Report:
    """Have DALP clear the keys, one call for each; the doctor's answers before and after tell what changed."""
    keys = request.keys
    if not keys:
        return Report(
            msg="No workflow is given; nothing to do.",
            subject=dalp.shown_url,
            details={"results": [], "summary": dict.fromkeys(OUTCOMES, 0)},
            acknowledged=True,
        )
    before = dalp.doctor()
    if dalp.check_mode:
        return _unpredicted(request, keys)
    results: list[_KeyResult] = []
    error: OperatorError | None = None
    for name, key in keys:
        if error:
            results.append(_KeyResult(name, key, "failed", "not_tried", "the task ended before"))
            continue
        try:
            dalp.recover_stuck_workflow(name, key)
            results.append(_KeyResult(name, key, "recovered"))
        except OperatorError as exc:
            is_blocked = exc.code == "RESTATE_WORKFLOW_RETRY_BLOCKED"
            outcome = "blocked" if is_blocked else "failed"
            reason = exc.reason if is_blocked else "unknown" if exc.outcome_unknown else "refused"
            ids = exc.invocation_ids or []
            results.append(_KeyResult(name, key, outcome, reason, exc.message, ids, error=exc))
            error = None if is_blocked and len(keys) > 1 else exc
    report = _report(request, results)
    report.error = _error(report.msg, results, error, request)
    report.acknowledged = report.error is None
    report.changed, reason = _changes(results, before, dalp.doctor)
    if reason:
        report.details["changed_reason"] = reason
    if report.error:
        report.msg = report.error.message
        report.done = [_step(result) for result in results if result.outcome == "recovered"]
        report.not_done = [_step(result) for result in results if result.outcome != "recovered"]
    return report


def _unpredicted(request: RecoveryRequest, keys: list[tuple[str, str]]) -> Report:
    report = _report(request, [_KeyResult(name, key, "unknown") for name, key in keys])
    report.details["predicted"] = "unknown"
    report.acknowledged = True
    report.changed = True
    report.msg = f"Would ask DALP to clear {report.subject}; what comes of it cannot be predicted."
    report.warnings.append(
        "DALP's route for recovery has no dry run, and its doctor does not tell what there is of a key: whether "
        f"{count(len(keys), 'workflow')} would be cleared or refused is unknown. Make sure that each is a workflow: "
        "of a virtual object the route would erase the state."
    )
    return report


def _report(request: RecoveryRequest, results: list[_KeyResult]) -> Report:
    summary = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        summary[result.outcome] = summary.get(result.outcome, 0) + 1
    names = dict.fromkeys(result.service_name for result in results)
    report = Report(
        msg=_sentence(results, summary),
        subject=results[0].name
        if len(results) == 1
        else f"{', '.join(sorted(names))}: {count(len(results), 'key')}",
        details={
            "results": [result.as_dict() for result in results],
            "summary": summary,
        },
    )
    if request.service_key is not None:
        report.details["outcome"] = results[0].outcome
        report.details["steps"] = [_step(results[0])]
    return report


def _step(result: _KeyResult) -> dict[str, t.Any]:
    return {"action": "recover", "workflow": result.name}


def _error(
    message: str, results: list[_KeyResult], error: OperatorError | None, request: RecoveryRequest
) -> OperatorError | None:
    tolerated = ("recovered", "blocked") if request.skip_blocked else ("recovered",)
    if len(results) == 1:
        # DALP's own words, reason and ids.
        return error if results[0].outcome not in tolerated else None
    left = left_behind(results, tolerated=tolerated, noun="workflow", remedies={})
    if left:
        left.remedy = INSPECT
    return cut_off(message, error) or left


def _changes(
    results: list[_KeyResult], before: Health, read: t.Callable[[], Health]
) -> tuple[bool, str | None]:
    """Return whether anything changed, and where the doctor's answers before and after do not prove it, why so."""
    errors = [result.error for result in results if result.error]
    if any(error.outcome_unknown for error in errors):
        return True, UNKNOWN
    acknowledged = any(result.outcome == "recovered" for result in results)
    if not acknowledged and all(not_begun(error) for error in errors):
        return False, None
    said = "DALP acknowledged" if acknowledged else "DALP refused"
    try:
        seen, now = before.invocations, read().invocations
    except OperatorError as exc:
        return acknowledged, f"{said}, and its doctor does not tell what changed: {exc.message}"
    # Of a list that is full, or not there, no failure proves anything by being gone.
    are_all_shown = now.failures is not None and len(now.failures) < MOST_FAILURES
    if are_all_shown and _number_of(results, now) < _number_of(results, seen):
        return True, None
    if are_all_shown and seen == now:
        return (
            False,
            f"{said}, and its doctor, which does not show state, shows the same invocations as before.",
        )
    return acknowledged, f"{said}, and what its doctor shows is no proof of what changed."


def _number_of(results: list[_KeyResult], seen: Invocations) -> int:
    """Return how many of the failures that the doctor shows are of the keys."""
    keys = {(result.service_name, result.service_key) for result in results}
    return sum(key_of(failure) in keys for failure in seen.recent_failures)


def _sentence(results: list[_KeyResult], summary: dict[str, int]) -> str:
    if len(results) == 1 and results[0].outcome != "recovered":
        return results[0].message
    if len(results) == 1:
        return f"DALP acknowledged that {results[0].name} is clear: submit it again to start it from nothing."
    parts = [f"DALP cleared {summary['recovered']} of {count(len(results), 'workflow')}"]
    parts += [tally(results, outcome) for outcome in ("blocked", "failed") if summary[outcome]]
    return "; ".join(parts) + "."
