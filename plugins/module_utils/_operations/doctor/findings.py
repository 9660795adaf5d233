# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator should know of a server, whatever it was observed through."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.versions import RELEASES
from ..._restate.wire import Version
from .components import Components

INGRESS_REMEDY = (
    "Check that ingress_url (or what the result shows as ingress.url) is right and reachable from here."
)


@dataclass(frozen=True)
class Finding:
    """Something that an operator should know, and what to do about it."""

    code: str
    severity: str
    component: str
    message: str
    subjects: list[str] = field(default_factory=list)
    remedy: str = ""

    def to_result(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


def gravest_first(findings: t.Iterable[Finding]) -> list[Finding]:
    """Return them in the order in which they should be read; those of one severity in the order in which they come.

    That depends on what was observed alone, and not on the order of the server's answers.
    """
    rank = {"critical": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: rank[finding.severity])


def is_healthy(components: Components, findings: t.Iterable[Finding]) -> bool:
    """Whether every component is ok and no finding is critical."""
    return all(component.status == "ok" for component in components.values()) and not any(
        finding.severity == "critical" for finding in findings
    )


def of_components(
    components: Components,
    admin_url: str,
    ingress_url: str,
    *,
    ingress_remedy: str | None = INGRESS_REMEDY,
) -> t.Iterator[Finding]:
    """Yield what is wrong with the components themselves."""
    for name, component in components.items():
        says_what_admin_says = (
            name not in ("admin", "ingress") and components["admin"].status == "unreachable"
        )
        if component.error is None or says_what_admin_says:
            continue
        if component.error.code == "RESTATE_CLUSTER_UNAVAILABLE":
            yield _of_cluster(name, component.error)
            continue
        is_down = component.status == "unreachable" and name in ("admin", "ingress")
        remedy = component.error.remedy or ""
        if is_down and name == "ingress" and component.error.reason != "proxy":
            remedy = ingress_remedy or remedy
        yield Finding(
            code=f"{name.upper()}_{component.status.upper()}",
            severity="critical" if is_down else "warning",
            component=name,
            message=component.error.message,
            subjects=[ingress_url if name == "ingress" else admin_url],
            remedy=remedy,
        )


def _of_cluster(component: str, error: OperatorError) -> Finding:
    return Finding(
        code="CLUSTER_UNAVAILABLE",
        severity="critical",
        component=component,
        message=f"A partition has no leader, or the cluster has no quorum: {error.message}",
        subjects=[component],
        remedy=error.remedy or "",
    )


def of_nothing(deployments: t.Sequence[t.Any], services: t.Sequence[t.Any]) -> t.Iterator[Finding]:
    """Yield that nothing is registered: all that was asked is well, and it is not much."""
    if not deployments and not services:
        yield Finding(
            code="NOTHING_REGISTERED",
            severity="info",
            component="deployments",
            message="No deployment and no service is registered.",
            subjects=["deployments"],
            remedy="Register a release: dalp.restate.redeploy with its restate_service_url. If anything was registered "
            "here before, this is another server or one that lost its data: check admin_url, and keep the snapshots of "
            "what was purged.",
        )


def of_version(version: Version | None) -> t.Iterator[Finding]:
    """Yield that the version is not one that is tested, where that is so."""
    if version and version.release not in RELEASES:
        tested = ", ".join(f"{major}.{minor}" for major, minor in RELEASES)
        yield Finding(
            code="UNTESTED_VERSION",
            severity="info",
            component="admin",
            message=f"Restate {version.version} is outside what this collection is tested with ({tested}).",
            subjects=[version.version],
            remedy="Dry-run every task with --check --diff first, and look for a newer release of dalp.restate.",
        )
