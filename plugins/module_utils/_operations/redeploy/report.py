# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registration tells: a pure function of its plan and journal."""

from __future__ import annotations

import dataclasses

from ... import _timestamps
from ..._errors import OperatorError
from ..._http import urls
from ..._restate.wire import Registration
from ..journal import DONE, NOT_DONE, Journal
from ..report import Report, by_state
from .description import services_of
from .plan import ALREADY_REGISTERED, Plan
from .settings import set_settings, shown_settings


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what was registered, or would be."""
    error = plan.error or (journal.ended_by and _with_what_is_not_set(journal.ended_by, plan, journal))
    deployment_id = registered_id(plan, journal)
    has_changed = journal.changed
    return Report(
        message=error.message if error else _sentence(plan, deployment_id, journal),
        subject=urls.without_secrets(plan.request.service_url),
        changed=has_changed,
        details={
            "deployment": {
                "service_url": urls.without_secrets(plan.request.service_url),
                "services": services_of(plan.observed.discovered),
                **_protocol(plan.observed.discovered),
                **({"beside": list(plan.observed.beside)} if plan.observed.beside else {}),
            },
            "steps": [step.shown for step in plan.steps],
            **({"deployment_id": deployment_id} if deployment_id else {}),
            **_retry_after(plan),
        },
        before=plan.after if _is_registered(plan, journal) else plan.before,
        # A refused plan still shows what was asked for.
        after=plan.after if has_changed or plan.error or _is_registered(plan, journal) else plan.before,
        warnings=[*plan.warnings, *journal.warnings],
        error=error,
        steps=by_state((step.shown, journal.state(step.action, step.subject)) for step in plan.steps),
    )


def _retry_after(plan: Plan) -> dict[str, str]:
    until = plan.observed.removal_until
    return {"retry_after": _timestamps.write(until)} if until else {}


def _protocol(discovered: Registration) -> dict[str, int]:
    versions = {
        "min_protocol_version": discovered.min_protocol_version,
        "max_protocol_version": discovered.max_protocol_version,
    }
    return {name: version for name, version in versions.items() if version is not None}


def _with_what_is_not_set(error: OperatorError, plan: Plan, journal: Journal) -> OperatorError:
    """Return the error with the settings that were reset and not set again: no later task can tell them."""
    left = {
        service: values
        for service, values in plan.settings.items()
        if journal.state("apply_settings", service) != DONE
    }
    if not left or journal.state(plan.action, plan.action) == NOT_DONE:
        return error
    shown = ", ".join(f"{service} ({shown_settings(values)})" for service, values in left.items())
    commands = " && ".join(set_settings(service, values) for service, values in left.items())
    return dataclasses.replace(
        error,
        message=f"{error.message.rstrip('.')}. What the registration has reset was not set again: {shown}.",
        remedy=f"{error.remedy} Where it was registered, set them by hand: {commands}",
    )


def registered_id(plan: Plan, journal: Journal) -> str | None:
    """Return the id of the deployment at the URL; a new one has none before it is registered."""
    entry = journal.entry(plan.action, plan.action)
    return entry.facts.get("deployment_id", plan.deployment_id) if entry else plan.deployment_id


def _is_registered(plan: Plan, journal: Journal) -> bool:
    """Return whether another task has registered the URL meanwhile."""
    entry = journal.entry(plan.action, plan.action)
    return entry is not None and entry.reason == ALREADY_REGISTERED


def _sentence(plan: Plan, deployment_id: str | None, journal: Journal) -> str:
    url = plan.after["service_url"]
    names = ", ".join(plan.after["services"])
    if plan.action == "nothing":
        return f"{url} is registered as {deployment_id} and is the latest of its services; nothing to do."
    if _is_registered(plan, journal):
        return (
            f"{url} was registered as {deployment_id} by another task meanwhile; it is the latest of {names}."
        )
    if plan.action == "register":
        would = "Would register" if journal.is_prediction else "Registered"
        as_id = f" as {deployment_id}" if deployment_id else ""
        return f"{would} {url}{as_id}: it becomes the latest of {names}."
    again = "Would overwrite" if journal.is_prediction else "Overwrote"
    return f"{again} the registration {deployment_id} of {url}: it becomes the latest of {names}."
