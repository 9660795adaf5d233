# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what is wrong with a Restate server, as far as DALP's doctor tells. Only reads."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import MOST_FAILURES, Invocations, key_of
from ..._errors import OperatorError
from ..._restate.wire import parsed_version
from ..deployments.dalp_registry import oldest_first
from ..report import Report, count
from .components import FAILURE_TEXT, Probe
from .plan import Finding, gate, gravest_first, of_components, of_version, runbook, sentence

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """What the operator asked."""

    fail_on: list[str]


def doctor(dalp: DalpClient, request: DoctorRequest) -> Report:
    """Return the five components, what is to be said of them, and whether the server is healthy."""
    health = dalp.doctor()
    probes = {
        "admin": _probe(lambda: health.admin),
        "ingress": _probe(lambda: health.ingress),
        "deployments": _probe(lambda: health.deployments),
        "services": _probe(lambda: health.services),
        "invocations": _probe(lambda: health.invocations),
    }
    findings = gravest_first(_diagnose(probes, dalp.shown_url))
    details: dict[str, t.Any] = {name: _shown(name, probe) for name, probe in probes.items()}
    details["findings"] = [finding.as_dict() for finding in findings]
    details["healthy"] = all(probe.status == "ok" for probe in probes.values()) and not any(
        finding.severity == "critical" for finding in findings
    )
    return Report(
        msg=sentence(_with_version(probes), findings, healthy=details["healthy"]),
        subject=dalp.shown_url,
        details=details,
        error=gate(request.fail_on, probes, findings),
    )


def _probe(read: t.Callable[[], t.Any]) -> Probe:
    try:
        value = read()
    except OperatorError as exc:
        return Probe(error=exc)
    latency_ms = getattr(value, "latency_ms", None)
    if not isinstance(latency_ms, (int, float)) or not math.isfinite(latency_ms):
        return Probe(value=value)
    return Probe(value=value, latency_ms=round(latency_ms))


# Diagnose


def _diagnose(probes: dict[str, Probe], dalp_url: str) -> t.Iterator[Finding]:
    yield from of_components(probes, dalp_url, dalp_url, ingress_remedy=None)
    yield from of_version(_with_version(probes)["admin"])
    deployments, invocations = probes["deployments"], probes["invocations"]
    if not deployments.error and len(deployments.value.items) > 1:
        yield Finding(
            code="SEVERAL_DEPLOYMENTS",
            severity="info",
            component="deployments",
            message=f"{count(len(deployments.value.items), 'deployment')} are registered; DALP does not tell which of "
            "them still have work.",
            subjects=[deployment.id for deployment in deployments.value.items],
            remedy=_through_dalp("cleanup", restate_service_url="URL-OF-THE-RELEASE"),
        )
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
            remedy="Where it is a workflow, and never for a virtual object, whose state this would erase: "
            + _through_dalp("recover_workflow", restate_service_name="WORKFLOW", restate_service_key="KEY"),
        )


def _through_dalp(playbook: str, **variables: str) -> str:
    return runbook(playbook, restate_backend="dalp", **variables)


# Show


def _shown(name: str, probe: Probe) -> dict[str, t.Any]:
    if probe.error:
        return probe.shown()
    value = probe.value
    if name == "ingress":
        return probe.shown(latency_ms=probe.latency_ms)
    if name == "admin":
        return probe.shown(latency_ms=probe.latency_ms, version=value.version)
    if name == "deployments":
        items = [
            {"id": each.id, "service_url": each.shown_url, "created_at": each.created_at}
            for each in oldest_first(value.items)
        ]
        return probe.shown(items=items)
    if name == "services":
        return probe.shown(
            items=[
                {"name": each.name, "revision": each.revision}
                for each in sorted(value.items, key=lambda each: each.name)
            ]
        )
    told = {} if value.failures is None else {"recent_failures": [_failure(each) for each in value.failures]}
    return probe.shown(by_status=value.by_status, **told)


def _failure(told: t.Any) -> dict[str, t.Any]:
    """Return a failure under the names that results have; which there are is not documented.

    What is no text or number is left out, and texts are cut as the direct backend cuts them.
    """
    if not isinstance(told, dict):
        return {"failure": str(told)[:FAILURE_TEXT]}
    return {
        _CAPITAL.sub(r"_\1", str(name)).lower(): value[:FAILURE_TEXT] if isinstance(value, str) else value
        for name, value in told.items()
        if value is None or isinstance(value, (str, int, float))
    }


def _with_version(probes: dict[str, Probe]) -> dict[str, Probe]:
    """Return the probes with Restate's version as that of the admin, or with none that could be read."""
    told = probes["admin"].value.version if probes["admin"].value else None
    return {**probes, "admin": Probe(value=parsed_version(told), error=probes["admin"].error)}
