# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let stuck invocations go on, on their deployment or on another: the cure that destroys nothing."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..deployments.registry import Registry
from ..invocations import migration
from ..invocations.selection import Select, select_runs
from ..invocations.termination import Row, chunks
from ..report import Report, count, cut_off, left_behind, tally

OUTCOMES = ("resumed", "unchanged", "blocked", "failed")
_SAMPLE = 20
_SECOND_LOOK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class ResumeRequest:
    """What the operator asked; O(deployment) is V(keep), V(latest) or an id."""

    invocation_ids: list[str] | None = None
    workflows: list[dict[str, str]] | None = None
    select: dict[str, t.Any] | None = None
    deployment: str
    skip_blocked: bool


@dataclass
class InvocationResult:
    """What became of an invocation; in check mode, what would."""

    invocation_id: str
    target: str | None = None
    outcome: str = "resumed"
    reason: str | None = None
    message: str = ""
    deployment_id: str | None = None

    @property
    def invocation_ids(self) -> list[str]:
        """Which invocations it is about."""
        return [self.invocation_id]

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


@dataclass
class Step:
    """An invocation, and where it is to go on: on O(move_to), or where it is.

    O(was_sent) says that something was asked of the server for it, and O(is_in_doubt) that no answer has come.
    """

    row: Row
    result: InvocationResult
    move_to: str | None = None
    was_sent: bool = False
    is_in_doubt: bool = False


@dataclass
class Places:
    """What the plan needs to know of deployments: what is registered, and what those that are moved to serve."""

    registry: Registry
    offers: dict[str, migration.Offer] = field(default_factory=dict)
    can_pause: bool = True


def resume(restate: Restate, request: ResumeRequest) -> Report:
    """Resume the invocations that are stuck, and say what became of each."""
    admin = restate.admin
    rows, missing, left_over = _find(admin, request)
    places = _places(admin, request)
    steps = [make_step(row, request.deployment, places) for row in rows]
    _refuse_what_needs_a_pause(admin, steps, places)
    before = {
        step.row["id"]: _place(step.row.get("pinned_deployment_id"), step.row["status"]) for step in steps
    }
    warnings: list[str] = []
    error: OperatorError | None = None
    if not admin.check_mode:
        try:
            _carry_out(admin, steps, warnings)
        except OperatorError as exc:
            error = exc
            _stop_the_rest(steps, exc)
    results = [step.result for step in steps] + missing
    summary = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        summary[result.outcome] += 1
    after = {
        step.row["id"]: _place(step.result.deployment_id, "resumed")
        if step.result.outcome == "resumed"
        else _place(None, "unknown")
        if step.result.reason == "unknown"
        else before[step.row["id"]]
        for step in steps
    }
    if left_over:
        warnings.append(f"{count(left_over, 'more run')} match the selection: beyond select.limit, and left.")
    message = _sentence(results, summary, check_mode=admin.check_mode)
    error = cut_off(message, error) or left_behind(
        results,
        tolerated=("resumed", "unchanged", "blocked") if request.skip_blocked else ("resumed", "unchanged"),
        noun="invocation",
        remedies=_REMEDIES,
    )
    details: dict[str, t.Any] = {"results": [result.as_dict() for result in results], "summary": summary}
    if request.select is not None:
        details["left_over"] = left_over
    return Report(
        msg=error.message if error else message,
        subject=results[0].target or results[0].invocation_id
        if len(results) == 1
        else count(len(results), "invocation"),
        changed=any(result.outcome == "resumed" or result.reason == "unknown" for result in results),
        details=details,
        before=before,
        after=after,
        warnings=warnings,
        acknowledged=error is None,
        error=error,
    )


# Observe


def _find(admin: AdminClient, request: ResumeRequest) -> tuple[list[Row], list[InvocationResult], int]:
    """Return the invocations that are meant, those of O(invocation_ids) that do not exist, and how many are left."""
    left_over = 0
    if request.select is not None:
        runs, left_over = select_runs(admin, Select.read(request.select))
        ids = [run.invocation_id for run in runs]
    elif request.workflows is not None:
        ids = _unfinished_of(admin, request.workflows)
    else:
        ids = list(dict.fromkeys(request.invocation_ids or []))
        wrong = [text for text in ids if not text.startswith("inv_")]
        if wrong:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", f"{wrong[0]!r} is no invocation id.")
    rows = _look_twice(admin, _read(admin, ids))
    missing = [
        InvocationResult(each, None, "blocked", "not_found", "there is no such invocation")
        for each in ids
        if each not in rows
    ]
    return [rows[each] for each in ids if each in rows], missing, left_over


