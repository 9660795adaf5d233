# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup tells: a pure function of its plan and journal."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import ERROR_CODES, OperatorError
from ..._http import urls
from ..._restate.wire import Deployment
from ..journal import DONE, NOT_DONE, UNKNOWN, Entry, Journal
from ..report import SAMPLE, Report, by_state, count
from .plan import ASSUMED_ID, Plan, Removal, Staying
from .remedies import remedy_of

_DISPOSALS = {"migrate": "migrated", "cancel": "cancelled", "kill": "killed", "abandon": "abandoned"}
"""What is done to pending invocations, and the result's key for those that it was done to."""


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what was done, or would be, what remains and why."""
    is_gone = {removal.id for removal in plan.removals if _is_gone(_entry(removal, journal))}
    error = plan.error or journal.ended_by or _what_holds(plan, journal)
    impact = _told_impact(plan, journal)
    if error and impact:
        error = dataclasses.replace(error, message=f"{error.message.rstrip('.')}.{impact}")
    return Report(
        message=error.message if error else f"{_sentence(plan, journal)}{impact}",
        subject=urls.without_secrets(plan.request.service_url),
        changed=journal.changed,
        details=_details(plan, journal),
        before=_described(plan.registry.deployments),
        after=_described(each for each in plan.registry.deployments if each.id not in is_gone),
        warnings=[*plan.warnings, *journal.warnings],
        error=error,
        steps=by_state((each.step, _state_of_step(each, journal)) for each in plan.removals),
    )


def _entry(removal: Removal, journal: Journal) -> Entry:
    """Return what became of a deployment; what was not come to was not done."""
    return journal.entry("remove", removal.id) or Entry("remove", NOT_DONE, "interrupted")


def _state_of_step(removal: Removal, journal: Journal) -> str | None:
    """Return the state of a whole step: it is unknown, too, if that is so of a part of its pending invocations."""
    entry = journal.entry("remove", removal.id)
    if entry and UNKNOWN in entry.facts.get("ids_by_reason", ()):
        return UNKNOWN
    return entry.state if entry else None


def _is_gone(entry: Entry) -> bool:
    return entry.state == DONE or entry.reason == "already_gone"


def _details(plan: Plan, journal: Journal) -> dict[str, t.Any]:
    kept = {"service_url": plan.kept.shown_url}
    if not plan.is_assumed:
        kept["deployment_id"] = plan.kept.id
    entries = {} if plan.error else {each.id: (each, _entry(each, journal)) for each in plan.removals}
    staying = [_staying(each) for each in plan.staying]
    return {
        "kept": kept,
        "removed": [each.id for each in plan.removals if journal.is_done("remove", each.id)],
        "already_gone": [id_ for id_, (_each, entry) in entries.items() if entry.reason == "already_gone"],
        "remaining": staying
        + [_held(each, entry) for each, entry in entries.values() if not _is_gone(entry)],
        **{key: journal.subjects(action) for action, key in _DISPOSALS.items()},
        "impact": _impact(plan, journal),
        "waited_seconds": journal.learned(plan.kept.id, "waited_seconds") or 0,
        "steps": [] if plan.error else [removal.step for removal in plan.removals],
    }


def _impact(plan: Plan, journal: Journal) -> dict[str, dict[str, int]]:
    """Return, by service, how many invocations were ended or moved and how; a prediction counts all that may be."""
    impact: dict[str, dict[str, int]] = {}

    def add(service: str, key: str, number: int) -> None:
        counts = impact.setdefault(service, dict.fromkeys(_DISPOSALS.values(), 0))
        counts[key] += number

    for action, key in _DISPOSALS.items():
        for invocation_id in journal.subjects(action):
            add(journal.services.get(invocation_id, "?"), key, 1)
    killed = set(journal.subjects("kill"))
    called: dict[str, str] = {}
    for removal in plan.removals:
        called |= journal.learned(removal.id, "called") or {}
        for service, number in (journal.learned(removal.id, "may_end") or {}).items():
            add(service, _DISPOSALS[removal.at_end], number)
    for invocation_id, service in called.items():
        if invocation_id not in killed:
            add(service, "killed", 1)
    return dict(sorted(impact.items()))


def _told_impact(plan: Plan, journal: Journal) -> str:
    """Return the impact as a sentence; empty if there is none."""
    parts = [
        f"{service} ({', '.join(f'{number} {key}' for key, number in counts.items() if number)})"
        for service, counts in _impact(plan, journal).items()
    ]
    if not parts:
        return ""
    is_most = any(journal.learned(removal.id, "may_end") for removal in plan.removals)
    return f" Invocations by service{', at most' if is_most else ''}: {', '.join(parts)}."


def _remaining(deployment: Deployment, reason: str, **more: t.Any) -> dict[str, t.Any]:
    return {"deployment_id": deployment.id, "service_url": deployment.shown_url, "reason": reason, **more}


def _staying(staying: Staying) -> dict[str, t.Any]:
    services = {"services": list(staying.services)} if staying.services else {}
    return _remaining(staying.deployment, staying.reason, **services)


def _held(removal: Removal, entry: Entry) -> dict[str, t.Any]:
    """Return a deployment that was to go and stays, as far as is known why."""
    ids = _holding(entry)
    if not ids:
        return _remaining(removal.deployment, entry.reason)
    return _remaining(
        removal.deployment, entry.reason, pending_invocations=len(ids), invocation_ids=ids[:SAMPLE]
    )


def _holding(entry: Entry) -> list[str]:
    """Return the IDs of the invocations that hold a deployment; none if another deployment does."""
    return [each for ids in entry.facts.get("ids_by_reason", {}).values() for each in ids]


def _why_held(entry: Entry) -> str:
    ids = _holding(entry)
    return ", ".join([*([f"{len(ids)} pending"] if ids else []), *entry.facts["ids_by_reason"]])


def _what_holds(plan: Plan, journal: Journal) -> OperatorError | None:
    """Return why the task fails where deployments that were to go stay, each with what holds it."""
    entries = [(removal, _entry(removal, journal)) for removal in plan.removals]
    held = [(removal, entry) for removal, entry in entries if "ids_by_reason" in entry.facts]
    if not held:
        return None
    reasons = sorted({reason for _removal, entry in held for reason in entry.facts["ids_by_reason"]})
    reason = reasons[0] if len(reasons) == 1 else "several"
    parts = [
        f"{removal.id} at {removal.deployment.shown_url} ({_why_held(entry)})" for removal, entry in held
    ]
    return OperatorError(
        "RESTATE_DRAIN_TIMEOUT",
        f"{count(len(parts), 'deployment')} could not be removed after {plan.request.drain_timeout} s: "
        f"{'; '.join(parts)}.",
        remedy=(remedy_of(reasons, plan.request) or ERROR_CODES["RESTATE_DRAIN_TIMEOUT"].remedy)
        + _of_scheduled([removal for removal, _entry in held]),
        reason=reason,
        invocation_ids=[each for _removal, entry in held for each in _holding(entry)][:SAMPLE],
        deployment_ids=[removal.id for removal, _entry in held],
    )


def _of_scheduled(held: t.Iterable[Removal]) -> str:
    """Return what else helps where scheduled calls hold deployments: waiting may never do."""
    due = [
        row.scheduled_start_at
        for removal in held
        for row in removal.unfinished
        if row.status == "scheduled" and row.scheduled_start_at
    ]
    if not due:
        return ""
    return (
        f" {count(len(due), 'call')} scheduled, the next due at {min(due)}: a call that schedules itself again never "
        "ends by itself. Serve its handler in the next release, list its deployment under keep, or end it with "
        "force_drain: true and pending: cancel, kill or abandon."
    )


def _described(deployments: t.Iterable[Deployment]) -> dict[str, t.Any]:
    return {
        "deployments": {
            deployment.id: {
                "service_url": deployment.shown_url,
                "services": sorted(service.name for service in deployment.services),
            }
            for deployment in sorted(deployments, key=lambda each: each.created)
            if deployment.id != ASSUMED_ID
        }
    }


def _sentence(plan: Plan, journal: Journal) -> str:
    kept = plan.kept.shown_url
    if not plan.removals:
        stay = "stays" if len(plan.staying) == 1 else "stay"
        return f"Nothing to remove: {kept} is kept, {count(len(plan.staying), 'other deployment')} {stay}."
    verb = "Would remove" if journal.is_prediction else "Removed"
    parts = [f"{verb} {count(len(journal.subjects('remove')), 'deployment')}"]
    for action, done in _DISPOSALS.items():
        number = len(journal.subjects(action))
        if number:
            parts.append(f"{count(number, 'invocation')} {done}")
    return f"{', '.join(parts)}; {kept} is kept."
