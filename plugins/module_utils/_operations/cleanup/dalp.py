# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove all deployments but one through DALP."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..deployments.listed import Listed, look_until, not_begun
from ..journal import Journal
from ..operation import Backend
from ..report import count
from .dalp_report import make_report
from .refusals import check, not_registered, too_many


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


# Observe


def observe(dalp: DalpClient, request: CleanupRequest) -> Listed:
    """Return what is registered."""
    check(request.service_url, request.assume_registered, check_mode=dalp.check_mode)
    if request.allow_service_removal is False:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            "backend: dalp cannot honour allow_service_removal: false; nothing was sent. DALP does not tell which "
            "services a deployment has.",
            remedy="Leave it out where every other deployment may go, or use backend: restate.",
            reason="backend",
        )
    return Listed.read(dalp)


# Plan


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


# Apply and verify


def apply(dalp: DalpClient, plan: Plan, journal: Journal) -> None:
    """Have DALP drain and remove the others; what its doctor lists afterwards tells what became of each."""
    if not plan.removals or plan.kept is None:
        return
    ids = [removal.id for removal in plan.removals]
    seconds, error = plan.request.drain_timeout, None
    journal.sending("remove", ids)
    try:
        # The route wants the URL to the letter.
        dalp.cleanup_stale_deployments(str(plan.kept.service_url), force_drain=plan.request.force_drain)
    except OperatorError as exc:
        if not_begun(exc):
            journal.not_done("remove", ids, "interrupted")
            raise
        # One look must do: an acknowledgement that was not heard is nothing to wait for.
        seconds, error = 0, exc
    last = look_until(dalp, lambda now: not set(ids) & now.deployments.keys(), seconds=seconds)
    if last.listed is None:
        journal.unknown("remove", ids, last.why)
    else:
        _note(last.listed, plan.kept, ids, journal, error)
    if error:
        raise error


def _note(
    now: Listed, kept: Deployment, ids: list[str], journal: Journal, error: OperatorError | None
) -> None:
    journal.seen_after["deployments"] = now.deployments
    journal.done("remove", [each for each in ids if each not in now.deployments])
    remaining = [each for each in ids if each in now.deployments]
    if error is None:
        journal.not_done("remove", remaining, "drain_timeout")
    elif not error.outcome_unknown:
        journal.not_done("remove", remaining, "interrupted")
    if kept.id not in now.deployments:
        journal.done("remove", [kept.id])


BACKEND = Backend(
    request=CleanupRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
)
