# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a release is registered, overwritten or left: a pure function of what is there and what was asked."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ... import _timestamps
from ..._errors import OperatorError
from ..._http import urls
from ..._restate.wire import DeploymentDetail, Registration, Service, Subscription
from ..commands import restate_cli
from ..deployments.registration import Target, headers_of, uses_http_11
from ..deployments.unserved import Unserved
from ..journal import Journal
from ..operation import STRINGS
from . import losses
from .description import described, options_of
from .in_flight import InFlight
from .settings import Codes, plan_settings


@dataclass(frozen=True, kw_only=True)
class RedeployRequest:
    """What the operator asked; None means what is registered. O(wait_timeout) is in seconds."""

    service_url: str
    force: bool
    breaking: bool = False
    use_http_11: bool | None = None
    additional_headers: dict[str, str] | None = field(default=None, repr=False, metadata=STRINGS)
    metadata: dict[str, str] | None = field(default=None, metadata=STRINGS)
    settings: str = "keep"
    allow_service_removal: bool = False
    wait_timeout: int

    def target(self, registered: DeploymentDetail | None) -> Target:
        """Return what is to be registered.

        Restate erases what a registration omits; an operator who says nothing means what is there. It calls the address
        that it is given: that has the scheme of the task, and else is written as it is registered.
        """
        headers, metadata, http_11 = self.additional_headers, self.metadata, self.use_http_11
        if headers is not None:
            # As a server keeps them.
            headers = {name.lower(): value for name, value in headers.items()}
        if registered is None:
            return Target(
                uri=self.service_url,
                use_http_11=bool(http_11),
                additional_headers=headers or {},
                metadata=metadata or {},
            )
        return Target(
            uri=urls.by_scheme_of(str(registered.uri), self.service_url),
            use_http_11=uses_http_11(registered) if http_11 is None else http_11,
            additional_headers=headers_of(registered) if headers is None else headers,
            metadata=registered.metadata if metadata is None else metadata,
        )


@dataclass(frozen=True)
class Observed:
    """What is registered (O(registered) None: nothing at this URL) and what the service offers.

    O(in_flight) are the unfinished invocations that are pinned to what is registered. O(body) is what registers it.
    O(codes) is what the code of other deployments says, where it decides about settings. O(beside) are the ids of
    other deployments at the same URL. O(unfed) are Kafka subscriptions whose service or handler would go, O(lost) is
    unfinished work of such.
    """

    registered: DeploymentDetail | None
    latest: t.Mapping[str, Service]
    discovered: Registration
    in_flight: InFlight = field(default_factory=InFlight)
    body: dict[str, t.Any] = field(default_factory=dict, repr=False)
    codes: Codes = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    unfed: tuple[Subscription, ...] = ()
    lost: Unserved = field(default_factory=dict)
    removal_until: datetime.datetime | None = None
    """Until when an earlier removal of what is registered may still be carried out."""


@dataclass(frozen=True)
class Plan:
    """What is to be done: O(action) is V(register), V(overwrite), V(nothing) or V(refuse).

    O(settings) are, by service, those that Restate resets and that are applied again.
    """

    request: RedeployRequest
    observed: Observed
    action: str
    before: dict[str, t.Any]
    after: dict[str, t.Any]
    settings: dict[str, dict[str, t.Any]]
    warnings: tuple[str, ...]
    error: OperatorError | None = None

    @property
    def deployment_id(self) -> str | None:
        """The id of what is registered at the URL."""
        return self.observed.registered.id if self.observed.registered else None

    @property
    def steps(self) -> list[Step]:
        """The write calls, in their order."""
        if self.action not in ("register", "overwrite"):
            return []
        registration = Step(
            self.action, self.action, {"action": self.action, "service_url": self.after["service_url"]}
        )
        return [
            registration,
            *(
                Step(
                    "apply_settings",
                    service,
                    {"action": "apply_settings", "service": service, "settings": values},
                )
                for service, values in self.settings.items()
            ),
        ]


@dataclass(frozen=True)
class Step:
    """A write call: its O(action) on its O(subject) in the journal, and as the result shows it."""

    action: str
    subject: str
    shown: dict[str, t.Any]


def make_plan(observed: Observed, request: RedeployRequest) -> Plan:
    """Return what is to be done, or why it is refused."""
    target = request.target(observed.registered)
    settings = plan_settings(
        observed.registered,
        observed.discovered,
        observed.latest,
        observed.codes,
        takes_codes=request.settings == "code",
    )
    after = described(request.service_url, observed.discovered, latest=True)
    if observed.registered is None:
        after |= options_of(target, known_headers=None)
        if error := _loss(observed, request):
            return Plan(request, observed, "refuse", {}, after, {}, (), error)
        warnings = [*_beside(observed), *settings.warnings, *_unfed(observed), *_leaves(observed)]
        return Plan(request, observed, "register", {}, after, settings.kept, tuple(warnings))
    known_url = str(observed.registered.uri)
    known = RedeployRequest(service_url=known_url, force=True, wait_timeout=0).target(observed.registered)
    # Of one scheme, however the URL is written.
    shown_url = request.service_url if target.uri == known_url else known_url
    before = described(shown_url, observed.registered, latest=_is_latest(observed))
    after["service_url"] = urls.without_secrets(
        request.service_url if target.uri == known_url else target.uri
    )
    before |= options_of(known, known_headers=None)
    after |= options_of(target, known_headers=known.additional_headers)
    if settings.after:
        before, after = {**before, "settings": settings.before}, {**after, "settings": settings.after}
    if error := _removal_in_doubt(observed.registered, observed):
        return Plan(request, observed, "refuse", before, after, {}, (), error)
    if before == after:
        return Plan(request, observed, "nothing", before, after, {}, ())
    error = _refusal(observed.registered, observed, request, before, after)
    if error:
        return Plan(request, observed, "refuse", before, after, {}, (), error)
    warnings = [
        *settings.warnings,
        *_unfed(observed),
        *_services_dropped(observed.registered, observed),
        *_leaves(observed),
        *observed.in_flight.warnings(observed.registered.id),
    ]
    return Plan(request, observed, "overwrite", before, after, settings.kept, tuple(warnings))


