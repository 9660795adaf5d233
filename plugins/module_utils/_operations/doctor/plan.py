# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor's observations mean to an operator. Pure: nothing here calls a server."""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.wire import Deployment, Service
from ..deployments.registry import Registry, count_pending, state_of
from ..report import count
from .components import COMPONENTS, LONG_RETRYING, SAMPLE, Invocations, Probe, registry_of

_PLAIN = re.compile(r"[A-Za-z0-9_.,/:-]+")

_INGRESS_REMEDY = (
    "Check that ingress_url (or what the result shows as ingress.url) is right and reachable from here."
)

TESTED_VERSIONS = ((1, 5), (1, 6), (1, 7))


@dataclass
class Finding:
    """Something that an operator should know, and what to do about it."""

    code: str
    severity: str
    component: str
    message: str
    subjects: list[str] = field(default_factory=list)
    remedy: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


def diagnose(
    probes: dict[str, Probe], silent: dict[str, OperatorError], *, admin_url: str, ingress_url: str
) -> list[Finding]:
    """Return the findings, the gravest first."""
    findings = [*of_components(probes, admin_url, ingress_url), *of_version(probes["admin"])]
    if not probes["deployments"].error and not probes["services"].error:
        registry = registry_of(probes)
        findings += _of_services(registry, silent)
        if not probes["invocations"].error:
            findings += _of_deployments(registry, probes["invocations"].value)
    if not probes["invocations"].error:
        services = {service.name: service for service in probes["services"].value or ()}
        findings += _of_invocations(probes["invocations"].value, services)
    return gravest_first(findings)


def gravest_first(findings: t.Iterable[Finding]) -> list[Finding]:
    """Return them in the order in which they should be read."""
    rank = {"critical": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: rank[finding.severity])


def of_components(
    probes: dict[str, Probe],
    admin_url: str,
    ingress_url: str,
    *,
    ingress_remedy: str | None = _INGRESS_REMEDY,
) -> t.Iterator[Finding]:
    """Yield what is wrong with the components themselves."""
    for name, probe in probes.items():
        if probe.error is None:
            continue
        if name not in ("admin", "ingress") and probes["admin"].status == "unreachable":
            # It says nothing that the admin's finding does not.
            continue
        is_down = probe.status == "unreachable" and name in ("admin", "ingress")
        yield Finding(
            code=f"{name.upper()}_{probe.status.upper()}",
            severity="critical" if is_down else "warning",
            component=name,
            message=probe.error.message,
            subjects=[ingress_url if name == "ingress" else admin_url],
            remedy=(is_down and name == "ingress" and ingress_remedy) or probe.error.remedy,
        )


def of_version(admin: Probe) -> t.Iterator[Finding]:
    """Yield that the version is not one that is tested, where that is so."""
    if admin.value and admin.value.numbers[:2] not in TESTED_VERSIONS:
        tested = ", ".join(f"{major}.{minor}" for major, minor in TESTED_VERSIONS)
        yield Finding(
            code="UNTESTED_VERSION",
            severity="info",
            component="admin",
            message=f"Restate {admin.value.version} is outside what this collection is tested with ({tested}).",
            subjects=[admin.value.version],
            remedy="Dry-run every task with --check --diff first, and look for a newer release of dalp.restate.",
        )


def _of_services(registry: Registry, silent: dict[str, OperatorError]) -> t.Iterator[Finding]:
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
            remedy=error.remedy,
        )


def _of_deployments(registry: Registry, invocations: Invocations) -> t.Iterator[Finding]:
    pending = count_pending(registry, invocations.pinned, invocations.unpinned)
    states: dict[str, list[Deployment]] = {"active": [], "draining": [], "drained": []}
    for deployment in registry.deployments:
        states[state_of(registry, deployment.id, pending[deployment.id])].append(deployment)
    kept = registry.newest_active
    remedy = runbook(
        "cleanup",
        restate_service_url=kept.shown_url if kept else "URL-OF-THE-RELEASE",
        restate_remove="superseded",
    )
    if states["draining"]:
        number = sum(pending[deployment.id].total for deployment in states["draining"])
        yield Finding(
            code="STALE_DEPLOYMENTS",
            severity="warning",
            component="deployments",
            message=f"{count(len(states['draining']), 'superseded deployment')} still held by "
            f"{count(number, 'pending invocation')}.",
            subjects=[deployment.id for deployment in states["draining"]],
            remedy=remedy,
        )
    if states["drained"]:
        yield Finding(
            code="DRAINED_DEPLOYMENTS",
            severity="info",
            component="deployments",
            message=f"{count(len(states['drained']), 'drained deployment')} can be removed.",
            subjects=[deployment.id for deployment in states["drained"]],
            remedy=remedy,
        )


