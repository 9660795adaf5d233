# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registration tells: a pure function of its plan and journal."""

from __future__ import annotations

from ..._http import urls
from ..._restate.wire import Registration
from ..journal import Journal
from ..report import Report, by_state
from .plan import Plan, services_of


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what was registered, or would be."""
    error = plan.error or journal.ended_by
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
            },
            "steps": [step.shown for step in plan.steps],
            **({"deployment_id": deployment_id} if deployment_id else {}),
        },
        before=plan.before,
        # A refused plan still shows what was asked for.
        after=plan.after if has_changed or plan.error else plan.before,
        warnings=[*plan.warnings, *journal.warnings],
        error=error,
        steps=by_state((step.shown, journal.state(step.action, step.subject)) for step in plan.steps),
    )


def _protocol(discovered: Registration) -> dict[str, int]:
    versions = {
        "min_protocol_version": discovered.min_protocol_version,
        "max_protocol_version": discovered.max_protocol_version,
    }
    return {name: version for name, version in versions.items() if version is not None}


def registered_id(plan: Plan, journal: Journal) -> str | None:
    """Return the id of the deployment at the URL; a new one has none before it is registered."""
    entry = journal.entry(plan.action, plan.action)
    return entry.facts.get("deployment_id", plan.deployment_id) if entry else plan.deployment_id


def _sentence(plan: Plan, deployment_id: str | None, journal: Journal) -> str:
    url = plan.after["service_url"]
    names = ", ".join(plan.after["services"])
    if plan.action == "nothing":
        return f"{url} is registered as {deployment_id} and is the latest of its services; nothing to do."
    if plan.action == "register":
        would = "Would register" if journal.is_prediction else "Registered"
        as_id = f" as {deployment_id}" if deployment_id else ""
        return f"{would} {url}{as_id}: it becomes the latest of {names}."
    again = "Would overwrite" if journal.is_prediction else "Overwrote"
    return f"{again} the registration {deployment_id} of {url}: it becomes the latest of {names}."
