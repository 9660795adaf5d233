# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release, or make an older one the latest again, straight against Restate."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import Deployment, DeploymentDetail, Registration
from ..deployments.registration import body
from ..deployments.registry import STALE_READ_SECONDS, Registry, check_service_url
from ..invocations.fit import find_misfit, offer_of
from ..journal import Journal
from ..operation import Backend
from ..waiting import repeat_while_lost, wait_until
from .in_flight import InFlight, unfit
from .plan import Observed, Plan, RedeployRequest, make_plan, predict
from .report import make_report

_POLL_SECONDS = 0.5


def observe(restate: Restate, request: RedeployRequest) -> Observed:
    """Return what is registered at the URL, and what the service there offers."""
    admin = restate.admin
    check_service_url(request.service_url)
    if request.metadata and not admin.capabilities.knows_breaking_and_metadata:
        raise OperatorError(
            "RESTATE_UNSUPPORTED", f"metadata needs Restate 1.6; this server is {admin.version.version}."
        )
    registry = Registry.read(admin)
    match = registry.at(request.service_url)
    registered = admin.deployment(match.id) if match else None
    registration = body(
        request.target(registered),
        admin.capabilities,
        # Without force Restate discovers nothing at a known URL, with force it accepts anything at a new one.
        force=registered is not None,
        breaking=request.breaking,
    )
    discovered = _discover(admin, registration, request.wait_timeout)
    in_flight = _in_flight(admin, registered, discovered) if registered else InFlight()
    return Observed(registered, registry.latest, discovered, in_flight, registration)


def _discover(admin: AdminClient, registration: dict[str, t.Any], wait_timeout: int) -> Registration:
    """Ask for discovery until the service answers; a service that is being started needs a while."""
    answers: list[Registration] = []
    silence: list[OperatorError] = []

    def has_answered() -> bool:
        try:
            answers.append(admin.discover(registration))
        except OperatorError as exc:
            if exc.code != "RESTATE_SERVICE_UNREACHABLE":
                raise
            silence.append(exc)
        return bool(answers)

    if wait_until(has_answered, clock=admin.clock, seconds=wait_timeout, pause=_POLL_SECONDS):
        return answers[0]
    raise OperatorError(
        "RESTATE_SERVICE_UNREACHABLE",
        f"The service at {urls.without_secrets(registration['uri'])} did not answer Restate's discovery within "
        f"{wait_timeout} s: {silence[-1].message}",
        http=silence[-1].http,
    ) from silence[-1]


def _in_flight(admin: AdminClient, registered: DeploymentDetail, discovered: Registration) -> InFlight:
    kinds = admin.query(admin.questions.pinned_kinds(registered.id))
    number = sum(kind.n for kind in kinds)
    offer, began_on = offer_of("this URL now", discovered), offer_of(registered.id, registered)
    if all(find_misfit(kind, offer, began_on) is None for kind in kinds):
        return InFlight(number)
    # There may be very many: each is read only where it is to be named.
    rows = admin.query(admin.questions.unfinished_on(registered.id, ()))
    return InFlight(number, unfit(rows, offer, began_on))


def apply(restate: Restate, plan: Plan, journal: Journal) -> None:
    """Register, apply the settings again that Restate has reset, and see that it is the latest."""
    steps = plan.steps
    if not steps:
        return
    admin = restate.admin
    with journal.attempt(plan.action, plan.action):
        deployment_id = _register(admin, plan)
    journal.done(plan.action, [plan.action], deployment_id=deployment_id)
    for service, settings in plan.settings.items():
        with journal.attempt("apply_settings", service):
            admin.patch_service(service, settings)
    _verify(admin, deployment_id, plan)


def _register(admin: AdminClient, plan: Plan) -> str:
    """Register; where an answer was lost, read what is registered before the call is repeated."""
    registration, registered = plan.observed.body, plan.observed.registered

    def look() -> str | None:
        match = Registry.read(admin).at(registration["uri"])
        if match and (registered is None or _revisions(match) != _revisions(registered)):
            return match.id
        return None

    return repeat_while_lost(
        lambda: admin.register(registration).id,
        clock=admin.clock,
        delay_after=admin.connection.retry.patient_delay_after,
        look=look,
    )


def _revisions(deployment: Deployment | DeploymentDetail) -> dict[str, int]:
    return {service.name: service.revision for service in deployment.services}


def _verify(admin: AdminClient, deployment_id: str, plan: Plan) -> None:
    offered = {service.name for service in plan.observed.discovered.services}

    def is_latest() -> bool:
        registry = Registry.read(admin)
        return deployment_id in registry.ids and offered <= set(registry.latest_at(deployment_id))

    seconds = max(plan.request.wait_timeout, STALE_READ_SECONDS)
    if not wait_until(is_latest, clock=admin.clock, seconds=seconds, pause=_POLL_SECONDS):
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
)
