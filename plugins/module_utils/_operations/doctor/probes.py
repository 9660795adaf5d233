# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the answers to discovery mean: a service that is silent, other code than is registered, a probe that failed."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._restate.wire import Deployment, Registration, Service
from ..commands import runbook
from ..deployments.registration import OF_THE_SERVICE
from ..deployments.registry import Registry
from .findings import Finding

Probes = t.Mapping[str, Registration | OperatorError]


_LAMBDA_REMEDY = (
    "Check that the function is there and that the server's AWS credentials may invoke it; register another version "
    "with the restate CLI: restate deployments register ARN"
)


def of_probes(registry: Registry, probes: Probes) -> t.Iterator[Finding]:
    """Yield what the probes of services have shown."""
    failed: dict[str, OperatorError] = {}
    for deployment in registry.deployments:
        answer = probes.get(deployment.id)
        if answer is None:
            continue
        if isinstance(answer, Registration):
            yield from _drift(deployment, registry, answer)
        elif answer.code in OF_THE_SERVICE:
            yield _silent(deployment, registry.latest_at(deployment.id), answer)
        else:
            failed.setdefault(answer.code, answer)
    for error in failed.values():
        yield _failed(error)


def _silent(deployment: Deployment, names: list[str], error: OperatorError) -> Finding:
    return Finding(
        code="SERVICE_UNREACHABLE",
        severity="critical",
        component="services",
        message=f"{', '.join(names)} at {deployment.shown_url} does not answer discovery: {error.message}",
        subjects=names,
        remedy=_LAMBDA_REMEDY if deployment.uri is None else error.remedy or "",
    )


def _failed(error: OperatorError) -> Finding:
    is_forbidden = error.code == "RESTATE_PERMISSION_REQUIRED"
    permit = "Let these credentials send POST /deployments; the probe is a dry run."
    return Finding(
        code="PROBE_FAILED",
        severity="warning",
        component="services",
        message=f"Whether services answer discovery is not known: {error.message}",
        subjects=["services"],
        remedy=f"{permit if is_forbidden else error.remedy} Or do not probe: set probe_services to false.",
    )


def _drift(deployment: Deployment, registry: Registry, offer: Registration) -> t.Iterator[Finding]:
    lost, new = _lost(deployment, registry, offer), _new(deployment, registry, offer)
    if lost or new:
        yield Finding(
            code="DEPLOYMENT_DRIFT",
            severity="critical" if lost else "warning",
            component="deployments",
            message=f"{deployment.shown_url} serves other code than is registered: {'; '.join([*lost, *new])}.",
            subjects=[deployment.id],
            remedy=runbook("redeploy", restate_service_url=deployment.shown_url),
        )


def _lost(deployment: Deployment, registry: Registry, offer: Registration) -> list[str]:
    """Return what is registered and fails with what is offered."""
    offered = {service.name: service for service in offer.services}
    lost = [
        f"{service.name} is not offered any more"
        for service in deployment.services
        if service.name not in offered
    ]
    for registered, now in _both(deployment, registry, offered):
        if registered.ty != now.ty:
            lost.append(f"{now.name} is a {now.ty}, and not a {registered.ty}")
        types = now.handler_types
        for name, was in registered.handler_types.items():
            if name not in types:
                lost.append(f"{now.name}/{name} is not offered any more")
            elif types[name] != was and registered.ty == now.ty:
                lost.append(f"{now.name}/{name} is {types[name]}, and not {was}")
    return lost


def _new(deployment: Deployment, registry: Registry, offer: Registration) -> list[str]:
    """Return what is offered and not registered."""
    offered = {service.name: service for service in offer.services}
    registered = {service.name for service in deployment.services}
    new = [f"{name} is not registered" for name in sorted(offered.keys() - registered)]
    for known, now in _both(deployment, registry, offered):
        names = now.handler_types.keys() - known.handler_types.keys()
        new += [f"{now.name}/{name} is not registered" for name in sorted(names)]
    was = (deployment.min_protocol_version, deployment.max_protocol_version)
    speaks = (offer.min_protocol_version, offer.max_protocol_version)
    if None not in (*was, *speaks) and was != speaks:
        new.append(
            f"its SDK speaks versions {speaks[0]} to {speaks[1]} of the service protocol, and not {was[0]} to {was[1]}"
        )
    return new


def _both(
    deployment: Deployment, registry: Registry, offered: t.Mapping[str, Service]
) -> t.Iterator[tuple[Service, Service]]:
    """Yield each service as it is registered and as it is offered; of older revisions nothing is told."""
    for name in registry.latest_at(deployment.id):
        if name in offered:
            yield registry.latest[name], offered[name]
