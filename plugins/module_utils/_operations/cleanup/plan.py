# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stays and what goes: a pure function of what is registered and what was asked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.rows import Invocation
from ..._restate.wire import Deployment, Subscription
from ..deployments.pending import Pending
from ..deployments.registry import Registry, ambiguous
from ..invocations.cancellation import CancellationPlan
from ..invocations.fit import Offer
from ..invocations.migration_plan import MigrationPlan, plan_migration
from ..operation import DURATION
from .losses import Losses, refuse_only_code
from .refusals import not_registered, too_many

ASSUMED_ID = "dp_assumed"
"""Stands in a dry run for the id of a deployment that is not registered yet."""


@dataclass(frozen=True, kw_only=True)
class CleanupRequest:
    """What the operator asked. O(drain_timeout) and O(min_age) are in seconds."""

    service_url: str
    force_drain: bool
    drain_timeout: int
    pending: str = "migrate"
    migrate_paused: bool = False
    remove: str
    allow_service_removal: bool = False
    keep: list[str]
    keep_revisions: int = 0
    min_age: int = field(default=0, metadata=DURATION)
    max_removed: int
    assume_registered: dict[str, t.Any] | None = None


@dataclass(frozen=True)
class Observed:
    """What is registered, what pends where, and how old deployments are (seconds by id).

    O(unfinished) are the invocations that pend, by deployment id, where nothing will be waited for, where some of them
    cannot end by then, or where they are to be moved. Then O(offer) is what the kept deployment offers, O(began_on)
    what those offer, by id, that work would be moved from, and O(paused_by_task) are those that an earlier task paused
    for a move. O(cancellations) tell, by deployment id, which of them receive a cancel, and O(called), by their ids,
    what a kill of them ends elsewhere. O(error) forbids the whole
    plan: the kept deployment does not answer, or the server cannot do what was asked.
    """

    registry: Registry
    pending: Pending
    ages: t.Mapping[str, float]
    unfinished: t.Mapping[str, t.Sequence[Invocation]] = field(default_factory=dict)
    offer: Offer | None = None
    began_on: t.Mapping[str, Offer] = field(default_factory=dict)
    paused_by_task: t.Container[str] = ()
    cancellations: t.Mapping[str, CancellationPlan] = field(default_factory=dict)
    called: t.Mapping[str, t.Sequence[Invocation]] = field(default_factory=dict)
    error: OperatorError | None = None
    subscriptions: tuple[Subscription, ...] = ()
    """The Kafka subscriptions, where services would be gone."""


