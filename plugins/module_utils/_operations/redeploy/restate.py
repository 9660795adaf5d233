# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release, or make an older one the latest again, straight against Restate."""

from __future__ import annotations

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import Deployment, DeploymentDetail
from ..deployments.registry import STALE_READ_SECONDS, Registry
from ..journal import Journal
from ..operation import Backend
from ..waiting import repeat_while_lost, wait_until
from .approval import subjects
from .observation import POLL_SECONDS, observe
from .plan import ALREADY_REGISTERED, Plan, RedeployRequest, make_plan, predict
from .report import make_report


def apply(restate: Restate, plan: Plan, journal: Journal) -> None:
    """Register, apply the settings again that Restate has reset, and see that it is the latest."""
    steps = plan.steps
    if not steps:
        return
    admin = restate.admin
    with journal.attempt(plan.action, plan.action):
        deployment_id, is_own = _register(admin, plan)
    if is_own:
        journal.done(plan.action, [plan.action], deployment_id=deployment_id)
    else:
        journal.not_done(plan.action, [plan.action], ALREADY_REGISTERED, deployment_id=deployment_id)
    for service, settings in plan.settings.items():
        with journal.attempt("apply_settings", service):
            admin.patch_service(service, settings)
    _verify(admin, deployment_id, plan)


def _register(admin: AdminClient, plan: Plan) -> tuple[str, bool]:
    """Register, and return the ID and whether this task did it rather than another one meanwhile.

    If an answer was lost, what is registered is read before the call is repeated.
    """
    registration, registered = plan.observed.body, plan.observed.registered

    def look() -> str | None:
        for each in Registry.read(admin).all_at(registration["uri"]):
            if each.id not in plan.observed.beside and (
                registered is None or _revisions(each) != _revisions(registered)
            ):
                return each.id
        return None

    def register() -> tuple[str, bool]:
        try:
            answer = admin.register(registration)
        except OperatorError as exc:
            # So 1.5.3 answers for a URL that is registered.
            is_known = exc.status == 409 and exc.reason is None and not registration["force"]
            known = look() if is_known else None
            if known is None:
                raise
            return known, False
        return answer.id, not answer.was_registered

    def look_after_loss() -> tuple[str, bool] | None:
        known = look()
        return (known, True) if known else None

    return repeat_while_lost(
        register,
        clock=admin.clock,
        delay_after=admin.connection.retry.patient_delay_after,
        look=look_after_loss,
    )


def _revisions(deployment: Deployment | DeploymentDetail) -> dict[str, int]:
    return {service.name: service.revision for service in deployment.services}


def _verify(admin: AdminClient, deployment_id: str, plan: Plan) -> None:
    offered = {service.name for service in plan.observed.discovered.services}

    def is_latest() -> bool:
        registry = Registry.read(admin)
        return deployment_id in registry.ids and offered <= set(registry.latest_at(deployment_id))

    seconds = max(plan.request.wait_timeout, STALE_READ_SECONDS)
    if not wait_until(
        is_latest,
        clock=admin.clock,
        seconds=seconds,
        pause=POLL_SECONDS,
        progress=lambda: f"waiting until {deployment_id} is listed as the latest",
    ):
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"{deployment_id} was registered, but the server does not list it as the latest of its services.",
            remedy="Run restate_doctor: another release may have been registered at the same time.",
            deployment_ids=[deployment_id],
        )


BACKEND = Backend(
    request=RedeployRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
    subjects=subjects,
)
