# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent to register a deployment."""

from __future__ import annotations

import typing as t

from ..._restate.wire import Deployment, DeploymentDetail, Version


def body(
    uri: str,
    version: Version,
    *,
    force: bool,
    breaking: bool = False,
    use_http_11: bool | None = None,
    additional_headers: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> dict[str, t.Any]:
    """Return the body of POST /deployments for this server version.

    force and, from 1.6 on, breaking are explicit: the default of force is true up to 1.5 and false from 1.6 on.
    Before 1.6 only force allows a service to change its type.
    """
    knows_breaking = version.at_least(1, 6)
    content: dict[str, t.Any] = {"uri": uri, "force": force or (breaking and not knows_breaking)}
    if knows_breaking:
        content["breaking"] = breaking
        content["metadata"] = metadata or {}
    if use_http_11:
        content["use_http_11"] = True
    if additional_headers:
        content["additional_headers"] = additional_headers
    return content


def headers_of(deployment: Deployment | DeploymentDetail) -> dict[str, str]:
    """Return the registered headers, in clear: for requests, not for results."""
    return {name: value.get_secret_value() for name, value in deployment.additional_headers.items()}


def uses_http_11(deployment: Deployment | DeploymentDetail) -> bool:
    """Whether the deployment is spoken to in HTTP/1.1."""
    return deployment.http_version == "HTTP/1.1"


def as_registered(deployment: Deployment | DeploymentDetail, version: Version) -> dict[str, t.Any]:
    """Return the body that asks a registered deployment for discovery.

    It forces, since without it the server answers from what it knows and asks nobody.
    """
    return body(
        str(deployment.uri),
        version,
        force=True,
        use_http_11=uses_http_11(deployment),
        additional_headers=headers_of(deployment),
        metadata=deployment.metadata,
    )
