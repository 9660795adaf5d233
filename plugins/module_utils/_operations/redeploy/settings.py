# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of services, which PATCH /services makes and a new revision resets (restatedev/restate issue 3663)."""

from __future__ import annotations

import typing as t

from ..._restate.wire import DeploymentDetail, Registration, Service


def settings_to_keep(registered: DeploymentDetail, discovered: Registration) -> dict[str, dict[str, t.Any]]:
    """Return, by service, the registered settings that Restate would reset to what the code says."""
    offered = {service.name: service.settings for service in discovered.services}
    kept = {
        service.name: _that_differ(service.settings, offered.get(service.name, {}))
        for service in registered.services
    }
    return {name: values for name, values in kept.items() if values}


def _that_differ(settings: dict[str, t.Any], offered: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in settings.items() if offered.get(name, value) != value}


def settings_kept(registered: DeploymentDetail, settings: dict[str, dict[str, t.Any]]) -> list[str]:
    """Return the warnings that settings stay as they are registered."""
    return [
        f"Service {name} of {registered.id} keeps its registered settings where the code says otherwise: "
        + ", ".join(f"{setting}={value}" for setting, value in values.items())
        + "."
        for name, values in settings.items()
    ]


def settings_that_change(discovered: Registration, latest: t.Mapping[str, Service]) -> list[str]:
    """Return the warnings that services have other settings with a new deployment than with their latest one."""
    warnings = []
    for service in discovered.services:
        known = latest[service.name].settings if service.name in latest else {}
        changes = [
            f"{name} from {known[name]} to {service.settings[name]}"
            for name in _that_differ(known, service.settings)
        ]
        if changes:
            warnings.append(
                f"Service {service.name} changes settings with this release: {', '.join(changes)}. Where they were "
                "set with PATCH /services rather than in the code, set them again."
            )
    return warnings