def _read(admin: AdminClient, ids: t.Sequence[str]) -> dict[str, Row]:
    return {row["id"]: row for chunk in chunks(ids) for row in admin.query(admin.sql.invocations(chunk))}


def _look_twice(admin: AdminClient, rows: dict[str, Row]) -> dict[str, Row]:
    """Forget the last failure of what is in the middle of an attempt that lasts.

    One that keeps failing reads as running only now and then; one that runs again keeps its last failure for a while.
    """
    running = [each for each, row in rows.items() if row["status"] == "running" and "last_failure" in row]
    if running:
        time.sleep(_SECOND_LOOK_SECONDS)
        for each, row in _read(admin, running).items():
            is_lasting = row["status"] == "running" and row.get("retry_count") == rows[each].get(
                "retry_count"
            )
            rows[each] = {
                name: value for name, value in row.items() if name != "last_failure" or not is_lasting
            }
    return rows


def _unfinished_of(admin: AdminClient, workflows: list[dict[str, str]]) -> list[str]:
    keys: dict[str, list[str]] = {}
    for entry in workflows:
        if not entry["service_name"] or not entry["service_key"]:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "service_name and service_key must not be empty.")
        keys.setdefault(entry["service_name"], []).append(entry["service_key"])
    return [
        row["id"]
        for service, names in keys.items()
        for chunk in chunks(list(dict.fromkeys(names)))
        for row in admin.query(admin.sql.invocations_of_keys(service, chunk))
        if row["status"] != "completed"
    ]


def _places(admin: AdminClient, request: ResumeRequest) -> Places:
    registry = Registry.read(admin)
    places = Places(registry, can_pause=admin.version.at_least(1, 6))
    if request.deployment == "latest":
        for service in registry.latest.values():
            places.offers.setdefault(service.deployment_id, {})[service.name] = frozenset(
                handler.name for handler in service.handlers
            )
    elif request.deployment != "keep":
        is_registered = any(each.id == request.deployment for each in registry.deployments)
        detail = admin.deployment(request.deployment) if is_registered else None
        if detail is None:
            raise OperatorError(
                "RESTATE_DEPLOYMENT_NOT_FOUND",
                f"deployment {request.deployment!r} is neither keep, latest nor the id of a registered deployment.",
                remedy="Run restate_doctor and use the exact id.",
            )
        places.offers[detail.id] = {
            service.name: frozenset(handler.name for handler in service.handlers)
            for service in detail.services
        }
    return places


# Plan: a pure function


def make_step(row: Row, deployment: str, places: Places) -> Step:
    """Return what is to be done about an invocation."""
    pinned = row.get("pinned_deployment_id")
    step = Step(row, InvocationResult(row["id"], row["target"], deployment_id=pinned))
    is_zombie = pinned is not None and all(pinned != each.id for each in places.registry.deployments)
    is_stuck = row["status"] == "paused" or is_zombie or "last_failure" in row
    if row["status"] == "completed":
        return _left(step, "unchanged", "completed", "it has completed")
    if not is_stuck:
        return _left(step, "unchanged", "not_stuck", f"it is {row['status']}, and not stuck")
    move_to = _destination(row, deployment, places)
    if deployment == "keep" or pinned is None:
        if is_zombie:
            return _left(step, "blocked", "deployment_gone", f"its deployment {pinned} is gone: name another")
        return step
    if move_to is None:
        return _left(
            step, "blocked", "service_not_registered", f"{row['target_service_name']} is not registered"
        )
    served = places.offers.get(move_to, {}).get(row["target_service_name"], frozenset())
    if row["target_handler_name"] not in served:
        return _left(
            step,
            "blocked",
            "handler_not_served",
            f"{move_to} does not serve {row['target_handler_name']} of it",
        )
    if move_to != pinned:
        step.move_to = step.result.deployment_id = move_to
    return step


