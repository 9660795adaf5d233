# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor through DALP tells: a pure function of what was observed and found."""

from __future__ import annotations

import re
import typing as t

from ..._restate.wire import parsed_version
from ..deployments.listed import oldest_first
from ..journal import Journal
from ..report import Report
from .components import FAILURE_TEXT, Component
from .findings import is_healthy
from .plan import Diagnosis
from .verdict import gate, sentence

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def make_report(diagnosis: Diagnosis, _journal: Journal) -> Report:
    """Return the five components, what is to be said of them, and whether the server is healthy."""
    components, findings = diagnosis.observed.components, diagnosis.findings
    healthy = is_healthy(components, findings)
    admin = components["admin"]
    version = parsed_version(admin.value.version) if admin.value and not admin.error else None
    return Report(
        message=sentence(version, findings, healthy=healthy),
        subject=diagnosis.observed.admin_url,
        changed=False,
        details={
            **{name: each.to_result(_told(name, each)) for name, each in components.items()},
            "findings": [finding.to_result() for finding in findings],
            "healthy": healthy,
        },
        error=gate(diagnosis.fail_on, components, findings),
        is_write=False,
    )


def _told(name: str, component: Component) -> dict[str, t.Any]:
    """Return what a component tells; of one that is degraded, what it tells all the same."""
    contents = _contents(name, component)
    if component.error is None:
        return contents
    return {key: value for key, value in contents.items() if value is not None}


def _contents(name: str, component: Component) -> dict[str, t.Any]:
    value = component.value
    if value is None:
        return {}
    if name == "ingress":
        return {"latency_ms": component.latency_ms}
    if name == "admin":
        return {"latency_ms": component.latency_ms, "version": value.version}
    if name == "deployments":
        items = [
            {"id": each.id, "service_url": each.shown_url, "created_at": each.created_at}
            for each in oldest_first(value.items)
        ]
        return {"items": items}
    if name == "services":
        in_order = sorted(value.items, key=lambda each: each.name)
        return {"items": [{"name": each.name, "revision": each.revision} for each in in_order]}
    failures = (
        {} if value.failures is None else {"recent_failures": [_failure(each) for each in value.failures]}
    )
    return {"by_status": value.by_status, **failures}


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
