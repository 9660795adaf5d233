# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a recovery through DALP tells: a pure function of its plan and journal.

DALP acknowledges; it does not tell what it did. What its doctor shows before and after tells whether anything changed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._dalp.problem import INSPECT
from ..._dalp.wire import MOST_FAILURES, Invocations, key_of
from ..._errors import OperatorError
from ..deployments.listed import UNKNOWN_OUTCOME, not_begun
from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from ..outcomes import refusal, summary, tally
from ..report import Report, by_state, count, cut_off
from .key_plan import BLOCKED, FAILED, OUTCOMES, RECOVERED

if t.TYPE_CHECKING:
    from .dalp import Plan


@dataclass(frozen=True)
class _KeyResult:
    """What became of a key, as far as DALP tells."""

    service_name: str
    service_key: str
    outcome: str
    reason: str | None = None
    message: str = ""
    invocation_ids: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Service and key."""
        return f"{self.service_name}/{self.service_key}"

    @property
    def step(self) -> dict[str, t.Any]:
        """The call as the result shows it."""
        return {"action": "recover", "workflow": self.name}

    def to_result(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what became of each key, as far as DALP tells."""
    if not plan.names:
        return Report(
            message="No workflow is given; nothing to do.",
            subject=plan.observed.url,
            changed=False,
            details={"results": [], "summary": dict.fromkeys(OUTCOMES, 0)},
        )
    results = [_result(*name, journal) for name in plan.names]
    numbers = summary(results, OUTCOMES)
    subject = _subject(results)
    details: dict[str, t.Any] = {"results": [each.to_result() for each in results], "summary": numbers}
    if plan.request.service_key is not None:
        details |= {"outcome": results[0].outcome, "steps": [results[0].step]}
    if journal.is_prediction:
        return _unpredicted(subject, details, len(results))
    message = _sentence(results, numbers)
    error = _error(message, results, plan, journal)
    changed, reason = _changes(results, plan, journal)
    if reason:
        details["changed_reason"] = reason
    return Report(
        message=error.message if error else message,
        subject=subject,
        changed=changed,
        details=details,
        error=error,
        steps=by_state((each.step, journal.state("recover", each.name)) for each in results),
    )


def _result(service: str, key: str, journal: Journal) -> _KeyResult:
    name = f"{service}/{key}"
    state = journal.state("recover", name)
    error: OperatorError | None = journal.learned(name, "error")
    if journal.is_prediction:
        return _KeyResult(service, key, UNKNOWN)
    if state == DONE:
        return _KeyResult(service, key, RECOVERED)
    if state is None:
        return _KeyResult(service, key, FAILED, "not_tried", "the task ended before")
    if error is None:
        return _KeyResult(service, key, FAILED, UNKNOWN, "the task ended before an answer came")
    ids = error.invocation_ids or []
    if error.code == "RESTATE_WORKFLOW_RETRY_BLOCKED":
        return _KeyResult(service, key, BLOCKED, error.reason, error.message, ids)
    reason = UNKNOWN if error.outcome_unknown else "refused"
    return _KeyResult(service, key, FAILED, reason, error.message, ids)


def _unpredicted(subject: str, details: dict[str, t.Any], number: int) -> Report:
    return Report(
        message=f"Would ask DALP to clear {subject}; what comes of it cannot be predicted.",
        subject=subject,
        changed=True,
        details={**details, "predicted": "unknown"},
        warnings=[
            "DALP's route for recovery has no dry run, and its doctor does not tell what there is of a key: whether "
            f"{count(number, 'workflow')} would be cleared or refused is unknown. Make sure that each is a workflow: "
            "of a virtual object the route would erase the state."
        ],
    )


def _subject(results: list[_KeyResult]) -> str:
    if len(results) == 1:
        return results[0].name
    services = sorted({result.service_name for result in results})
    return f"{', '.join(services)}: {count(len(results), 'key')}"


def _error(message: str, results: list[_KeyResult], plan: Plan, journal: Journal) -> OperatorError | None:
    tolerated = (RECOVERED, BLOCKED) if plan.request.skip_blocked else (RECOVERED,)
    if len(results) == 1:
        # DALP's own words, reason and ids.
        return journal.ended_by if results[0].outcome not in tolerated else None
    error = refusal(results, tolerated=tolerated, noun="workflow", remedies={})
    if error:
        error.remedy = INSPECT
    return cut_off(message, journal.ended_by) or error


def _changes(results: list[_KeyResult], plan: Plan, journal: Journal) -> tuple[bool, str | None]:
    """Return whether anything changed, and where the doctor's answers before and after do not prove it, why so."""
    if journal.subjects("recover", UNKNOWN):
        return True, UNKNOWN_OUTCOME
    acknowledged = bool(journal.subjects("recover"))
    if not may_have_changed(journal):
        return False, None
    said = "DALP acknowledged" if acknowledged else "DALP refused"
    before = plan.observed.before.told("invocations") if plan.observed.before else None
    unread = journal.seen_after.get("unread") or (before.error.message if before and before.error else None)
    if before is None or unread:
        return acknowledged, f"{said}, and its doctor does not tell what changed: {unread}"
    now: Invocations = journal.seen_after["invocations"]
    # Of a list that is full, or not there, no failure proves anything by being gone.
    are_all_shown = now.failures is not None and len(now.failures) < MOST_FAILURES
    if are_all_shown and _number_of(results, now) < _number_of(results, t.cast(Invocations, before.value)):
        return True, None
    if are_all_shown and before.value == now:
        return (
            False,
            f"{said}, and its doctor, which does not show state, shows the same invocations as before.",
        )
    return acknowledged, f"{said}, and what its doctor shows is no proof of what changed."


def may_have_changed(journal: Journal) -> bool:
    """Whether DALP has begun with any of the keys."""
    errors = [journal.learned(name, "error") for name in journal.subjects("recover", NOT_DONE)]
    return bool(journal.subjects("recover")) or not all(not_begun(error) for error in errors)


def _number_of(results: list[_KeyResult], seen: Invocations) -> int:
    """Return how many of the failures that the doctor shows are of the keys."""
    keys = {(result.service_name, result.service_key) for result in results}
    return sum(key_of(failure) in keys for failure in seen.recent_failures)


def _sentence(results: list[_KeyResult], numbers: dict[str, int]) -> str:
    if len(results) == 1 and results[0].outcome != RECOVERED:
        return results[0].message
    if len(results) == 1:
        return f"DALP acknowledged that {results[0].name} is clear: submit it again to start it from nothing."
    parts = [f"DALP cleared {numbers[RECOVERED]} of {count(len(results), 'workflow')}"]
    parts += [tally(results, outcome) for outcome in (BLOCKED, FAILED) if numbers[outcome]]
    return "; ".join(parts) + "."
