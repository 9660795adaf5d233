# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor tells: a pure function of what was observed and found."""

from __future__ import annotations

import math
import typing as t

from ... import _timestamps
from ..._restate.rows import Invocation, JournalEvent
from ..deployments.pending import count_pending, state_of
from ..deployments.registry import Registry
from ..journal import Journal
from ..report import Report
from .components import (
    FAILURE_TEXT,
    RECENT_FAILURES,
    Component,
    Components,
    Invocations,
    Observed,
    registry_of,
)
from .findings import is_healthy
from .plan import Diagnosis
from .verdict import gate, sentence


def make_report(diagnosis: Diagnosis, _journal: Journal) -> Report:
    """Return the five components, the findings, and whether the server is healthy."""
    observed = diagnosis.observed
    components, findings = observed.components, diagnosis.findings
    healthy = is_healthy(components, findings)
    return Report(
        message=sentence(
            components["admin"].value, findings, healthy=healthy, unasked=_unasked(diagnosis.probes_services)
        ),
        subject=observed.admin_url,
        changed=False,
        details={
            "ingress": {
                **_latency(components["ingress"]),
                "url": components["ingress"].value or observed.ingress_url,
                **_nodes(observed, "ingress"),
            },
            "admin": {
                **_admin(components["admin"]),
                "url": observed.admin_url,
                **_nodes(observed, "admin"),
            },
            "deployments": _deployments(components),
            "services": _services(components["services"]),
            "invocations": _invocations(components["invocations"]),
            "findings": [finding.to_result() for finding in findings],
            "healthy": healthy,
        },
        error=gate(diagnosis.fail_on, components, findings),
        is_write=False,
    )


def _unasked(probes_services: bool) -> str:
    return "" if probes_services else "Services were not asked whether they answer (probe_services)."


def _nodes(observed: Observed, component: str) -> dict[str, t.Any]:
    """Return what each of several nodes answered; of one alone, the component says it."""
    nodes = observed.nodes.get(component)
    return {"nodes": [node.to_result() for node in nodes]} if nodes else {}


def _latency(component: Component) -> dict[str, t.Any]:
    return component.to_result({"latency_ms": component.latency_ms})


def _admin(component: Component) -> dict[str, t.Any]:
    version = component.value.version if component.value else None
    return component.to_result({"latency_ms": component.latency_ms, "version": version})


def _services(component: Component) -> dict[str, t.Any]:
    items = [
        {
            "name": service.name,
            "revision": service.revision,
            "type": service.ty,
            "deployment_id": service.deployment_id,
        }
        for service in sorted(component.value or (), key=lambda service: service.name)
    ]
    return component.to_result({"items": items})


def _deployments(components: Components) -> dict[str, t.Any]:
    component = components["deployments"]
    registry = registry_of(components)
    pending = _pending(components, registry)
    items = []
    for deployment in sorted(
        component.value or (), key=lambda deployment: (deployment.created, deployment.id)
    ):
        item: dict[str, t.Any] = {
            "id": deployment.id,
            "service_url": deployment.shown_url,
            "created_at": deployment.created_at,
            "services": [
                vars(service) for service in sorted(deployment.services, key=lambda service: service.name)
            ],
        }
        if registry and pending:
            item["state"] = state_of(registry, deployment.id, pending[deployment.id])
            item["pending_invocations"] = pending[deployment.id]
        items.append(item)
    return component.to_result({"items": items})


def _pending(components: Components, registry: Registry | None) -> dict[str, int] | None:
    invocations = components["invocations"]
    if registry is None or invocations.error:
        return None
    return count_pending(registry, invocations.value.pending)


def _invocations(component: Component) -> dict[str, t.Any]:
    if component.error:
        return component.to_result({})
    seen: Invocations = component.value
    return component.to_result(
        {
            "by_status": _sums((row.status, row.n) for row in seen.by_place),
            "by_activity": _sums((row.status, row.n) for row in seen.unfinished),
            "recent_failures": _recent_failures(seen),
        }
    )


def _sums(counts: t.Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for status, number in counts:
        sums[status] = sums.get(status, 0) + number
    return dict(sorted(sums.items()))


def _recent_failures(seen: Invocations) -> list[dict[str, t.Any]]:
    events = {event.id: event for event in seen.events}
    failures = [_failure(row, "terminal", row.completion_failure, row.completed_at) for row in seen.failed]
    failures += [_unsettled(row, events.get(row.id)) for row in seen.unsettled]
    failures.sort(key=_recency)
    return failures[:RECENT_FAILURES]


def _recency(failure: t.Mapping[str, t.Any]) -> tuple[float, str]:
    """Put the last one first, by time and not by text, and what has no time at the end."""
    failed_at = failure["failed_at"]
    return (-_timestamps.parse(failed_at).timestamp() if failed_at else math.inf), failure["id"]


def _unsettled(row: Invocation, event: JournalEvent | None) -> dict[str, t.Any]:
    kind = "paused" if row.status == "paused" else "retrying"
    if row.last_failure is not None:
        return _failure(row, kind, row.last_failure, row.last_start_at)
    if event is None:
        return _failure(row, kind, None, row.modified_at)
    failure = event.failure
    text = f"[{failure.code}] {failure.message}" if failure.message else None
    return _failure(row, kind, text, event.appended_at)


def _failure(row: Invocation, kind: str, text: str | None, failed_at: str | None) -> dict[str, t.Any]:
    first_line = (text or "").strip().split("\n")[0][:FAILURE_TEXT]
    return {
        "id": row.id,
        "target": row.target,
        "service_name": row.target_service_name,
        "service_key": row.target_service_key,
        "kind": kind,
        "failure": first_line or None,
        "failed_at": failed_at,
        "deployment_id": row.pinned_deployment_id,
    }
