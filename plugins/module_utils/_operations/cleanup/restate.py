# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove deployments that are no longer needed, straight against Restate, and lose no work with them."""

from __future__ import annotations

import datetime
import math
import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation
from ..._restate.server import Restate
from ..._restate.wire import Deployment, Handler, Service
from ..deployments.node_lists import ask_as_most_do
from ..deployments.pending import Pending, read_pending, read_unfinished
from ..deployments.registration import OF_THE_SERVICE, as_registered
from ..deployments.registry import Registry
from ..invocations.called import read_called
from ..invocations.cancellation import plan_cancellation
from ..invocations.fit import Offer, offer_of
from ..open_actions import OpenActions
from ..operation import Backend
from .approval import subjects
from .drain import Drain
from .plan import ASSUMED_ID, Choice, CleanupRequest, Observed, choose, losses, make_plan, refusal
from .prediction import predict
from .refusals import assumed_protocol, check, not_assumable
from .report import make_report


def observe(restate: Restate, request: CleanupRequest) -> Observed:
    """Return what is registered and what pends; where something may go, also whether the plan can be carried out."""
    admin = restate.admin
    check(request.service_url, request.assume_registered, check_mode=restate.check_mode)
    ask_as_most_do(restate)
    registry = Registry.read(admin)
    if request.assume_registered:
        registry = _assuming(registry, request.assume_registered, request.service_url)
    ages = _ages(admin, registry, request.min_age)
    pending = read_pending(admin, registry, within=request.drain_timeout)
    choice = choose(registry, pending, ages, request)
    subscriptions = admin.subscriptions() if losses(choice, registry).gone else ()
    if not choice.going or refusal(choice, registry, request, subscriptions, pending):
        return Observed(registry, pending, ages, subscriptions=subscriptions)
    holding = [each for each in choice.going if pending[each.id]]
    error = _why_not_now(restate, request, choice, holding)
    if error or not holding:
        return Observed(registry, pending, ages, error=error, subscriptions=subscriptions)
    offer: Offer | None = None
    began_on: dict[str, Offer] = {}
    if _migrates(request):
        offer = _offer(restate, registry, choice.kept, request)
        began_on = {each.id: offer_of(each.id, admin.deployment(each.id)) for each in holding}
    unfinished = {
        each.id: read_unfinished(admin, registry, each.id, pending, within=request.drain_timeout)
        for each in holding
        if offer or _is_read(each, pending, request)
    }
    paused = OpenActions.of(restate).paused() if offer and _is_any_paused(unfinished) else set()
    cancellations = {}
    if request.force_drain and request.pending == "cancel":
        cancellations = {each: plan_cancellation(admin, registry, rows) for each, rows in unfinished.items()}
    ids = [row.id for rows in unfinished.values() for row in rows]
    return Observed(
        registry,
        pending,
        ages,
        unfinished,
        offer,
        began_on,
        paused,
        cancellations,
        called=read_called(admin, ids) if _kills(request) else {},
        subscriptions=subscriptions,
    )


def _is_read(deployment: Deployment, pending: Pending, request: CleanupRequest) -> bool:
    """Whether the plan needs to know what pends: not where it is only waited for, or where it may all end by then."""
    return not request.drain_timeout or bool(pending.lasting.get(deployment.id)) or _kills(request)


def _is_any_paused(unfinished: t.Mapping[str, t.Iterable[Invocation]]) -> bool:
    return any(row.status == "paused" for rows in unfinished.values() for row in rows)


def _migrates(request: CleanupRequest) -> bool:
    return request.force_drain and request.pending == "migrate"


def _kills(request: CleanupRequest) -> bool:
    return request.force_drain and request.pending == "kill"


def _assuming(registry: Registry, assumed: dict[str, t.Any], service_url: str) -> Registry:
    """Return the registry as it would be once the deployment that a dry run predicted is registered."""
    try:
        # Newer than all others, whatever the clock of this host says.
        newest = max((each.created for each in registry.deployments), default=_timestamps.now())
        created_at = _timestamps.write(newest + datetime.timedelta(seconds=1))
        new = Deployment(id=ASSUMED_ID, uri=service_url, created_at=created_at)
        own = _assumed_match(registry, assumed, service_url) or new
        services = [_service(each, own.id) for each in assumed["services"]]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise not_assumable(f"it cannot be read ({type(exc).__name__})") from None
    return registry.once_registered(own, services)


def _assumed_match(registry: Registry, assumed: dict[str, t.Any], service_url: str) -> Deployment | None:
    """Return the registered deployment that would be overwritten, or None for a new one."""
    at_url = [each for each in registry.all_at(service_url) if each.id not in assumed.get("beside", ())]
    active = [each for each in at_url if registry.latest_at(each.id)]
    return next(iter(active or at_url), None)


def _service(told: dict[str, t.Any], deployment_id: str) -> Service:
    handlers = tuple(Handler(name=each["name"], ty=each["type"]) for each in told["handlers"])
    return Service(
        name=told["name"], ty=told["type"], handlers=handlers, deployment_id=deployment_id, revision=0
    )


def _ages(admin: AdminClient, registry: Registry, min_age: float) -> dict[str, float]:
    """Return how old each deployment is, by the clock of the server; without a `min_age`, old enough."""
    if not min_age:
        return dict.fromkeys(registry.ids, math.inf)
    now = admin.now()
    return {each.id: (now - each.created).total_seconds() for each in registry.deployments}


def _why_not_now(
    restate: Restate, request: CleanupRequest, choice: Choice, holding: list[Deployment]
) -> OperatorError | None:
    """Return what else forbids the plan: a server too old for it, or a kept deployment that does not answer."""
    admin = restate.admin
    if holding and _migrates(request) and not admin.capabilities.can_pause:
        return OperatorError(
            "RESTATE_UNSUPPORTED",
            f"pending: migrate needs Restate 1.6; this server is {admin.version.version}. Nothing was touched.",
            remedy="Let it drain (force_drain: false), upgrade Restate, or choose pending: cancel, kill or abandon.",
        )
    kept = choice.kept
    if kept.id == ASSUMED_ID:
        return None
    try:
        admin.discover(as_registered(kept, admin.capabilities))
    except OperatorError as exc:
        if exc.code not in OF_THE_SERVICE:
            raise
        return OperatorError(
            "RESTATE_SERVICE_UNREACHABLE",
            f"{kept.shown_url}, which would be kept, does not answer discovery, so nothing was removed: {exc.message}",
            deployment_ids=[kept.id],
            http=exc.http,
        )
    return None


def _offer(restate: Restate, registry: Registry, kept: Deployment, request: CleanupRequest) -> Offer:
    """Return what the kept deployment offers, by its own revision of each service."""
    if request.assume_registered:
        services = {name: each for name, each in registry.latest.items() if each.deployment_id == kept.id}
        return Offer(kept.shown_url, services, *assumed_protocol(request.assume_registered))
    return offer_of(kept.shown_url, restate.admin.deployment(kept.id))


BACKEND = Backend(
    request=CleanupRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=lambda restate, plan, journal: Drain(restate, plan, journal).run(),
    report=make_report,
    subjects=subjects,
)
