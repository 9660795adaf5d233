# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a registration needs to know: what is registered at the URL, and what code says."""

from __future__ import annotations

import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..._http import urls
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import Deployment, DeploymentDetail, Registration
from ..deployments.node_lists import ask_as_most_do
from ..deployments.registration import OF_THE_SERVICE, as_registered, body, headers_of, uses_http_11
from ..deployments.registry import Registry, ambiguous, check_service_url
from ..invocations.fit import find_misfit, offer_of
from ..open_actions import OpenActions
from ..waiting import wait_until
from .in_flight import InFlight, unfit
from .losses import dropped_handlers, work_lost
from .plan import Observed, RedeployRequest
from .settings import Codes, settings_in_force

POLL_SECONDS = 0.5


def observe(restate: Restate, request: RedeployRequest) -> Observed:
    """Return what is registered at the URL, what the service there offers, and what decides about settings."""
    admin = restate.admin
    check_service_url(request.service_url)
    if request.metadata and not admin.capabilities.knows_breaking_and_metadata:
        raise OperatorError(
            "RESTATE_UNSUPPORTED", f"metadata needs Restate 1.6; this server is {admin.version.version}."
        )
    ask_as_most_do(restate)
    registry = Registry.read(admin)
    registered, discovered, registration = _Discovery(admin, request).run(registry)
    own_id = registered.id if registered else None
    dropped = dropped_handlers(registry, own_id, discovered)
    in_doubt = OpenActions.of(restate).in_doubt(grace=restate.write_grace, now=_timestamps.now())
    # All invocations are counted, and subscriptions read, only where some of them may be concerned.
    subscriptions = admin.subscriptions() if dropped else ()
    rows = admin.query(admin.questions.invocations_by_place()) if dropped else []
    return Observed(
        registered,
        registry.latest,
        discovered,
        in_flight=_in_flight(admin, registered, discovered) if registered else InFlight(),
        body=registration,
        codes={} if request.settings == "code" else _read_codes(admin, registry, registered, discovered),
        unfed=tuple(each for each in subscriptions if each.service_and_handler in dropped),
        lost=work_lost(rows, registry, own_id, discovered),
        removal_until=in_doubt.get(own_id or ""),
        beside=tuple(each.id for each in registry.all_at(request.service_url) if each.id != own_id),
    )


class _Discovery:
    """Finds which registered deployment is meant, and what its code offers.

    A server with routing headers has several deployments of one URL, and only it knows which headers tell them apart:
    a dry run that forces answers with the id of the one that it would overwrite.
    """

    def __init__(self, admin: AdminClient, request: RedeployRequest) -> None:
        self._admin = admin
        self._request = request

    def run(self, registry: Registry) -> tuple[DeploymentDetail | None, Registration, dict[str, t.Any]]:
        """Return the deployment that is meant (None: a new one), what is offered, and the body that registers it."""
        at_url = registry.all_at(self._request.service_url)
        registered = self._detail(_nearest(at_url, self._request))
        discovered, registration = self._discover(registered)
        if registered and discovered.id != registered.id and self._request.additional_headers is not None:
            other = next((each for each in at_url if each.id == discovered.id), None)
            if other or self._request.target(registered).use_http_11 == uses_http_11(registered):
                registered = self._detail(other)
                discovered, registration = self._discover(registered)
        return registered, discovered, registration

    def _detail(self, deployment: Deployment | None) -> DeploymentDetail | None:
        return self._admin.deployment(deployment.id) if deployment else None

    def _discover(self, registered: DeploymentDetail | None) -> tuple[Registration, dict[str, t.Any]]:
        registration = body(
            self._request.target(registered),
            self._admin.capabilities,
            # Without force Restate discovers nothing at a known URL, with force it accepts anything at a new one.
            force=registered is not None,
            breaking=self._request.breaking,
        )
        return _discover(self._admin, registration, self._request.wait_timeout), registration


def _nearest(at_url: t.Sequence[Deployment], request: RedeployRequest) -> Deployment | None:
    """Return the deployment of a URL whose registration is nearest to what the task gives; refuse a guess."""
    if len(at_url) < 2:
        return at_url[0] if at_url else None
    found = [each for each in at_url if request.use_http_11 in (None, uses_http_11(each))] or at_url
    if request.additional_headers is None:
        if len(found) > 1:
            raise ambiguous(found, request.service_url, remedy=_which(found))
        return found[0]
    headers = request.target(None).additional_headers
    return next((each for each in found if headers_of(each) == headers), found[0])


def _which(found: t.Sequence[Deployment]) -> str:
    """Return how a task says which of several deployments it means."""
    if any(headers_of(each) != headers_of(found[0]) for each in found):
        return (
            "Give additional_headers as the one that is meant has them, {} for one without: the server's routing "
            "headers tell deployments of one URL apart."
        )
    if len({uses_http_11(each) for each in found}) > 1:
        return "Set use_http_11: they differ in the HTTP version."
    return "Remove the superfluous one: restate deployments remove ID."


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

    url = urls.without_secrets(registration["uri"])
    if wait_until(
        has_answered,
        clock=admin.clock,
        seconds=wait_timeout,
        pause=POLL_SECONDS,
        progress=lambda: f"waiting until the service at {url} answers Restate's discovery",
    ):
        return answers[0]
    raise OperatorError(
        "RESTATE_SERVICE_UNREACHABLE",
        f"The service at {url} did not answer Restate's discovery within "
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


def _read_codes(
    admin: AdminClient, registry: Registry, registered: DeploymentDetail | None, discovered: Registration
) -> Codes:
    """Return what the code says of services whose settings in force differ from those of the release.

    It is asked as it is registered: what it says depends on the HTTP version, too.
    """
    in_force = settings_in_force(registered, discovered, registry.latest)
    ids = {service.deployment_id for service in in_force.values()}
    return {
        deployment.id: _code_of(admin, deployment)
        for deployment in registry.deployments
        if deployment.id in ids
    }


def _code_of(admin: AdminClient, deployment: Deployment) -> Registration | None:
    try:
        return admin.discover(as_registered(deployment, admin.capabilities))
    except OperatorError as exc:
        if exc.code not in OF_THE_SERVICE:
            raise
        return None