def _destination(row: Row, deployment: str, places: Places) -> str | None:
    if deployment != "latest":
        return deployment
    service = places.registry.latest.get(row["target_service_name"])
    return service.deployment_id if service else None


def _left(step: Step, outcome: str, reason: str, message: str) -> Step:
    step.result.outcome, step.result.reason, step.result.message = outcome, reason, message
    return step


def _refuse_what_needs_a_pause(admin: AdminClient, steps: list[Step], places: Places) -> None:
    running = [
        step.row["id"] for step in steps if step.move_to and step.row["status"] not in ("paused", "suspended")
    ]
    if running and not places.can_pause:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"Moving what is not paused needs Restate 1.6; this server is {admin.version.version}. Nothing was "
            "touched.",
            remedy="Use deployment: keep for these, or upgrade.",
            invocation_ids=running[:_SAMPLE],
        )


# Apply and verify


def _carry_out(admin: AdminClient, steps: list[Step], warnings: list[str]) -> None:
    going = [step for step in steps if step.result.outcome == "resumed"]
    for step in going:
        if step.move_to is None:
            _resume_in_place(admin, step)
    for destination in dict.fromkeys(step.move_to for step in going if step.move_to):
        group = [step for step in going if step.move_to == destination]
        moved = migration.move(admin, [step.row for step in group], str(destination))
        for step in group:
            step.was_sent = True
            if step.row["id"] in moved.failed:
                reason = "unknown" if moved.is_unknown else "not_moved"
                _left(step, "failed", reason, moved.failed[step.row["id"]])
                step.result.deployment_id = step.row.get("pinned_deployment_id")
        if moved.mismatched:
            warnings.append(
                f"{count(len(moved.mismatched), 'moved invocation')} met a journal mismatch (RT0016), since "
                f"{destination} takes other steps than they began with: {', '.join(moved.mismatched[:_SAMPLE])}."
            )


def _stop_the_rest(steps: list[Step], error: OperatorError) -> None:
    """Say of what was not come to that it was not tried, and of what was in work that its outcome is unknown."""
    for step in steps:
        if step.result.outcome == "resumed" and not step.was_sent:
            _left(step, "failed", "not_tried", "the task ended before")
            step.result.deployment_id = step.row.get("pinned_deployment_id")
        elif step.result.outcome == "resumed" and step.is_in_doubt:
            _left(step, "failed", "unknown", f"whether it was resumed is unknown: {error.message}")


def _resume_in_place(admin: AdminClient, step: Step) -> None:
    step.was_sent = step.is_in_doubt = True
    for tries_left in range(admin.connection.retries, -1, -1):
        try:
            answer = admin.resume(step.row["id"], "keep")
        except OperatorError as exc:
            if not exc.outcome_unknown:
                _left(step, "failed", "not_resumed", exc.message)
                return
            if not tries_left:
                raise
            # A second resume of what goes on already does no harm.
            time.sleep(admin.connection.back_off(tries_left))
            continue
        step.is_in_doubt = False
        if answer in ("gone", "busy"):
            # What stays on its deployment need never be paused first.
            _left(step, "unchanged", "completed", "it has completed meanwhile")
        return


# Show


def _place(deployment_id: str | None, status: str) -> dict[str, str | None]:
    return {"deployment_id": deployment_id, "status": status}


def _sentence(results: list[InvocationResult], summary: dict[str, int], *, check_mode: bool) -> str:
    if not results:
        return "Nothing matches; nothing to resume."
    would = "would be " if check_mode else ""
    parts = [f"{summary['resumed']} of {count(len(results), 'invocation')} {would}resumed"]
    parts += [tally(results, outcome) for outcome in ("unchanged", "blocked", "failed") if summary[outcome]]
    return "; ".join(parts) + "."


_REMEDIES = {
    "deployment_gone": "Set deployment to latest, or to the id of a deployment that serves it.",
    "handler_not_served": "Name a deployment that serves the handler, or register one.",
    "service_not_registered": "Register the service first (restate_redeploy).",
    "not_found": "Run restate_doctor and use ids that it shows.",
}
