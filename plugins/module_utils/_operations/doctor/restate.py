# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what is wrong with a Restate server. Only reads, in check mode and out of it."""

from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import Deployment
from ..deployments.registration import as_registered
from ..deployments.registry import Pending, Registry, count_pending, state_of
from ..report import Report
from .components import FAILURE_TEXT, LONG_RETRYING, RECENT_FAILURES, SAMPLE, Invocations, Probe, registry_of
from .plan import diagnose, gate, sentence


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """What the operator asked."""

    fail_on: list[str]
    probe_services: bool


def doctor(restate: Restate, request: DoctorRequest) -> Report:
    """Return the five components, the findings, and whether the server is healthy."""
    admin, ingress = restate.admin, restate.ingress
    with ThreadPoolExecutor(max_workers=16) as pool:
        version = pool.submit(_probe, lambda: admin.version)
        ingress_probe = pool.submit(_probe, lambda: ingress.health(_advertised(version)))
        deployments = pool.submit(_probe, admin.deployments)
        services = pool.submit(_probe, admin.services)
        invocations = _probe(lambda: _read_invocations(admin, pool, version))
        probes = {
            "admin": version.result(),
            "ingress": ingress_probe.result(),
            "deployments": deployments.result(),
            "services": services.result(),
            "invocations": invocations,
        }
        silent = {}
        if request.probe_services and not deployments.result().error and not services.result().error:
            silent = _silent_deployments(admin, pool, registry_of(probes))
    findings = diagnose(probes, silent, admin_url=admin.connection.shown_url, ingress_url=ingress.shown_url)
    details = _details(probes, restate)
    details["findings"] = [finding.as_dict() for finding in findings]
    details["healthy"] = all(probe.status == "ok" for probe in probes.values()) and not any(
        finding.severity == "critical" for finding in findings
    )
    return Report(
        msg=sentence(probes, findings, healthy=details["healthy"]),
        subject=admin.connection.shown_url,
        details=details,
        error=gate(request.fail_on, probes, findings),
    )


# Observe


def _probe(read: t.Callable[[], t.Any]) -> Probe:
    started = time.monotonic()
    try:
        value = read()
    except OperatorError as exc:
        return Probe(error=exc)
    return Probe(value=value, latency_ms=round((time.monotonic() - started) * 1000))


def _advertised(version: Future[Probe]) -> t.Callable[[], str | None]:
    def read() -> str | None:
        probe = version.result()
        return probe.value.ingress_endpoint if probe.value else None

    return read


def _read_invocations(admin: AdminClient, pool: ThreadPoolExecutor, version: Future[Probe]) -> Invocations:
    # The version decides on the questions. It was asked already, and is not asked again where that failed.
    if error := version.result().error:
        raise error
    sql = admin.sql
    questions = {
        "by_place": sql.invocations_by_place(),
        "unfinished": sql.unfinished_by_activity(retries=LONG_RETRYING),
        "pinned": sql.pinned(),
        "unpinned": sql.unpinned(),
        "terminal": sql.latest_terminal_failures(limit=RECENT_FAILURES),
        "stuck": sql.latest_stuck(limit=RECENT_FAILURES),
        "zombies": sql.zombies(limit=SAMPLE),
    }
    futures = {name: pool.submit(admin.query, question) for name, question in questions.items()}
    answers = {name: future.result() for name, future in futures.items()}
    # The journal's events exist from 1.5 on.
    ids = [row["id"] for row in answers["stuck"] if "last_failure" not in row]
    answers["events"] = admin.query(sql.last_events(ids)) if ids and admin.version.at_least(1, 5) else []
    return Invocations(**answers)


def _silent_deployments(
    admin: AdminClient, pool: ThreadPoolExecutor, registry: Registry
) -> dict[str, OperatorError]:
    """Return, by deployment id, why those that are the latest for a service do not answer discovery."""

    def ask(deployment: Deployment) -> OperatorError | None:
        try:
            admin.discover(as_registered(deployment, admin.version))
        except OperatorError as exc:
            return exc
        return None

    asked = {
        deployment.id: pool.submit(ask, deployment)
        for deployment in registry.deployments
        if deployment.uri and registry.latest_at(deployment.id)
    }
    answers = {deployment_id: future.result() for deployment_id, future in asked.items()}
    return {deployment_id: error for deployment_id, error in answers.items() if error}