@dataclass(frozen=True)
class Staying:
    """A deployment that is not to be removed, why, and the services that keep it, if some do."""

    deployment: Deployment
    reason: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Which deployment is kept, which may go (the oldest first), and which others stay."""

    kept: Deployment
    going: tuple[Deployment, ...]
    staying: tuple[Staying, ...]


@dataclass(frozen=True)
class Removal:
    """A deployment that is to go, once it is drained; O(at_end) is the rule for what is still pending at the end.

    That is V(stays), or how pending work is ended: V(migrate), V(cancel), V(kill) or V(abandon). O(unfinished) is
    known where nothing is waited for or some of it cannot end by then, O(migration) where what pends is to be moved,
    and O(cancellation) where it is to be cancelled. O(services) counts what pends by service, and O(called) is what a
    kill ends elsewhere.
    """

    deployment: Deployment
    pending: int
    waits: bool
    at_end: str
    unfinished: tuple[Invocation, ...] = ()
    migration: MigrationPlan | None = None
    cancellation: CancellationPlan | None = None
    services: t.Mapping[str, int] = field(default_factory=dict)
    called: tuple[Invocation, ...] = ()

    @property
    def certain(self) -> tuple[Invocation, ...]:
        """The pending invocations that are there at the end of the wait for sure, as far as nobody interferes."""
        if not self.waits:
            return self.unfinished
        return tuple(row for row in self.unfinished if row.status == "paused" or row.is_later)

    @property
    def id(self) -> str:
        """The id of the deployment."""
        return self.deployment.id

    @property
    def step(self) -> dict[str, t.Any]:
        """The step as the result shows it."""
        action = "remove"
        if self.pending:
            ends_at_once = not self.waits and self.at_end != "stays"
            action = f"{self.at_end}_then_remove" if ends_at_once else "wait_then_remove"
        step = {"action": action, "deployment_id": self.id, "service_url": self.deployment.shown_url}
        return {
            **step,
            "pending_invocations": self.pending,
            **({"conditional": True} if self.is_conditional else {}),
        }

    @property
    def is_conditional(self) -> bool:
        """Whether what becomes of it depends on whether it drains in time."""
        return self.waits and self.pending > len(self.certain)


@dataclass(frozen=True)
class Plan:
    """What is to be done; O(error) says why nothing is."""

    request: CleanupRequest
    registry: Registry
    kept: Deployment
    removals: tuple[Removal, ...]
    staying: tuple[Staying, ...]
    warnings: tuple[str, ...]
    error: OperatorError | None

    @property
    def in_order_of_ending(self) -> list[Removal]:
        """The removals in the order in which their pending work is ended.

        What is the latest can only go once the older revisions of its services are gone.
        """
        return sorted(self.removals, key=lambda each: bool(self.registry.latest_at(each.id)))

    @property
    def is_assumed(self) -> bool:
        """Whether the kept deployment is not registered yet."""
        return self.kept.id == ASSUMED_ID


def choose(
    registry: Registry, pending: Pending, ages: t.Mapping[str, float], request: CleanupRequest
) -> Choice:
    """Return what is kept, what may go and what stays; raise RESTATE_DEPLOYMENT_NOT_FOUND."""
    if request.keep_revisions < 0:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"keep_revisions is {request.keep_revisions}; it must be 0 or more."
        )
    listed = _listed(registry, request.keep)
    kept = _kept(registry, request, listed)
    going, staying = [], []
    revisions = _newest_revisions(registry, kept, request.keep_revisions)
    for deployment in sorted(registry.deployments, key=lambda each: each.created):
        if deployment.id == kept.id:
            continue
        services = {
            "latest": registry.latest_at(deployment.id),
            "not_replaced": _not_served(deployment, registry, kept, pending),
        }
        reason = _why_it_stays(deployment, listed, services, ages, request)
        if reason is None and deployment.id in revisions:
            reason = "keep_revisions"
        if reason:
            staying.append(Staying(deployment, reason, tuple(services.get(reason, ()))))
        else:
            going.append(deployment)
    return Choice(kept, tuple(going), tuple(staying))


def _kept(registry: Registry, request: CleanupRequest, listed: t.Container[str]) -> Deployment:
    """Return the deployment that service_url means: of several, the only one that is the latest of any service.

    A server with routing headers has several of one URL; those that stay besides can be listed by their ids.
    """
    at_url = registry.all_at(request.service_url)
    found = [each for each in at_url if each.id not in listed] or at_url
    found = [each for each in found if registry.latest_at(each.id)] or found
    if not found:
        raise not_registered(request.service_url)
    if len(found) > 1:
        raise ambiguous(
            found,
            request.service_url,
            remedy="The server's routing headers tell deployments of one URL apart. List under keep, by their ids, "
            "those that stay besides the one that is meant.",
        )
    return found[0]


def _not_served(deployment: Deployment, registry: Registry, kept: Deployment, pending: Pending) -> list[str]:
    """Return the services of a deployment, and of what pends on it, that the kept one does not serve now.

    A deployment that was overwritten no longer lists a service that it dropped, whose work may still be pinned to it.
    """
    names = {service.name for service in deployment.services} | pending.services.get(deployment.id, {}).keys()
    return sorted(names - set(registry.latest_at(kept.id)))


def _newest_revisions(registry: Registry, kept: Deployment, number: int) -> set[str]:
    """Return the ids of the other deployments that have the newest revisions of each service of the kept one."""
    return {
        deployment_id
        for service in registry.latest_at(kept.id)
        for deployment_id in [each for each in registry.places_of(service) if each != kept.id][:number]
    }


def _why_it_stays(
    deployment: Deployment,
    listed: t.Container[str],
    services: t.Mapping[str, list[str]],
    ages: t.Mapping[str, float],
    request: CleanupRequest,
) -> str | None:
    if deployment.id in listed:
        return "keep"
    if deployment.uri is None:
        return "lambda"
    if request.remove != "all" and services["latest"]:
        return "latest"
    if request.remove == "replaced" and services["not_replaced"]:
        return "not_replaced"
    return "min_age" if ages[deployment.id] < request.min_age else None


def _listed(registry: Registry, keep: t.Iterable[str]) -> set[str]:
    ids: set[str] = set()
    for entry in keep:
        is_url = "://" in entry
        matches = {
            each.id
            for each in registry.deployments
            if entry in (each.id, each.arn) or (is_url and each.is_at(entry))
        }
        if not matches:
            raise OperatorError(
                "RESTATE_DEPLOYMENT_NOT_FOUND",
                f"keep names {urls.without_secrets(entry)!r}, which is no registered deployment; nothing was touched.",
                remedy="Correct the entry or take it off the list: a typo here would cost the deployment it means.",
            )
        ids |= matches
    return ids


def make_plan(observed: Observed, request: CleanupRequest) -> Plan:
    """Return what is to be done, or why the whole plan is refused."""
    choice = choose(observed.registry, observed.pending, observed.ages, request)
    warnings = []
    if any(each.reason == "lambda" for each in choice.staying):
        warnings.append(
            "Deployments on AWS Lambda are not supported and were left as they are: the restate CLI removes them "
            "(restate deployments remove ID)."
        )
    return Plan(
        request=request,
        registry=observed.registry,
        kept=choice.kept,
        removals=tuple(_removal(each, observed, request) for each in choice.going),
        staying=choice.staying,
        warnings=tuple(warnings),
        error=refusal(choice, observed.registry, request, observed.subscriptions, observed.pending)
        or observed.error,
    )


def _removal(deployment: Deployment, observed: Observed, request: CleanupRequest) -> Removal:
    unfinished = tuple(observed.unfinished.get(deployment.id, ()))
    at_end = request.pending if request.force_drain else "stays"
    migration = None
    if observed.offer:
        migration = plan_migration(
            unfinished,
            observed.offer,
            began_on=observed.began_on.get(deployment.id),
            move_paused=request.migrate_paused,
            paused_by_task=observed.paused_by_task,
        )
    return Removal(
        deployment,
        pending=observed.pending[deployment.id],
        waits=request.drain_timeout > 0,
        at_end=at_end,
        unfinished=unfinished,
        migration=migration,
        cancellation=observed.cancellations.get(deployment.id),
        services=observed.pending.services.get(deployment.id, {}),
        called=tuple(each for row in unfinished for each in observed.called.get(row.id, ())),
    )


def losses(choice: Choice, registry: Registry) -> Losses:
    """Return what would be lost with what may go."""
    return Losses((each.id for each in choice.going), registry)


def refusal(
    choice: Choice,
    registry: Registry,
    request: CleanupRequest,
    subscriptions: t.Iterable[Subscription],
    pending: Pending,
) -> OperatorError | None:
    """Return why what was chosen must not be removed, or None."""
    going = [deployment.id for deployment in choice.going]
    allow_service_removal = request.allow_service_removal
    return (
        losses(choice, registry).refusal(subscriptions, allow_service_removal=allow_service_removal)
        or refuse_only_code(going, pending, allow_service_removal=allow_service_removal)
        or too_many(
            going,
            request.max_removed,
            remedy="Check that service_url is right; then raise max_removed, or narrow with keep, min_age or remove.",
        )
    )
