# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP is asked to remove: a pure function of what it lists and what was asked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..._http import urls
from ..approval import Subject
from ..deployments.listed import Listed
from ..journal import Journal
from ..report import count
from .refusals import not_registered, too_many


@dataclass(frozen=True, kw_only=True)
class CleanupRequest:
    """What the operator asked; O(drain_timeout), in seconds, is for the doctor to list the others no longer.

    O(allow_service_removal) is None unless the operator said.
    """

    service_url: str
    force_drain: bool
    drain_timeout: int
    max_removed: int
    allow_service_removal: bool | None = None
    assume_registered: dict[str, t.Any] | None = None


@dataclass(frozen=True)
class Removal:
    """A deployment that DALP is to drain and remove."""

    deployment: Deployment
    action: str

    @property
    def id(self) -> str:
        """The id of the deployment."""
        return self.deployment.id

    @property
    def step(self) -> dict[str, t.Any]:
        """The step as the result shows it."""
        return {"action": self.action, "deployment_id": self.id, "service_url": self.deployment.shown_url}


@dataclass(frozen=True)
class Plan:
    """What is to be done; O(kept) is None where it is not registered yet; O(error) says why nothing is."""

    request: CleanupRequest
    before: Listed
    kept: Deployment | None
    removals: tuple[Removal, ...]
    warnings: tuple[str, ...]
    error: OperatorError | None


def make_plan(before: Listed, request: CleanupRequest) -> Plan:
    """Return what is to be done, or why it is refused."""
    kept = before.at(request.service_url)
    if kept is None and not request.assume_registered:
        raise not_registered(request.service_url)
    going = [deployment for deployment in before.deployments.values() if deployment is not kept]
    action = "remove"
    if before.unfinished != 0:
        action = "force_drain_then_remove" if request.force_drain else "wait_then_remove"
    error = too_many(
        [deployment.id for deployment in going],
        request.max_removed,
        remedy="Check that service_url is right; then raise max_removed. DALP has no other way to narrow it.",
    )
    error = error or _newer_than_kept(kept, going, request)
    return Plan(
        request=request,
        before=before,
        kept=kept,
        removals=tuple(Removal(deployment, action) for deployment in going),
        warnings=tuple(_warnings(before, going, request)) if going and not error else (),
        error=error,
    )


def _newer_than_kept(
    kept: Deployment | None, going: list[Deployment], request: CleanupRequest
) -> OperatorError | None:
    if kept is None or request.assume_registered or request.allow_service_removal:
        return None
    newer = [each.id for each in going if kept.created and each.created and each.created > kept.created]
    if not newer:
        return None
    return OperatorError(
        "RESTATE_SERVICE_REMOVAL_REFUSED",
        f"{', '.join(newer)} was registered after {kept.id}, which would be kept, and may be the latest of its "
        "services; nothing was touched.",
        remedy="Check that service_url is right. Where it is, register it again first (restate_redeploy), or set "
        "allow_service_removal to true.",
        reason="newer_deployment",
        deployment_ids=newer,
    )


def _warnings(before: Listed, going: list[Deployment], request: CleanupRequest) -> t.Iterator[str]:
    ageless = [deployment.id for deployment in going if deployment.created is None]
    if ageless:
        yield f"DALP does not tell when {', '.join(ageless)} was registered: it may be newer than what is kept."
    if before.unfinished == 0:
        return
    number = (
        "Unfinished invocations"
        if before.unfinished is None
        else count(before.unfinished, "unfinished invocation")
    )
    outcome = "forceDrain ends what cannot drain, and DALP does not tell what becomes of it."
    if not request.force_drain:
        outcome = (
            f"what DALP does not drain and remove within {request.drain_timeout} s stays, and makes the task fail with "
            "RESTATE_DRAIN_TIMEOUT."
        )
    yield f"{number} may be on deployments that go, and DALP does not tell on which: {outcome}"


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave, if what must drain does so in time."""
    journal = Journal(is_prediction=True)
    journal.done("remove", [removal.id for removal in plan.removals])
    return journal


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of each deployment, the same before and after the kept one is registered."""
    return [
        Subject(urls.in_one_form(plan.request.service_url), "keep"),
        *(
            Subject(
                f"{each.id} at {each.deployment.shown_url}",
                "remove",
                [str(each.deployment.created_at), plan.request.force_drain],
            )
            for each in plan.removals
        ),
    ]
