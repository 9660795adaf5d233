# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of services, which PATCH /services makes and a new revision resets (restatedev/restate issue 3663)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.wire import DeploymentDetail, Registration, Service
from ..commands import restate_cli

Values = dict[str, t.Any]

Codes = t.Mapping[str, Registration | None]
"""What the code of deployments says, by their id; None where it does not answer."""


@dataclass(frozen=True)
class Settings:
    """What becomes of the settings in force, by service.

    O(kept) are set again after the registration. O(before) and O(after) are those that change.
    """

    kept: dict[str, Values] = field(default_factory=dict)
    before: dict[str, Values] = field(default_factory=dict)
    after: dict[str, Values] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def settings_in_force(
    registered: DeploymentDetail | None, discovered: Registration, latest: t.Mapping[str, Service]
) -> dict[str, Service]:
    """Return, of the services that the code offers, the revision whose settings are in force and differ from it."""
    here = {service.name: service for service in registered.services} if registered else {}
    differing = {}
    for service in sorted(discovered.services, key=lambda service: service.name):
        known = latest.get(service.name)
        if known and registered and known.deployment_id == registered.id:
            known = here.get(service.name, known)
        if known and _that_differ(known.settings, service.settings):
            differing[service.name] = known
    return differing


def plan_settings(
    registered: DeploymentDetail | None,
    discovered: Registration,
    latest: t.Mapping[str, Service],
    codes: Codes,
    *,
    takes_codes: bool,
) -> Settings:
    """Return which settings stay: those that differ from what the code says that they were registered with.

    Where that code does not answer, as that of a deployment whose URL serves other code by now, all stay. With
    O(takes_codes) none does.
    """
    offered = {service.name: service.settings for service in discovered.services}
    settings = Settings()
    warnings = []
    for name, known in settings_in_force(registered, discovered, latest).items():
        differing = _that_differ(known.settings, offered[name])
        is_here = registered is not None and known.deployment_id == registered.id
        old_code = _settings_of(name, codes.get(known.deployment_id))
        kept = {} if takes_codes else _changed_by_hand(differing, old_code)
        changing = {setting: value for setting, value in differing.items() if setting not in kept}
        if kept:
            settings.kept[name] = kept
            is_told = is_here or old_code is not None
            warnings.append(_kept(known, kept, offered[name], is_told=is_told))
        if changing:
            settings.before[name] = changing
            settings.after[name] = {setting: offered[name][setting] for setting in changing}
            warnings.append(_changing(name, changing, offered[name], by_request=takes_codes))
    return Settings(settings.kept, settings.before, settings.after, tuple(warnings))


def shown_settings(values: Values) -> str:
    """Return settings as a sentence names them."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def set_settings(service: str, values: Values) -> str:
    """Return the command that sets settings of a service."""
    options = [
        word
        for name, value in values.items()
        for word in (f"--{name.replace('_', '-')}", str(value).lower() if value in (True, False) else value)
    ]
    return restate_cli("services", "config", "patch", service, *options)


def _that_differ(settings: Values, offered: Values) -> Values:
    return {name: value for name, value in settings.items() if offered.get(name, value) != value}


def _settings_of(name: str, code: Registration | None) -> Values | None:
    services = code.services if code else ()
    return next((service.settings for service in services if service.name == name), None)


def _changed_by_hand(settings: Values, old_code: Values | None) -> Values:
    return settings if old_code is None else _that_differ(settings, old_code)


def _kept(known: Service, kept: Values, offered: Values, *, is_told: bool) -> str:
    why = ""
    if not is_told:
        why = f" The code of {known.deployment_id} does not answer discovery, so who set them is not known."
    is_public_meanwhile = kept.get("public") is False and offered.get("public") is True
    meanwhile = "it can be called through the ingress" if is_public_meanwhile else "the code's are in force"
    return (
        f"Service {known.name} keeps its registered settings where the code says otherwise: {shown_settings(kept)}."
        f"{why} The registration resets them and they are set again at once; for a moment in between {meanwhile}."
    )


def _changing(name: str, changing: Values, offered: Values, *, by_request: bool) -> str:
    shown = ", ".join(f"{setting} from {value} to {offered[setting]}" for setting, value in changing.items())
    why = "settings is code" if by_request else "the code says so, and said otherwise before"
    return f"Service {name} changes settings with this release, since {why}: {shown}."