def _of_invocations(invocations: Invocations, services: dict[str, Service]) -> t.Iterator[Finding]:
    if invocations.zombies:
        number = f"{count(len(invocations.zombies), 'unfinished invocation')}"
        if len(invocations.zombies) == SAMPLE:
            number = f"At least {number}"
        subjects = [row["id"] for row in invocations.zombies]
        yield Finding(
            code="ZOMBIE_INVOCATIONS",
            severity="warning",
            component="invocations",
            message=f"{number} pinned to a "
            "deployment that is gone (RT0011): work that cannot go on by itself, and is not lost yet.",
            subjects=subjects,
            remedy=runbook("resume", restate_invocation_ids=",".join(subjects), restate_deployment="latest"),
        )
    paused = [row for row in invocations.stuck if row["status"] == "paused"]
    number = sum(row["n"] for row in invocations.unfinished if row["status"] == "paused")
    if number:
        yield Finding(
            code="PAUSED_INVOCATIONS",
            severity="warning",
            component="invocations",
            message=f"{count(number, 'invocation')} paused: out of retries, or paused by hand.",
            subjects=[row["id"] for row in paused],
            remedy=_clear_up("paused", paused, number),
        )
    number = sum(row["n"] for row in invocations.unfinished if row["stuck"])
    if number:
        retrying = [
            row
            for row in invocations.stuck
            if row["status"] != "paused" and row.get("retry_count", 0) >= LONG_RETRYING
        ]
        yield Finding(
            code="RETRYING_INVOCATIONS",
            severity="warning",
            component="invocations",
            message=f"{count(number, 'invocation')} retried {LONG_RETRYING} times or more.",
            subjects=[row["id"] for row in retrying],
            remedy=_clear_up("backing_off", retrying, number),
        )
    number = sum(row["n"] for row in invocations.by_place if _is_failed_run(row, services))
    if number:
        failed = [row for row in invocations.terminal if _is_failed_run(row, services)]
        yield Finding(
            code="FAILED_WORKFLOWS",
            severity="warning",
            component="invocations",
            message=f"{count(number, 'workflow run')} failed for good.",
            subjects=[f"{row['target_service_name']}/{row['target_service_key']}" for row in failed],
            remedy=_clear_up("failed", failed, number),
        )


def _is_failed_run(row: dict[str, t.Any], services: dict[str, Service]) -> bool:
    # Rows of the sample are failures by their question; rows of the counts say so.
    if row["target_service_ty"] != "workflow" or row.get("completion_result", "failure") != "failure":
        return False
    if row["status"] != "completed":
        return False
    service = services.get(row["target_service_name"])
    runs = service.run_handlers if service else frozenset({"run"})
    return row["target_handler_name"] in runs


def _clear_up(kind: str, sample: list[dict[str, t.Any]], number: int) -> str:
    """Return the runbook that clears up all of a kind, of one service where the sample is of one.

    A selection is of workflow runs; what of other services is stuck is resumed by its id.
    """
    workflows = [row for row in sample if row["target_service_ty"] == "workflow"]
    if sample and not workflows:
        return runbook("resume", restate_invocation_ids=",".join(row["id"] for row in sample))
    services = {row["target_service_name"] for row in workflows}
    only = {"restate_service_name": services.pop()} if len(services) == 1 else {}
    keep = {"restate_snapshot_dir": "/var/tmp/restate-snapshots"} if kind == "failed" else {}
    return runbook("recover_failed", **only, restate_kinds=kind, restate_limit=str(number), **keep)


def runbook(playbook: str, **variables: str) -> str:
    """Return the command, to be typed as it is; JSON only for values that key=value would split or convert."""
    if all(_PLAIN.fullmatch(value) for value in variables.values()):
        extra = "".join(f" -e {name}={value}" for name, value in variables.items())
    else:
        content = ", ".join(f"{json.dumps(name)}: {_as_yaml(value)}" for name, value in variables.items())
        extra = f" -e {shlex.quote('{' + content + '}')}"
    return f"ansible-playbook dalp.restate.{playbook} --check --diff{extra}"


def _as_yaml(value: str) -> str:
    # Whoever submits a workflow chooses its key: Ansible must not take it for a template.
    is_template = any(mark in value for mark in ("{{", "{%", "{#"))
    return ("!unsafe " if is_template else "") + json.dumps(value, ensure_ascii=False)


def gate(fail_on: list[str], probes: dict[str, Probe], findings: list[Finding]) -> OperatorError | None:
    """Return the error with which the task must fail, or None."""
    statuses = {"degraded"} if "degraded" in fail_on else set()
    if {"unreachable", "degraded"} & set(fail_on):
        statuses.add("unreachable")
    for name in COMPONENTS:
        error = probes[name].error
        if error and probes[name].status in statuses:
            return OperatorError(
                error.code,
                f"The gate fail_on={fail_on} found {name} {probes[name].status}: {error.message}",
                remedy=error.remedy,
                reason=f"{name}_{probes[name].status}",
                http=error.http,
            )
    severities = {"critical", "warning"} if "warning" in fail_on else {"critical"} & set(fail_on)
    stopping = [finding for finding in findings if finding.severity in severities]
    if stopping:
        return OperatorError(
            "RESTATE_UNHEALTHY",
            f"The gate fail_on={fail_on} found {', '.join(finding.code for finding in stopping)}. "
            f"{stopping[0].message}",
            remedy=stopping[0].remedy,
            reason=stopping[0].code.lower(),
        )
    return None


def sentence(probes: dict[str, Probe], findings: list[Finding], *, healthy: bool) -> str:
    """Return the state of the server, and the first thing to do, in one sentence."""
    version = probes["admin"].value
    name = f"Restate {version.version}" if version else "Restate"
    grave = [finding for finding in findings if finding.severity != "info"]
    if not grave:
        return f"{name} is healthy."
    head = "works, but needs attention" if healthy else "is not healthy"
    more = f" ({count(len(grave) - 1, 'more finding')})" if len(grave) > 1 else ""
    return f"{name} {head}: {grave[0].message.rstrip('.')}.{more} What to do: {grave[0].remedy}"
