# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent to register a deployment."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.versions import Capabilities
from ..._restate.wire import Deployment, DeploymentDetail

OF_THE_SERVICE = ("RESTATE_SERVICE_UNREACHABLE", "RESTATE_REGISTRATION_REFUSED")
"""The codes of errors of discovery that tell of the service that was asked; any other one tells of the way to it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A deployment to be registered, by its URL and what is registered with it."""

    uri: str
    use_http_11: bool = False
    additional_headers: dict[str, str] = field(default_factory=dict, repr=False)
    metadata: dict[str, str] = field(default_factory=dict)


def body(
    target: Target, capabilities: Capabilities, *, force: bool, breaking: bool = False
) -> dict[str, t.Any]:
    """Return the body of POST /deployments for a server that can do this.

    force and, where it is known, breaking are explicit: the default of force is true up to 1.5 and false from 1.6 on.
    Before 1.6 only force allows a service to change its type.
    """
    content: dict[str, t.Any] = {"uri": target.uri, "force": force}
    if capabilities.knows_breaking_and_metadata:
        content |= {"breaking": breaking, "metadata": target.metadata}
    elif breaking:
        content["force"] = True
    if target.use_http_11:
        content["use_http_11"] = True
    if target.additional_headers:
        content["additional_headers"] = target.additional_headers
    return content


def headers_of(deployment: Deployment | DeploymentDetail) -> dict[str, str]:
    """Return the registered headers, in clear: for requests, not for results."""
    return {name: value.get_secret_value() for name, value in deployment.additional_headers.items()}


def uses_http_11(deployment: Deployment | DeploymentDetail) -> bool:
    """Whether the deployment is spoken to in HTTP/1.1; the version is the one that it answered in."""
    return deployment.http_version in ("HTTP/1.0", "HTTP/1.1")


def as_registered(deployment: Deployment | DeploymentDetail, capabilities: Capabilities) -> dict[str, t.Any]:
    """Return the body that asks a registered deployment for discovery.

    It forces, since without it the server answers from what it knows and asks nobody.
    """
    target = Target(
        uri=str(deployment.uri),
        use_http_11=uses_http_11(deployment),
        additional_headers=headers_of(deployment),
        metadata=deployment.metadata,
    )
    content = body(target, capabilities, force=True)
    if deployment.arn:
        del content["uri"]
        content["arn"] = deployment.arn
        if deployment.assume_role_arn:
            content["assume_role_arn"] = deployment.assume_role_arn
    return content
