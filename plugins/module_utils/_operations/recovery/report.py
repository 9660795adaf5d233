# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a recovery tells: a pure function of its plan and journal."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..journal import Journal
from ..outcomes import refusal, summary, tally
from ..report import Report, by_state, count, cut_off, sample
from .key_plan import BLANK, BLOCKED, FAILED, OUTCOMES, RECOVERED, WRITE_IN_DOUBT
from .plan import KeyRecovery, Plan
from .results import KeyResult, key_result, state_after

_REMEDIES = {
    "already_succeeded": "Nothing to recover: submit under another key, or wait until its retention is over.",
    "active_invocation": "Let it finish or resume it (restate_resume). Where it is stuck: kill_active: stuck; to "
    "give it up in any case: kill_active: any. Dry-run it first.",
    "run_unknown": "Make sure that no run of this key succeeded; then set clear_orphaned_state to true.",
    "promise_without_run": "Submit the workflow (its promise may be wanted), or use another key.",
    "input_unavailable": "Recover it without resubmit, and have its caller submit it again.",
    "snapshot_failed": "Make room in snapshot_dir or choose another, then run the task again.",
    "resubmission_failed": "Run the same task again: what is owed is in snapshot_dir.",
    "resubmission_unknown": "Find out whether it ran; then move the snapshot away, or submit its input by hand.",
    "purge_failed": "Wait a minute and run the task again: it goes on where it was.",
    "kill_failed": "Read the server's own words, then run the same task again.",
    "clear_failed": "Read the server's own words, then run the same task again.",
    "unknown": "Wait a minute and run the same task again: it reads what there is, and goes on from there.",
    "interrupted": "Run the same task again: it takes up what is left.",
}


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what became of each key, or would."""
    results = [key_result(recovery, plan, journal) for recovery in plan.recoveries]
    numbers = summary(results, OUTCOMES)
    message = _sentence(results, numbers, is_prediction=journal.is_prediction)
    error = cut_off(message, journal.ended_by, remedy=_REMEDIES["interrupted"]) or _refusal(
        message, results, plan
    )
    details: dict[str, t.Any] = {"results": [each.to_result() for each in results], "summary": numbers}
    if retry_after := _retry_after(results):
        details["retry_after"] = retry_after
    if plan.request.select is not None:
        details["left_over"] = plan.beyond_limit
    if plan.request.service_key is not None:
        steps = [step for step, _state in _steps(plan.recoveries[0], journal)]
        details |= {"outcome": results[0].outcome, "steps": steps}
    return Report(
        message=error.message if error else message,
        subject=results[0].name if len(results) == 1 else _subject(plan, len(results)),
        changed=any(result.changed for result in results),
        details=details,
        before={each.name: each.seen.to_result() for each in plan.recoveries},
        after={
            each.name: state_after(each, result, journal)
            for each, result in zip(plan.recoveries, results, strict=True)
        },
        warnings=[*_warnings(plan, results), *journal.warnings],
        error=error,
        # Of many keys, the results tell of each.
        steps=by_state(_steps(plan.recoveries[0], journal) if plan.request.service_key is not None else ()),
    )


def _steps(recovery: KeyRecovery, journal: Journal) -> list[tuple[dict[str, t.Any], str | None]]:
    """Return the write calls of a key in their order, each with what became of it."""
    steps = recovery.steps
    shown: list[tuple[dict[str, t.Any], str | None]] = [
        ({"action": action, "invocation_id": each}, journal.state(action, each))
        for action, each in steps.calls
    ]
    if steps.clear_state:
        shown.append(({"action": "clear_state"}, journal.state("clear_state", recovery.name)))
    return shown


def _subject(plan: Plan, number: int) -> str:
    services = {entry["service_name"] for entry in plan.request.workflows or []}
    if plan.request.select and plan.request.select.service_name:
        services = {plan.request.select.service_name}
    return f"{', '.join(sorted(services)) or 'all services'}: {count(number, 'key')}"


def _refusal(message: str, results: list[KeyResult], plan: Plan) -> OperatorError | None:
    tolerated = (BLANK, RECOVERED, BLOCKED) if plan.request.skip_blocked else (BLANK, RECOVERED)
    error = refusal(
        results,
        tolerated=tolerated,
        noun="workflow",
        remedies={**_REMEDIES, WRITE_IN_DOUBT: _when_to_retry(results)},
        message=message if len(results) == 1 else None,
    )
    if error:
        failed = (result.http for result in results if result.outcome not in tolerated)
        error.http = next((http for http in failed if http), None)
    return error


def _retry_after(results: t.Iterable[KeyResult]) -> str | None:
    """Return from when all keys with a write in doubt can be taken up."""
    return max((each.retry_after for each in results if each.retry_after), default=None)


def _when_to_retry(results: t.Iterable[KeyResult]) -> str:
    return (
        f"Run the same task again at {_retry_after(results)} or later. Set write_grace: 0 if you know that the request "
        "is gone, since the node or the proxy that held it was restarted."
    )


def _warnings(plan: Plan, results: list[KeyResult]) -> t.Iterator[str]:
    if plan.foreign:
        yield (
            f"{count(len(plan.foreign), 'snapshot')} in snapshot_dir owe a resubmission to another cluster "
            f"({plan.foreign[0].cluster.shown}), and were left: {sample(str(each.path) for each in plan.foreign)}."
        )
    children = [child for result in results for child in result.children]
    if children:
        yield (
            f"The kill takes {count(len(children), 'unfinished invocation')} along that were called: "
            f"{sample(children)}."
        )
    callers = [caller for result in results for caller in result.callers]
    if callers:
        yield (
            f"{count(len(callers), 'unfinished invocation')} called what is killed or is attached to it, and gets its "
            f"failure: {sample(callers)}."
        )
    yield from _held_for_a_while(plan)
    kept = sum(
        len(recovery.seen.invocations)
        for recovery, result in zip(plan.recoveries, results, strict=True)
        if result.outcome == BLANK
    )
    if kept:
        yield (
            f"{count(kept, 'completed shared invocation')} of blank keys are kept; they do not matter to the next "
            "submission."
        )
    if plan.beyond_limit:
        yield f"{count(plan.beyond_limit, 'more run')} match the selection: beyond select.limit, and left."


def _held_for_a_while(plan: Plan) -> t.Iterator[str]:
    """Warn of runs whose attempt the server lets go of only after a while, where it is one that does so."""
    if plan.releases_killed_at_once:
        return
    attempted = [each.seen.run.id for each in plan.recoveries if each.seen.run and _is_attempted(each)]
    if attempted:
        yield (
            f"An attempt of {sample(attempted)} ({count(len(attempted), 'run')}) is under way, and this server lets go "
            "of it only when the service has been silent for its inactivity_timeout (a minute by default). Before that "
            "the run is killed but not purged, since the server could not bear that the key is submitted again: then "
            "run the task again after a minute."
        )


def _is_attempted(recovery: KeyRecovery) -> bool:
    run = recovery.seen.run
    if run is None or run not in recovery.steps.kill:
        return False
    return run.status == "invoked" and recovery.seen.retries.get(run.id, 0) <= 1


def _sentence(results: list[KeyResult], numbers: dict[str, int], *, is_prediction: bool) -> str:
    if not results:
        return "No workflow matches the selection; nothing to do."
    if len(results) == 1:
        return _sentence_of_one(results[0], is_prediction=is_prediction)
    would = "would be " if is_prediction else ""
    parts = [f"{numbers[RECOVERED]} of {count(len(results), 'workflow')} {would}recovered"]
    resubmitted = sum(result.resubmitted is not None for result in results)
    if resubmitted:
        parts[0] += f" ({resubmitted} submitted again)"
    if numbers[BLANK]:
        parts.append(f"{numbers[BLANK]} blank already")
    parts += [tally(results, outcome) for outcome in (BLOCKED, FAILED) if numbers[outcome]]
    return "; ".join(parts) + "."


def _sentence_of_one(result: KeyResult, *, is_prediction: bool) -> str:
    if result.outcome == BLANK:
        return f"{result.name} is blank already: the next submission starts from nothing."
    if result.outcome == RECOVERED and result.resubmitted:
        verb = "would be" if is_prediction else "was"
        return f"{result.name} {verb} recovered and submitted again as {result.resubmitted}."
    if result.outcome == RECOVERED:
        verb = "would be" if is_prediction else "is"
        return (
            f"{result.name} {verb} recovered ({len(result.killed)} killed, {len(result.purged)} purged): submit it "
            "again to start it from nothing."
        )
    left = "could not be recovered fully" if result.changed else "was left"
    return f"{result.name} {left}: {result.message} (reason {result.reason})."
