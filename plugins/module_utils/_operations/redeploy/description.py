# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How both sides of the diff are described."""

from __future__ import annotations

import typing as t

from ..._http import urls
from ..._restate.wire import DeploymentDetail, Registration
from ..deployments.registration import Target


def described(service_url: str, offer: DeploymentDetail | Registration, *, latest: bool) -> dict[str, t.Any]:
    """Return what a deployment offers."""
    return {
        "service_url": urls.without_secrets(service_url),
        "services": {
            service["name"]: {
                "type": service["type"],
                "handlers": {handler["name"]: handler["type"] for handler in service["handlers"]},
            }
            for service in services_of(offer)
        },
        "protocol_versions": [offer.min_protocol_version, offer.max_protocol_version],
        "sdk_version": offer.sdk_version,
        "is_latest": latest,
    }


def options_of(target: Target, *, known_headers: dict[str, str] | None) -> dict[str, t.Any]:
    """Describe options without the values of headers; O(known_headers) lets a changed value show as changed."""
    shown = {}
    for name, value in sorted(target.additional_headers.items()):
        is_changed = known_headers is not None and known_headers.get(name, value) != value
        shown[name] = "(hidden, changed)" if is_changed else "(hidden)"
    return {
        "additional_headers": shown,
        "metadata": target.metadata,
        "use_http_11": target.use_http_11,
    }


def services_of(offer: DeploymentDetail | Registration) -> list[dict[str, t.Any]]:
    """Return services with their handlers, as a result shows them."""
    return [
        {
            "name": service.name,
            "type": service.ty,
            "handlers": [
                {"name": handler.name, "type": handler.ty}
                for handler in sorted(service.handlers, key=lambda handler: handler.name)
            ],
        }
        for service in sorted(offer.services, key=lambda service: service.name)
    ]
