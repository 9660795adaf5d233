# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployments may go. Pure: nothing here calls a server."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.wire import Deployment
from .. import durations
from ..deployments.registry import Pending, Registry
from ..report import count

ASSUMED_ID = "dp_assumed"
"""Stands in a dry run for the id of a deployment that is not registered yet."""


@dataclass(frozen=True, kw_only=True)
class CleanupRequest:
    """What the operator asked. O(drain_timeout) is in seconds; O(min_age) is a duration like V(2h)."""

    service_url: str
    force_drain: bool
    drain_timeout: int
    pending: str = "migrate"
    migrate_paused: bool = False
    remove: str
    allow_service_removal: bool = False
    keep: list[str]
    min_age: str | None = None
    max_removed: int
    assume_registered: dict[str, t.Any] | None = None


@dataclass(frozen=True)
class Observed:
    """What is registered, what pends where, and how old deployments are (seconds by id)."""

    registry: Registry
    pending: dict[str, Pending]
    ages: dict[str, float]


@dataclass
class Plan:
    """Which deployment is kept, which are to go (the oldest first), and which others stay and why."""

    kept: Deployment
    candidates: list[Deployment] = field(default_factory=list)
    remaining: list[dict[str, t.Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: OperatorError | None = None


def make_plan(observed: Observed, request: CleanupRequest) -> Plan:
    """Return what is kept, what may go and what stays; or why the whole plan is refused."""
    registry = observed.registry
    kept = registry.at(request.service_url)
    if kept is None:
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"No registered deployment is at {urls.without_secrets(request.service_url)}; nothing was touched.",
        )
    listed = _listed(registry, request.keep)
    min_age = durations.seconds("min_age", request.min_age) if request.min_age else 0
    plan = Plan(kept)
    for deployment in sorted(registry.deployments, key=lambda deployment: deployment.created):
        if deployment.id == kept.id:
            continue
        reason = None
        if deployment.id in listed:
            reason = "keep"
        elif deployment.uri is None:
            reason = "lambda"
        elif request.remove == "superseded" and registry.latest_at(deployment.id):
            reason = "latest"
        elif observed.ages[deployment.id] < min_age:
            reason = "min_age"
        if reason:
            plan.remaining.append(left(deployment, reason))
        else:
            plan.candidates.append(deployment)
    if any(entry["reason"] == "lambda" for entry in plan.remaining):
        plan.warnings.append("Deployments on AWS Lambda are not supported and were left as they are.")
    plan.error = _refusal(registry, plan, request)
    return plan


def _listed(registry: Registry, keep: list[str]) -> set[str]:
    ids = set()
    for entry in keep:
        matches = {
            deployment.id
            for deployment in registry.deployments
            if deployment.id == entry or ("://" in entry and deployment.is_at(entry))
        }
        if not matches:
            raise OperatorError(
                "RESTATE_DEPLOYMENT_NOT_FOUND",
                f"keep names {urls.without_secrets(entry)!r}, which is no registered deployment; nothing was touched.",
                remedy="Correct the entry or take it off the list: a typo here would cost the deployment it means.",
            )
        ids |= matches
    return ids


def _refusal(registry: Registry, plan: Plan, request: CleanupRequest) -> OperatorError | None:
    going = {deployment.id for deployment in plan.candidates}
    serving: dict[str, set[str]] = {}
    for deployment in registry.deployments:
        for service in deployment.services:
            serving.setdefault(service.name, set()).add(deployment.id)
    latest_going = {
        name: service for name, service in registry.latest.items() if service.deployment_id in going
    }
    returning = sorted(name for name in latest_going if serving.get(name, set()) - going)
    gone = sorted(set(latest_going) - set(returning))
    if returning or (gone and not request.allow_service_removal):
        names = returning or gone
        ids = sorted({latest_going[name].deployment_id for name in names})
        what = (
            f"would bring back an older revision of {', '.join(names)}"
            if returning
            else f"would remove {', '.join(names)} altogether"
        )
        return OperatorError(
            "RESTATE_SERVICE_REMOVAL_REFUSED",
            f"Removing {', '.join(ids)} {what}; nothing was touched.",
            remedy="Register the release first (restate_redeploy): service_url is not the latest of these services."
            if returning
            else "Use remove: superseded, list what stays under keep, or set allow_service_removal to true.",
            reason="older_revision_returns" if returning else "service_removed",
            deployment_ids=ids,
        )
    if len(plan.candidates) > request.max_removed:
        return OperatorError(
            "RESTATE_SERVICE_REMOVAL_REFUSED",
            f"{count(len(plan.candidates), 'deployment')} would be removed, more than max_removed "
            f"({request.max_removed}); nothing was touched.",
            remedy="Check that service_url is right; then raise max_removed, or narrow with keep, min_age or remove.",
            reason="max_removed",
            deployment_ids=[deployment.id for deployment in plan.candidates],
        )
    return None


def left(deployment: Deployment, reason: str, **more: t.Any) -> dict[str, t.Any]:
    """Return an entry of RV(remaining)."""
    return {"deployment_id": deployment.id, "service_url": deployment.shown_url, "reason": reason, **more}
