# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let invocations that are stuck go on, straight against Restate."""

from __future__ import annotations

import functools
import typing as t

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation
from ..._restate.server import Restate
from ..deployments.registry import Registry
from ..invocations.attempts import FirstAttempts, failure_codes, look_twice
from ..invocations.chunks import rows_about
from ..invocations.fit import offer_of
from ..invocations.migration import migrate
from ..invocations.selection import select_runs
from ..journal import UNKNOWN, Journal
from ..open_actions import PAUSE, OpenActions
from ..operation import Backend
from ..waiting import repeat_while_lost
from .approval import subjects
from .plan import Observed, Places, Plan, ResumeRequest, destination, is_stuck, make_plan, predict
from .report import make_report

# Observe


def observe(restate: Restate, request: ResumeRequest) -> Observed:
    """Return the invocations that are meant and what is registered."""
    admin = restate.admin
    ids, beyond_limit = _ids(admin, request)
    rows = look_twice(admin, _read(admin, ids))
    registry = _registry(admin, request.deployment)
    stuck = [row for row in rows.values() if is_stuck(row, registry)]
    return Observed(
        rows=tuple(rows[each] for each in ids if each in rows),
        missing=tuple(each for each in ids if each not in rows),
        beyond_limit=beyond_limit,
        places=_places(admin, request.deployment, registry, stuck),
        codes=failure_codes(admin, stuck),
        version=None if admin.capabilities.can_pause else admin.version.version,
    )


def _ids(admin: AdminClient, request: ResumeRequest) -> tuple[list[str], int]:
    """Return the ids of what is meant, and how many more match the selection."""
    if request.select is not None:
        selected = select_runs(admin, request.select)
        # By name: with each retry the failure of a run is a new one, and its place by age another.
        by_name = sorted(
            selected.runs, key=lambda run: (run.target_service_name, run.target_service_key, run.id)
        )
        return [run.id for run in by_name], selected.beyond_limit
    if request.workflows is not None:
        return _unfinished_of(admin, request.workflows), 0
    return list(request.invocation_ids or ()), 0


def _read(admin: AdminClient, ids: t.Sequence[str]) -> dict[str, Invocation]:
    return {row.id: row for row in rows_about(admin, admin.questions.invocations, ids)}


def _unfinished_of(admin: AdminClient, workflows: t.Iterable[dict[str, str]]) -> list[str]:
    keys: dict[str, list[str]] = {}
    for entry in workflows:
        if not entry["service_name"] or not entry["service_key"]:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "service_name and service_key must not be empty.")
        keys.setdefault(entry["service_name"], []).append(entry["service_key"])
    return [
        row.id
        for service, names in keys.items()
        for row in rows_about(
            admin, functools.partial(admin.questions.invocations_of_keys, service), list(dict.fromkeys(names))
        )
        if row.status != "completed"
    ]


def _registry(admin: AdminClient, deployment: str) -> Registry:
    """Return what is registered; raise RESTATE_DEPLOYMENT_NOT_FOUND where it has no such deployment."""
    registry = Registry.read(admin)
    if deployment not in ("keep", "latest") and deployment not in registry.ids:
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"deployment {deployment!r} is neither keep, latest nor the id of a registered deployment.",
            remedy="Run restate_doctor and use the exact id.",
        )
    return registry


def _places(admin: AdminClient, deployment: str, registry: Registry, rows: list[Invocation]) -> Places:
    """Return what those deployments offer that invocations are pinned to, would go on on, or could."""
    pinned = {row.pinned_deployment_id for row in rows}
    wanted = pinned | {destination(row, deployment, registry) for row in rows}
    # What is left without its deployment is told where it can go on.
    wanted |= {
        destination(row, "latest", registry) for row in rows if row.pinned_deployment_id not in registry.ids
    }
    return Places(registry, {each: offer_of(each, admin.deployment(each)) for each in wanted if each})


# Apply and verify


def apply(restate: Restate, plan: Plan, journal: Journal) -> None:
    """Resume what goes on where it is, one by one; then move the rest, by where they go."""
    admin = restate.admin
    staying = [step.row.id for step in plan.going if step.move_to is None]
    with admin.clock.telling(lambda: _how_far(plan, journal)):
        for number, invocation_id in enumerate(staying):
            try:
                _resume_in_place(admin, invocation_id, journal)
            except OperatorError:
                left = staying[number + 1 :]
                journal.not_done("resume", left, "not_tried", "there was no connection any more")
                raise
            admin.clock.progress()
    for place in dict.fromkeys(step.move_to for step in plan.going):
        if place is not None:
            rows = [step.row for step in plan.going if step.move_to == place]
            _move(admin, rows, place, journal)
    _look_at_doubtful(admin, plan, journal)
    resumed = [step.row.id for step in plan.going if journal.is_done(step.action, step.row.id)]
    OpenActions.of(restate).settle(PAUSE, resumed)


def _how_far(plan: Plan, journal: Journal) -> str:
    done = sum(each.state != UNKNOWN for each in journal.entries("resume").values())
    return f"resume: {done:,} of {len(plan.going):,} done"


def _move(admin: AdminClient, rows: list[Invocation], place: str, journal: Journal) -> None:
    _note_failures(migrate(admin, rows, place, journal, failed="not_moved"), journal)


def _look_at_doubtful(admin: AdminClient, plan: Plan, journal: Journal) -> None:
    """See whether what was resumed where it failed fails again."""
    doubtful = {step.row.id: step.row for step in plan.going if step.fails_with}
    ids = [each for each in doubtful if journal.is_done("resume", each)]
    attempts = FirstAttempts(admin, lambda row: row.last_start_at != doubtful[row.id].last_start_at)
    _note_failures(attempts.failures(attempts.watch(ids).values()), journal)


def _note_failures(codes: dict[str, str], journal: Journal) -> None:
    for invocation_id, code in codes.items():
        journal.learn(invocation_id, failed_again=code)


def _resume_in_place(admin: AdminClient, invocation_id: str, journal: Journal) -> None:
    may_be_done = False

    def resume() -> str:
        nonlocal may_be_done
        try:
            return admin.resume(invocation_id, "keep")
        except OperatorError as exc:
            may_be_done = may_be_done or exc.outcome_unknown
            raise

    journal.sending("resume", [invocation_id])
    try:
        # A second resume of what goes on already does no harm.
        answer = repeat_while_lost(
            resume,
            clock=admin.clock,
            delay_after=admin.connection.retry.patient_delay_after,
        )
    except OperatorError as exc:
        # Where nobody answers, every other call would meet the same.
        if not exc.outcome_unknown:
            journal.not_done("resume", [invocation_id], "not_resumed", exc.message, exc.http)
        else:
            journal.unknown("resume", [invocation_id], exc.message, exc.http)
        if exc.status is None:
            raise
        return
    if answer in ("gone", "busy") and not may_be_done:
        # What stays on its deployment need never be paused first.
        journal.not_done("resume", [invocation_id], "completed", "it has completed meanwhile")
    else:
        journal.done("resume", [invocation_id])


BACKEND = Backend(
    request=ResumeRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
    subjects=subjects,
)
