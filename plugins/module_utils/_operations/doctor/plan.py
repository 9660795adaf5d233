# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor's observations mean to an operator: a pure function of what was observed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.rows import Invocation, InvocationsByPlace
from ..._restate.wire import Service
from ..commands import runbook
from ..deployments.registry import Registry
from ..journal import Journal
from ..report import SAMPLE, count
from .components import LONG_RETRYING, Invocations, Observed, registry_of
from .findings import Finding, gravest_first, of_components, of_version
from .nodes import of_nodes
from .subscriptions import of_subscriptions
from .superseded import of_superseded

_LAMBDA_REMEDY = (
    "Check that the function is there and that the server's AWS credentials may invoke it; register another version "
    "with the restate CLI: restate deployments register ARN"
)


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
    findings: tuple[Finding, ...] = field(default=())
    error: OperatorError | None = None


def make_plan(observed: Observed, request: DoctorRequest) -> Diagnosis:
    """Return the findings."""
    return Diagnosis(request.fail_on, observed, tuple(diagnose(observed)))


def nothing_to_do(_plan: t.Any) -> Journal:
    """Return the journal of an operation that only reads."""
    return Journal()


def diagnose(observed: Observed) -> list[Finding]:
    """Return the findings, the gravest first."""
    components = observed.components
    findings = [
        *of_components(components, observed.admin_url, observed.ingress_url),
        *of_nodes(components, observed.nodes),
        *of_version(components["admin"].value),
    ]
    registry = registry_of(components)
    invocations = components["invocations"]
    if registry:
        findings += _of_services(registry, observed.silent)
        findings += of_subscriptions(observed.subscriptions, registry)
        if not invocations.error:
            findings += of_superseded(registry, invocations.value)
    if not invocations.error:
        services = {service.name: service for service in components["services"].value or ()}
        findings += _of_invocations(invocations.value, services)
    return gravest_first(findings)


def _of_services(registry: Registry, silent: t.Mapping[str, OperatorError]) -> t.Iterator[Finding]:
    known = {deployment.id: deployment for deployment in registry.deployments}
    for name, service in sorted(registry.latest.items()):
        if service.deployment_id not in known:
            yield Finding(
                code="SERVICE_WITHOUT_DEPLOYMENT",
                severity="critical",
                component="services",
                message=f"Service {name} is on deployment {service.deployment_id}, which is not registered.",
                subjects=[name],
                remedy=runbook("redeploy", restate_service_url="URL-OF-THE-RELEASE"),
            )
    for deployment_id, error in silent.items():
        names = registry.latest_at(deployment_id)
        yield Finding(
            code="SERVICE_UNREACHABLE",
            severity="critical",
            component="services",
            message=f"{', '.join(names)} at {known[deployment_id].shown_url} does not answer discovery: "
            f"{error.message}",
            subjects=names,
            remedy=_LAMBDA_REMEDY if known[deployment_id].uri is None else error.remedy,
        )


def _of_invocations(invocations: Invocations, services: dict[str, Service]) -> t.Iterator[Finding]:
    if invocations.zombies:
        yield _zombies(invocations.zombies)
    number = sum(row.n for row in invocations.unfinished if row.status == "paused")
    if number:
        yield _paused(number, [row for row in invocations.unsettled if row.status == "paused"])
    number = sum(row.n for row in invocations.unfinished if row.retried_often)
    if number:
        yield _retrying(number, [row for row in invocations.unsettled if _is_retried_often(row)])
    number = sum(row.n for row in invocations.by_place if _is_failed_run(row, services))
    if number:
        yield _failed(number, [row for row in invocations.failed if _is_failed_run(row, services)])


def _zombies(zombies: t.Sequence[Invocation]) -> Finding:
    number = f"{count(len(zombies), 'unfinished invocation')}"
    if len(zombies) == SAMPLE:
        number = f"At least {number}"
    subjects = [row.id for row in zombies]
    return Finding(
        code="ZOMBIE_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{number} pinned to a deployment that is gone (RT0011): work that cannot go on by itself, and is not "
        "lost yet.",
        subjects=subjects,
        remedy=runbook("resume", restate_invocation_ids=",".join(subjects), restate_deployment="latest"),
    )


def _paused(number: int, sample: t.Sequence[Invocation]) -> Finding:
    return Finding(
        code="PAUSED_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'invocation')} paused: out of retries, or paused by hand.",
        subjects=[row.id for row in sample],
        remedy=_clear_up("paused", sample, number),
    )


def _is_retried_often(row: Invocation) -> bool:
    return row.status != "paused" and (row.retry_count or 0) >= LONG_RETRYING


def _retrying(number: int, sample: t.Sequence[Invocation]) -> Finding:
    return Finding(
        code="RETRYING_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'invocation')} retried {LONG_RETRYING} times or more.",
        subjects=[row.id for row in sample],
        remedy=_clear_up("backing_off", sample, number),
    )


def _is_failed_run(row: Invocation | InvocationsByPlace, services: dict[str, Service]) -> bool:
    # Rows of the sample are failures by their question; rows of the counts say so.
    if row.target_service_ty != "workflow" or row.completion_result not in (None, "failure"):
        return False
    if row.status != "completed":
        return False
    service = services.get(row.target_service_name)
    runs = service.run_handlers if service else frozenset({"run"})
    return row.target_handler_name in runs


def _failed(number: int, sample: t.Sequence[Invocation]) -> Finding:
    return Finding(
        code="FAILED_WORKFLOWS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'workflow run')} failed for good.",
        subjects=[f"{row.target_service_name}/{row.target_service_key}" for row in sample],
        remedy=_clear_up("failed", sample, number),
    )


def _clear_up(kind: str, sample: t.Sequence[Invocation], number: int) -> str:
    """Return the runbook that clears up all of a kind, of one service where the sample is of one.

    A selection is of workflow runs; what of other services is stuck is resumed by its id.
    """
    workflows = [row for row in sample if row.target_service_ty == "workflow"]
    if sample and not workflows:
        return runbook("resume", restate_invocation_ids=",".join(row.id for row in sample))
    services = {row.target_service_name for row in workflows}
    only = {"restate_service_name": services.pop()} if len(services) == 1 else {}
    keep = {"restate_snapshot_dir": "/var/tmp/restate-snapshots"} if kind == "failed" else {}
    return runbook("recover_failed", **only, restate_kinds=kind, restate_limit=str(number), **keep)
