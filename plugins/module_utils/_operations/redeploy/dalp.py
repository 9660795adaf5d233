# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release through DALP.

With force, Restate registers a known URL again and raises the revisions of its services, whether its code differs or
not. Without, it leaves a known URL as it is.
"""

from __future__ import annotations

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..deployments.listed import Listed, check_service_removal, have_risen, look_until, not_begun
from ..deployments.registry import STALE_READ_SECONDS, check_service_url
from ..journal import Journal
from ..operation import Backend
from .dalp_plan import Observed, Plan, RedeployRequest, make_plan, predict, subjects
from .dalp_report import make_report


def observe(dalp: DalpClient, request: RedeployRequest) -> Observed:
    """Return what is registered."""
    check_service_url(request.service_url)
    check_service_removal(request.allow_service_removal)
    before = Listed.read(dalp)
    return Observed(before, dalp.known_version)


# Apply and verify


def apply(dalp: DalpClient, plan: Plan, journal: Journal) -> None:
    """Have DALP register the URL; what its doctor lists afterwards tells what changed."""
    journal.sending("register", ["register"])
    try:
        answered = dalp.force_redeploy(plan.request.service_url, force=plan.request.force)
    except OperatorError as exc:
        _look_once(dalp, plan, journal, exc)
        raise
    journal.done("register", ["register"], deployment_id=answered)
    _verify(dalp, plan, journal, answered)


def _look_once(dalp: DalpClient, plan: Plan, journal: Journal, error: OperatorError) -> None:
    """Note after an error what the doctor shows of it all the same."""
    listed = None if not_begun(error) else look_until(dalp, lambda _now: True, seconds=0).listed
    match = listed.at(plan.request.service_url) if listed else None
    if match and match.id not in plan.before.deployments:
        journal.done("register", ["register"], deployment_id=match.id)
    elif error.outcome_unknown:
        return
    elif listed and match and have_risen(plan.before, listed):
        journal.unknown(
            "register", ["register"], "Revisions of services have risen since, by this or by other work."
        )
    else:
        journal.not_done("register", ["register"], "refused", error.message, error.http)


def _verify(dalp: DalpClient, plan: Plan, journal: Journal, answered: str | None) -> None:
    """Wait until the doctor shows what was acknowledged, and note what it shows."""

    def match(now: Listed) -> Deployment | None:
        return now.deployments.get(answered or "") or now.at(plan.request.service_url)

    def is_shown(now: Listed) -> bool:
        return match(now) is not None and not (plan.overwrites and have_risen(plan.before, now) is False)

    seconds = plan.request.wait_timeout
    if plan.overwrites:
        seconds = min(seconds, STALE_READ_SECONDS)
    last = look_until(dalp, is_shown, seconds=seconds)
    if last.listed is None:
        journal.seen_after["unread"] = last.why
        return
    deployment = match(last.listed)
    if deployment is None:
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"DALP registered {plan.url}{f' as {answered}' if answered else ''}, but its doctor does not list it "
            f"after {plan.request.wait_timeout} s.",
            remedy="Run restate_doctor: another release may have been registered at the same time.",
            deployment_ids=[answered] if answered else None,
        )
    journal.done("register", ["register"], deployment_id=deployment.id)
    journal.seen_after["listed"] = last.listed


BACKEND = Backend(
    request=RedeployRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
    subjects=subjects,
)
