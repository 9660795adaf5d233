# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor's observations mean to an operator: a pure function of what was observed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..deployments.registry import Registry
from ..journal import Journal
from .components import Observed, registry_of
from .findings import Finding, gravest_first, of_components, of_nothing, of_version
from .invocations import of_invocations, of_unserved
from .nodes import of_lists, of_nodes
from .probes import of_probes
from .subscriptions import of_subscriptions
from .superseded import of_superseded


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """What the operator asked."""

    fail_on: list[str]
    probe_services: bool


@dataclass(frozen=True)
class Diagnosis:
    """What was observed, and the findings, the gravest first. Nothing is to be done."""

    fail_on: t.Sequence[str]
    observed: Observed
    probes_services: bool = False
    findings: tuple[Finding, ...] = field(default=())
    error: OperatorError | None = None


def make_plan(observed: Observed, request: DoctorRequest) -> Diagnosis:
    """Return the findings."""
    return Diagnosis(request.fail_on, observed, request.probe_services, tuple(diagnose(observed)))


def nothing_to_do(_plan: t.Any) -> Journal:
    """Return the journal of an operation that only reads."""
    return Journal()


def diagnose(observed: Observed) -> list[Finding]:
    """Return the findings, the gravest first."""
    components = observed.components
    findings = [
        *of_components(components, observed.admin_url, observed.ingress_url),
        *of_nodes(components, observed.nodes),
        *of_lists(observed.odd_lists),
        *of_version(components["admin"].value),
    ]
    registry = registry_of(components)
    invocations = components["invocations"]
    if registry:
        findings += of_nothing(registry.deployments, tuple(registry.latest))
        findings += [*_of_services(registry), *of_probes(registry, observed.probes)]
        findings += of_subscriptions(observed.subscriptions, registry)
        if not invocations.error:
            findings += [
                *of_superseded(registry, invocations.value),
                *of_unserved(registry, invocations.value),
            ]
    if not invocations.error:
        services = {service.name: service for service in components["services"].value or ()}
        findings += of_invocations(invocations.value, services)
    return gravest_first(findings)


def _of_services(registry: Registry) -> t.Iterator[Finding]:
    known = {deployment.id: deployment for deployment in registry.deployments}
    for name, service in sorted(registry.latest.items()):
        if service.deployment_id not in known:
            yield Finding(
                code="SERVICE_WITHOUT_DEPLOYMENT",
                severity="critical",
                component="services",
                message=f"Service {name} is on deployment {service.deployment_id}, which is not registered.",
                subjects=[name],
                remedy="Register a release that serves it: dalp.restate.redeploy with its restate_service_url.",
            )
