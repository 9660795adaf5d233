# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a doctor may have observed, and what it makes of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import (
    LONG_RETRYING,
    Component,
    Doing,
    Invocations,
    Observed,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.findings import Finding
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.plan import diagnose
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    InvocationsByPlace,
    PendingCount,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    deployment,
    invocation,
    service,
    version,
)

DOWN = OperatorError("RESTATE_ADMIN_UNREACHABLE", "GET http://h:9070 failed: refused.")
FORBIDDEN = OperatorError(
    "RESTATE_PERMISSION_REQUIRED", "GET http://h:9070 answered 403: no.", http={"status": 403}
)
QUERY_FAILED = OperatorError("RESTATE_QUERY_FAILED", "POST /query answered 500: no leader.")

COMMAND = "ansible-playbook dalp.restate."


def invocations(**rows: Any) -> Invocations:
    return Invocations(**rows)


def unfinished(status: str, n: int, *, retried_often: bool = False) -> list[Doing]:
    return [Doing(status, retried_often, n)]


def paused(n: int, *rows: Any, **more: Any) -> Invocations:
    """Return that many paused invocations, of which these are told."""
    return invocations(by_place=[placed(None, n, "paused", **more)], unsettled=rows or [PAUSED])


def components(**changes: Any) -> dict[str, Component]:
    """Make the components of a healthy server with one service, but for what is named."""
    values: dict[str, Any] = {
        "admin": version("1.7.12"),
        "ingress": "http://h:8080",
        "deployments": (deployment("dp_1", "Flow"),),
        "services": (service("Flow"),),
        "invocations": invocations(),
        **changes,
    }
    return {
        name: Component(error=value) if isinstance(value, OperatorError) else Component(value=value)
        for name, value in values.items()
    }


def findings(probes: dict[str, Any] | None = None, **changes: Any) -> list[Finding]:
    return diagnose(Observed(components(**changes), "http://h:9070", "http://h:8080", probes or {}))


def placed(result: str | None, n: int = 1, status: str = "completed", **more: Any) -> InvocationsByPlace:
    row = invocation("", status, result=result, **more)
    return InvocationsByPlace(
        row.status, row.target_service_name, row.target_handler_name, row.target_service_ty, n,
        row.completion_result, row.pinned_deployment_id,
    )  # fmt: skip


RELEASED = {
    "deployments": (deployment("dp_old", "Flow", day=1), deployment("dp_new", "Flow", day=2)),
    "services": (service("Flow", "dp_new"),),
}
PINNED = PendingCount("Flow", "suspended", 2, "dp_old")
PAUSED = invocation("inv_p", "paused")
OFTEN = invocation("inv_r", "backing-off", retry_count=LONG_RETRYING)
ZOMBIE = invocation("inv_z", "invoked")
FAILED = invocation("inv_f", "completed")
