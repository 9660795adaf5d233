# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what is wrong with a Restate server, as far as DALP's doctor tells. Only reads."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import MOST_FAILURES, Health, Invocations, Told, key_of
from ..._restate.wire import Version, parsed_version
from ..deployments.listed import oldest_first
from ..journal import Journal
from ..operation import Backend
from ..report import count
from .components import COMPONENTS, Component, Observed
from .dalp_report import make_report
from .findings import Finding, gravest_first, of_components, of_nothing, of_version
from .plan import Diagnosis, nothing_to_do


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """What the operator asked."""

    fail_on: list[str]


def observe(dalp: DalpClient, _request: DoctorRequest) -> Observed:
    """Return what DALP's doctor tells of each component."""
    health = dalp.doctor()
    components = {name: _component(health, name) for name in COMPONENTS}
    return Observed(components, dalp.shown_url, dalp.shown_url)


def _component(health: Health, name: str) -> Component:
    told: Told[t.Any] = health.told(name)
    latency_ms: t.Any = getattr(told.value, "latency_ms", None)
    if not isinstance(latency_ms, (int, float)) or not math.isfinite(latency_ms):
        return Component(told.value, told.error)
    return Component(told.value, told.error, round(latency_ms))


def make_plan(observed: Observed, request: DoctorRequest) -> Diagnosis:
    """Return the findings."""
    return Diagnosis(request.fail_on, observed, findings=tuple(gravest_first(_diagnose(observed))))


def version_of(observed: Observed) -> Version | None:
    """Return Restate's version, where it was told and is one."""
    admin = observed.components["admin"]
    return parsed_version(admin.value.version) if admin.value and not admin.error else None


def _diagnose(observed: Observed) -> t.Iterator[Finding]:
    components = observed.components
    yield from of_components(components, observed.admin_url, observed.ingress_url, ingress_remedy=None)
    yield from of_version(version_of(observed))
    deployments, invocations = components["deployments"], components["invocations"]
    if not deployments.error and len(deployments.value.items) > 1:
        yield Finding(
            code="SEVERAL_DEPLOYMENTS",
            severity="info",
            component="deployments",
            message=f"{count(len(deployments.value.items), 'deployment')} are registered; DALP does not tell which of "
            "them still have work.",
            subjects=[deployment.id for deployment in oldest_first(deployments.value.items)],
            remedy="Keep the release, and have DALP remove the others: dalp.restate.cleanup with restate_backend=dalp "
            "and restate_service_url.",
        )
    services = components["services"]
    if not deployments.error and not services.error:
        yield from of_nothing(deployments.value.items, services.value.items)
    if not invocations.error:
        yield from _of_invocations(invocations.value)


def _of_invocations(invocations: Invocations) -> t.Iterator[Finding]:
    paused = invocations.by_status.get("paused", 0)
    if paused:
        yield Finding(
            code="PAUSED_INVOCATIONS",
            severity="warning",
            component="invocations",
            message=f"{count(paused, 'invocation')} paused: out of retries, or paused by hand.",
            remedy="DALP has no route that resumes them: run dalp.restate.resume with backend: restate, from where the "
            "admin API can be reached.",
        )
    failures = invocations.recent_failures
    if failures:
        keys = [names for failure in failures if (names := key_of(failure))]
        yield Finding(
            code="RECENT_FAILURES",
            severity="warning",
            component="invocations",
            message=f"{count(len(failures), 'recent failure')}; DALP shows {MOST_FAILURES} at most.",
            subjects=[f"{name}/{key}" for name, key in dict.fromkeys(keys)],
            # Which of them are workflows is not told; of a virtual object the route would erase the state.
            remedy="Give each that is a workflow a fresh start, and never a virtual object, whose state this would "
            "erase: dalp.restate.recover_workflow with restate_backend=dalp, restate_service_name and "
            "restate_service_key.",
        )


def only_reads(_dalp: DalpClient, _diagnosis: Diagnosis, _journal: Journal) -> None:
    """Do nothing: the doctor has seen all that it shows."""


BACKEND = Backend(
    request=DoctorRequest,
    observe=observe,
    plan=make_plan,
    predict=nothing_to_do,
    apply=only_reads,
    report=make_report,
)
