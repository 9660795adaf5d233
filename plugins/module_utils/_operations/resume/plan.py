# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is resumed, and where: a pure function of what is there and what was asked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.rows import Invocation
from ..deployments.registry import Registry
from ..invocations.migration_plan import ServedHandlers
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
    """What the plan needs to know of deployments: what is registered, and what those that are moved to serve."""

    registry: Registry
    served: t.Mapping[str, ServedHandlers] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """The invocations that are meant, and what is registered.

    O(missing) are ids that do not exist, O(beyond_limit) is how many more match the selection, and O(version) is the
    server's where it cannot pause.
    """

    rows: tuple[Invocation, ...]
    missing: tuple[str, ...]
    beyond_limit: int
    places: Places
    version: str | None = None


@dataclass(frozen=True)
class Step:
    """An invocation, and what is to be done about it: resumed on O(move_to), or where it is; or left, and why."""

    row: Invocation
    outcome: str = RESUMED
    reason: str | None = None
    message: str = ""
    move_to: str | None = None

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
    return Plan(request, steps, observed.missing, observed.beyond_limit)


def make_step(row: Invocation, deployment: str, places: Places) -> Step:
    """Return what is to be done about an invocation."""
    pinned = row.pinned_deployment_id
    is_zombie = pinned is not None and pinned not in places.registry.ids
    if row.status == "completed":
        return Step(row, UNCHANGED, "completed", "it has completed")
    if not (row.status == "paused" or is_zombie or row.last_failure is not None):
        return Step(row, UNCHANGED, "not_stuck", f"it is {row.status}, and not stuck")
    if pinned is None or deployment == "keep":
        if is_zombie:
            return Step(row, BLOCKED, "deployment_gone", f"its deployment {pinned} is gone: name another")
        return Step(row)
    return _moved(row, _destination(row, deployment, places), places)


def _destination(row: Invocation, deployment: str, places: Places) -> str | None:
    if deployment != "latest":
        return deployment
    service = places.registry.latest.get(row.target_service_name)
    return service.deployment_id if service else None


def _moved(row: Invocation, move_to: str | None, places: Places) -> Step:
    if move_to is None:
        return Step(row, BLOCKED, "service_not_registered", f"{row.target_service_name} is not registered")
    served = places.served.get(move_to, {}).get(row.target_service_name, frozenset())
    if row.target_handler_name not in served:
        message = f"{move_to} does not serve {row.target_handler_name} of it"
        return Step(row, BLOCKED, "handler_not_served", message)
    return Step(row, move_to=None if move_to == row.pinned_deployment_id else move_to)


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
