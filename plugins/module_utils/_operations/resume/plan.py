# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is resumed, and where: a pure function of what is there and what was asked."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.rows import Invocation
from ..deployments.registry import Registry
from ..invocations.failures import FAILURES, grouped, told
from ..invocations.fit import Offer, find_misfit
from ..invocations.selection import Select
from ..journal import Journal
from ..operation import INVOCATION_IDS, options
from ..report import SAMPLE

RESUMED, UNCHANGED, BLOCKED, FAILED = "resumed", "unchanged", "blocked", "failed"
OUTCOMES = (RESUMED, UNCHANGED, BLOCKED, FAILED)


@dataclass(frozen=True, kw_only=True)
class ResumeRequest:
    """What the operator asked; O(deployment) is V(keep), V(latest) or an id."""

    invocation_ids: list[str] | None = field(default=None, metadata=INVOCATION_IDS)
    workflows: list[dict[str, str]] | None = None
    select: Select | None = field(default=None, metadata=options(Select))
    deployment: str
    skip_blocked: bool


@dataclass(frozen=True)
class Places:
    """What the plan needs to know of deployments: what is registered, and what those offer that are concerned."""

    registry: Registry
    offers: t.Mapping[str, Offer] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """The invocations that are meant, and what is registered.

    O(missing) are ids that do not exist, O(beyond_limit) is how many more match the selection, O(codes) are those of
    L(FAILURES) that invocations failed with last, and O(version) is the server's where it cannot pause.
    """

    rows: tuple[Invocation, ...]
    missing: tuple[str, ...]
    beyond_limit: int
    places: Places
    codes: t.Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True)
class Step:
    """An invocation, and what is to be done about it: resumed on O(move_to), or where it is; or left, and why.

    O(fails_with) is Restate's code where it is resumed although that alone does not cure it.
    """

    row: Invocation
    outcome: str = RESUMED
    reason: str | None = None
    message: str = ""
    move_to: str | None = None
    fails_with: str | None = None

    @property
    def action(self) -> str:
        """What the journal calls it."""
        return "migrate" if self.move_to else "resume"

    def to_result(self) -> dict[str, t.Any]:
        """Return it as the result shows a step."""
        step = {"action": self.action, "invocation_id": self.row.id}
        return {**step, "deployment_id": self.move_to} if self.move_to else step


@dataclass(frozen=True)
class Plan:
    """What is to be done about each invocation; O(error) says why nothing is."""

    request: ResumeRequest
    steps: tuple[Step, ...]
    missing: tuple[str, ...]
    beyond_limit: int
    warnings: tuple[str, ...] = ()
    error: OperatorError | None = None

    @property
    def going(self) -> list[Step]:
        """The steps that resume something."""
        return [step for step in self.steps if step.outcome == RESUMED]


def make_plan(observed: Observed, request: ResumeRequest) -> Plan:
    """Return what is to be done; raise RESTATE_UNSUPPORTED where the server cannot do it."""
    steps = tuple(make_step(row, request.deployment, observed.places) for row in observed.rows)
    if observed.version:
        _refuse_what_needs_a_pause(steps, observed.version)
    steps = tuple(_with_failure(step, observed.codes.get(step.row.id, "")) for step in steps)
    failing = grouped(observed.codes, [step.row.id for step in steps if step.fails_with])
    warnings = tuple(
        told(failure, ids, "will fail again unless that has changed") for failure, ids in failing.items()
    )
    return Plan(request, steps, observed.missing, observed.beyond_limit, warnings)


def is_stuck(row: Invocation, registry: Registry) -> bool:
    """Whether an invocation does not go on by itself: it is paused, is being retried, or its deployment is gone."""
    if row.status == "completed":
        return False
    return row.status == "paused" or row.last_failure is not None or _is_zombie(row, registry)


def _is_zombie(row: Invocation, registry: Registry) -> bool:
    return row.pinned_deployment_id is not None and row.pinned_deployment_id not in registry.ids


def make_step(row: Invocation, deployment: str, places: Places) -> Step:
    """Return what is to be done about an invocation."""
    pinned = row.pinned_deployment_id
    if row.status == "completed":
        return Step(row, UNCHANGED, "completed", "it has completed")
    if not is_stuck(row, places.registry):
        return Step(row, UNCHANGED, "not_stuck", f"it is {row.status}, and not stuck")
    if deployment == "keep" and _is_zombie(row, places.registry):
        return Step(
            row, BLOCKED, "deployment_gone", f"its deployment {pinned} is gone; {_offered(row, places)}"
        )
    place = destination(row, deployment, places.registry)
    if place is None:
        message = f"no registered deployment serves {row.target_service_name}"
        return Step(row, BLOCKED, "service_not_registered", message)
    misfit = find_misfit(row, places.offers[place], places.offers.get(pinned or ""))
    if misfit:
        # Moving cures what has begun; the rest goes to the latest in any case.
        return Step(row, BLOCKED, misfit.reason if pinned else "latest_does_not_fit", misfit.message)
    return Step(row, move_to=None if pinned in (None, place) else place)


def _offered(row: Invocation, places: Places) -> str:
    """Return where a zombie would go on."""
    latest = destination(row, "latest", places.registry)
    if latest is None:
        return f"no registered deployment serves {row.target_service_name}"
    misfit = find_misfit(row, places.offers[latest])
    return misfit.message if misfit else f"it can go on at {latest}, the latest: set deployment to latest"


def destination(row: Invocation, deployment: str, registry: Registry) -> str | None:
    """Return the id of the deployment where it would go on; None where nothing serves its service."""
    if row.pinned_deployment_id is not None and deployment != "latest":
        return row.pinned_deployment_id if deployment == "keep" else deployment
    # What is pinned to none goes to the latest, whatever was asked.
    service = registry.latest.get(row.target_service_name)
    return service.deployment_id if service else None


def _with_failure(step: Step, code: str) -> Step:
    """Say of what is resumed where it failed that it fails again unless its cause is gone."""
    failure = FAILURES.get(code)
    if not failure or step.outcome != RESUMED or step.move_to:
        return step
    message = f"it fails again unless this has changed: {failure.message}. {failure.cure}"
    return dataclasses.replace(step, message=message, fails_with=code)


def _refuse_what_needs_a_pause(steps: t.Iterable[Step], version: str) -> None:
    running = [
        step.row.id for step in steps if step.move_to and step.row.status not in ("paused", "suspended")
    ]
    if running:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"Moving what is not paused needs Restate 1.6; this server is {version}. Nothing was touched.",
            remedy="Use deployment: keep for these, or upgrade.",
            invocation_ids=running[:SAMPLE],
        )


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave."""
    journal = Journal(is_prediction=True)
    for step in plan.going:
        journal.done(step.action, [step.row.id])
    return journal