def _removal_in_doubt(registered: DeploymentDetail, observed: Observed) -> OperatorError | None:
    """Return why a deployment is not used whose removal was not answered: it would be removed with its new release."""
    if observed.removal_until is None:
        return None
    until = _timestamps.write(observed.removal_until)
    return _refused(
        registered,
        f"The removal of {registered.id} timed out, and may still be carried out until {until}.",
        remedy=f"Run the task again at {until}, or register the release at another URL. Set write_grace: 0 if you know "
        "that the request is gone, since the node or the proxy that held it was restarted.",
        reason="write_in_doubt",
    )


def _refusal(
    registered: DeploymentDetail,
    observed: Observed,
    request: RedeployRequest,
    before: dict[str, t.Any],
    after: dict[str, t.Any],
) -> OperatorError | None:
    if registered.auth is not None:
        return _refused(
            registered,
            f"{registered.id} was registered with auth settings, which an overwrite would erase.",
            remedy="Register it with the restate CLI, which can set them.",
            reason="auth_settings",
        )
    if observed.discovered.id != registered.id:
        # Seen on 1.5.3 where the HTTP version changes.
        return _refused(
            registered,
            f"This server would not overwrite {registered.id} but register the same URL a second time.",
            remedy=_how_not_twice(registered, request),
            reason="second_registration",
        )
    if not request.force:
        is_only_old = {**before, "is_latest": True} == after
        what = "is not the latest" if is_only_old else "differs from what is registered"
        return _refused(
            registered,
            f"{urls.without_secrets(request.service_url)} is registered as {registered.id}, {what}, and force is "
            "false.",
            remedy="Read the diff; set force to true to overwrite the registration and make it the latest.",
            reason="force_required",
        )
    changed = _types_that_change(observed)
    if changed and not request.breaking:
        return _refused(
            registered,
            f"These services change their type, which breaks their callers: {', '.join(changed)}.",
            remedy="Set breaking to true where this is meant.",
            reason="type_change",
        )
    return _loss(observed, request)


def _loss(observed: Observed, request: RedeployRequest) -> OperatorError | None:
    if not observed.lost or request.allow_service_removal:
        return None
    return losses.refusal(observed.lost, urls.without_secrets(request.service_url))


def _leaves(observed: Observed) -> list[str]:
    """Tell of work that is left without a service, and of services that are not any more what they were."""
    changed = _types_that_change(observed)
    types = (
        "These services change their type, which breaks their callers; work that began as another type does not go on "
        f"with them: {', '.join(changed)}."
    )
    return [*losses.warnings(observed.lost), *([types] if changed else [])]


def _how_not_twice(registered: DeploymentDetail, request: RedeployRequest) -> str:
    if request.use_http_11 in (None, uses_http_11(registered)):
        return "Use another URL, or register it with the restate CLI (restate deployments register)."
    return "Leave use_http_11 as it is registered, or use another URL."


def _beside(observed: Observed) -> list[str]:
    if not observed.beside:
        return []
    return [
        f"It is registered beside {', '.join(observed.beside)} at the same URL: the server's routing headers tell them "
        "apart."
    ]


def _unfed(observed: Observed) -> list[str]:
    return [
        f"The code no longer offers {each.sink}, which the Kafka subscription {each.id} ({each.source}) feeds. Give it "
        f"up ({restate_cli('subscriptions', 'delete', each.id)}), or register a release that offers it."
        for each in observed.unfed
    ]


def _refused(registered: DeploymentDetail, message: str, *, remedy: str, reason: str) -> OperatorError:
    return OperatorError(
        "RESTATE_REGISTRATION_REFUSED", message, remedy=remedy, reason=reason, deployment_ids=[registered.id]
    )


def _types_that_change(observed: Observed) -> list[str]:
    registered = observed.registered.services if observed.registered else ()
    known = {**{service.name: service for service in registered}, **observed.latest}
    return [
        f"{service.name} (from {known[service.name].ty} to {service.ty})"
        for service in observed.discovered.services
        if service.name in known and known[service.name].ty != service.ty
    ]


def _is_latest(observed: Observed) -> bool:
    registered = observed.registered
    return registered is not None and all(
        service.name in observed.latest and observed.latest[service.name].deployment_id == registered.id
        for service in observed.discovered.services
    )


def _services_dropped(registered: DeploymentDetail, observed: Observed) -> list[str]:
    offered = {service.name for service in observed.discovered.services}
    here = sorted(name for name, service in observed.latest.items() if service.deployment_id == registered.id)
    return [
        f"The code at this URL no longer offers {name}, which was the latest here."
        for name in here
        if name not in offered
    ]


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave."""
    journal = Journal(is_prediction=True)
    for step in plan.steps:
        journal.done(step.action, [step.subject])
    return journal
