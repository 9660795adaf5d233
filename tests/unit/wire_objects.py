# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers answer, made in one line each: only what a case is about need be named."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.registry import Registry
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    Invocation,
    InvocationStatus,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import (
    Deployment,
    DeploymentDetail,
    Handler,
    Registration,
    Service,
    ServiceRevision,
    Version,
)


def version(text: str) -> Version:
    """Make the answer of GET /version."""
    return Version(version=text)


def service(
    name: str, deployment_id: str = "dp_1", revision: int = 1, ty: str = "Workflow", **more: Any
) -> Service:
    """Make a service; a Workflow has the handlers run and status, another one handle, unless they are given."""
    names: dict[str, str | None] = {"run": "Workflow", "status": "Shared"}
    names = more.pop("handlers", names if ty == "Workflow" else {"handle": None})
    handlers = tuple(Handler(name=handler, ty=kind) for handler, kind in names.items())
    return Service(
        name=name, ty=ty, deployment_id=deployment_id, revision=revision, handlers=handlers, **more
    )


def deployment(id_: str, *services: str, day: int = 1, url: str | None = None, **more: Any) -> Deployment:
    """Make an entry of GET /deployments, registered on a day of January 2026 at http://ID:9080/."""
    endpoint = {} if "arn" in more else {"uri": url or f"http://{id_}:9080/"}
    revisions = tuple(ServiceRevision(name=name, revision=1) for name in services)
    created_at = f"2026-01-{day:02}T00:00:00.000000000Z"
    return Deployment(id=id_, services=revisions, created_at=created_at, **endpoint, **more)


def detail(id_: str, *services: Service, url: str | None = None, **more: Any) -> DeploymentDetail:
    """Make an answer of GET /deployments/{id}, over HTTP/2 unless said otherwise."""
    fields: dict[str, Any] = {
        "uri": url or f"http://{id_}:9080/",
        "http_version": "HTTP/2.0",
        "created_at": "2026-01-01T00:00:00.000000000Z",
        **more,
    }
    return DeploymentDetail(id=id_, services=services, **fields)


def registration(id_: str, *services: Service, **more: Any) -> Registration:
    """Make an answer of POST /deployments."""
    return Registration(id=id_, services=services, **more)


def registry(*deployments: Deployment, latest: dict[str, str]) -> Registry:
    """Make what is registered; `latest` has, by service name, the id of the deployment that is its latest."""
    return Registry(deployments, {name: service(name, id_) for name, id_ in latest.items()})


def invocation(
    id_: str, status: str, handler: str = "run", result: str | None = None, **more: Any
) -> Invocation:
    """Make a row of sys_invocation_status, of the key k of the workflow Flow unless said otherwise."""
    fields: dict[str, Any] = {
        "target": f"Flow/k/{handler}",
        "target_service_name": "Flow",
        "target_service_key": "k",
        "target_handler_name": handler,
        "target_service_ty": "workflow",
        "created_at": "2026-01-01T00:00:00.000Z",
        "completion_result": result,
        **more,
    }
    return Invocation(id=id_, status=status, **fields)


def status_of(row: Invocation) -> InvocationStatus:
    """Make what status_of asks for of an invocation."""
    return InvocationStatus(row.id, row.status, row.created_at, row.completion_result, row.completion_failure)
