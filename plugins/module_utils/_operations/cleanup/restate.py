# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove deployments that are no longer needed, and lose no work with them."""

from __future__ import annotations

import datetime
import typing as t

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import Deployment, Handler, Service
from ..deployments.registration import as_registered
from ..deployments.registry import Registry, check_service_url, read_pending
from ..report import Report
from .executor import Run
from .plan import ASSUMED_ID, CleanupRequest, Observed, Plan, make_plan


def cleanup(restate: Restate, request: CleanupRequest) -> Report:
    """Remove what O(request) allows; say what is left and why."""
    admin = restate.admin
    _check(admin, request)
    registry = _assume(Registry.read(admin), request) if request.assume_registered else Registry.read(admin)
    observed = Observed(registry, read_pending(admin, registry), _ages(registry))
    plan = make_plan(observed, request)
    report = Report(
        msg="",
        subject=urls.without_secrets(request.service_url),
        before=_described(registry.deployments),
        after=_described(registry.deployments),
        warnings=plan.warnings,
        error=plan.error,
    )
    run = Run(admin, request, plan, observed)
    if not plan.error and plan.candidates:
        report.error = _why_not_now(admin, request, plan, observed)
        if not report.error:
            run.predict() if admin.check_mode else run.carry_out()
            report.error = run.error
    report.details = run.shown(plan)
    report.warnings += run.warnings
    report.done, report.not_done = run.done, run.not_done
    report.changed = run.changed
    gone = set(run.removed)
    report.after = _described(deployment for deployment in registry.deployments if deployment.id not in gone)
    report.acknowledged = report.error is None
    report.msg = report.error.message if report.error else run.sentence()
    return report


# Observe


def _check(admin: AdminClient, request: CleanupRequest) -> None:
    check_service_url(request.service_url)
    if request.assume_registered and not admin.check_mode:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "assume_registered is for check mode: outside it a deployment must really be registered.",
        )


def _assume(registry: Registry, request: CleanupRequest) -> Registry:
    """Return the registry as it would be once the deployment that a dry run predicted is registered."""
    assumed = request.assume_registered or {}
    try:
        service_url = assumed["service_url"]
        offers = {service["name"]: service for service in assumed["services"]}
        if urls.endpoint(service_url) != urls.endpoint(request.service_url):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"assume_registered is a deployment at {urls.without_secrets(service_url)}, not at service_url.",
            )
        match = registry.at(request.service_url)
        deployment_id = match.id if match else ASSUMED_ID
        services = {
            name: Service(
                name=name,
                ty=service["type"],
                handlers=tuple(
                    Handler(name=handler["name"], ty=handler["type"]) for handler in service["handlers"]
                ),
                deployment_id=deployment_id,
                revision=0,
            )
            for name, service in offers.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "assume_registered is not the deployment that restate_redeploy returned.",
        ) from None
    deployments = registry.deployments
    if not match:
        now = datetime.datetime.now(datetime.UTC).isoformat()
        deployments += (Deployment(id=ASSUMED_ID, uri=request.service_url, created_at=now),)
    return Registry(deployments, {**registry.latest, **services})


def _ages(registry: Registry) -> dict[str, float]:
    now = datetime.datetime.now(datetime.UTC)
    return {deployment.id: (now - deployment.created).total_seconds() for deployment in registry.deployments}


def _why_not_now(
    admin: AdminClient, request: CleanupRequest, plan: Plan, observed: Observed
) -> OperatorError | None:
    """Return what else forbids the plan: a server too old for it, or a kept deployment that does not answer."""
    has_pending = any(observed.pending[deployment.id].total for deployment in plan.candidates)
    if (
        has_pending
        and request.force_drain
        and request.pending == "migrate"
        and not admin.version.at_least(1, 6)
    ):
        return OperatorError(
            "RESTATE_UNSUPPORTED",
            f"pending: migrate needs Restate 1.6; this server is {admin.version.version}. Nothing was touched.",
            remedy="Let it drain (force_drain: false), upgrade Restate, or choose pending: cancel, kill or abandon.",
        )
    if plan.kept.id == ASSUMED_ID:
        return None
    try:
        admin.discover(as_registered(plan.kept, admin.version))
    except OperatorError as exc:
        if (
            exc.code not in ("RESTATE_SERVICE_UNREACHABLE", "RESTATE_REGISTRATION_REFUSED")
            and exc.reason != "timeout"
        ):
            raise
        return OperatorError(
            "RESTATE_SERVICE_UNREACHABLE",
            f"{plan.kept.shown_url}, which would be kept, does not answer discovery, so nothing was removed: "
            f"{exc.message}",
            deployment_ids=[plan.kept.id],
            http=exc.http,
        )
    return None


def _described(deployments: t.Iterable[Deployment]) -> dict[str, t.Any]:
    return {
        "deployments": {
            deployment.id: {
                "service_url": deployment.shown_url,
                "services": sorted(service.name for service in deployment.services),
            }
            for deployment in sorted(deployments, key=lambda deployment: deployment.created)
            if deployment.id != ASSUMED_ID
        }
    }