# Show


def _details(probes: dict[str, Probe], restate: Restate) -> dict[str, t.Any]:
    version = probes["admin"].value
    return {
        "ingress": {
            **probes["ingress"].shown(latency_ms=probes["ingress"].latency_ms),
            "url": probes["ingress"].value or restate.ingress.shown_url,
        },
        "admin": {
            **probes["admin"].shown(
                latency_ms=probes["admin"].latency_ms, version=version.version if version else None
            ),
            "url": restate.admin.connection.shown_url,
        },
        "deployments": _deployments(probes),
        "services": probes["services"].shown(
            items=[
                {
                    "name": service.name,
                    "revision": service.revision,
                    "type": service.ty,
                    "deployment_id": service.deployment_id,
                }
                for service in sorted(probes["services"].value or (), key=lambda service: service.name)
            ]
        ),
        "invocations": _invocations(probes["invocations"]),
    }


def _deployments(probes: dict[str, Probe]) -> dict[str, t.Any]:
    probe = probes["deployments"]
    if probe.error:
        return probe.shown()
    pending: dict[str, Pending] | None = None
    registry = None if probes["services"].error else registry_of(probes)
    if registry and not probes["invocations"].error:
        seen = probes["invocations"].value
        pending = count_pending(registry, seen.pinned, seen.unpinned)
    items = []
    for deployment in sorted(probe.value, key=lambda deployment: deployment.created):
        item: dict[str, t.Any] = {
            "id": deployment.id,
            "service_url": deployment.shown_url,
            "created_at": deployment.created_at,
            "services": [
                vars(service) for service in sorted(deployment.services, key=lambda service: service.name)
            ],
        }
        if registry and pending is not None:
            item["state"] = state_of(registry, deployment.id, pending[deployment.id])
            item["pending_invocations"] = pending[deployment.id].total
        items.append(item)
    return probe.shown(items=items)


def _invocations(probe: Probe) -> dict[str, t.Any]:
    if probe.error:
        return probe.shown()
    seen: Invocations = probe.value
    return probe.shown(
        by_status=_sums(seen.by_place, "status"),
        by_activity=_sums(seen.unfinished, "status"),
        recent_failures=_recent_failures(seen),
    )


def _sums(rows: list[dict[str, t.Any]], column: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        sums[row[column]] = sums.get(row[column], 0) + row["n"]
    return dict(sorted(sums.items()))


def _recent_failures(seen: Invocations) -> list[dict[str, t.Any]]:
    why = {row["id"]: row for row in seen.events}
    failures = [
        _failure(row, "terminal", row.get("completion_failure"), row.get("completed_at"))
        for row in seen.terminal
    ]
    for row in seen.stuck:
        kind = "paused" if row["status"] == "paused" else "retrying"
        event = why.get(row["id"])
        if "last_failure" in row:
            failures.append(_failure(row, kind, row["last_failure"], row.get("last_start_at")))
        elif event:
            failures.append(_failure(row, kind, _event_text(event["event_json"]), event["appended_at"]))
        else:
            failures.append(_failure(row, kind, None, row["modified_at"]))
    failures.sort(key=lambda failure: failure["failed_at"] or "", reverse=True)
    return failures[:RECENT_FAILURES]


def _event_text(event_json: str) -> str | None:
    event = json.loads(event_json)
    failure = event.get("last_failure") or event
    message = failure.get("error_message")
    code = failure.get("restate_doc_error_code") or failure.get("error_code")
    return f"[{code}] {message}" if message else None


def _failure(row: dict[str, t.Any], kind: str, text: str | None, failed_at: str | None) -> dict[str, t.Any]:
    first_line = (text or "").strip().split("\n")[0][:FAILURE_TEXT]
    return {
        "id": row["id"],
        "target": row["target"],
        "service_name": row["target_service_name"],
        "service_key": row.get("target_service_key"),
        "kind": kind,
        "failure": first_line or None,
        "failed_at": failed_at,
        "deployment_id": row.get("pinned_deployment_id"),
    }
