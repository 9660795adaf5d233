# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup through DALP tells: a pure function of its plan and journal."""

from __future__ import annotations

import typing as t

from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..._http import urls
from ..deployments.listed import UNKNOWN_OUTCOME
from ..journal import DONE, NOT_DONE, UNKNOWN, Journal
from ..report import Report, by_state, count
from .dalp_plan import Plan


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what was done, or would be, and what remains, as far as DALP tells."""
    error = plan.error or journal.ended_by or _why_not_done(plan, journal)
    unread = _why_unread(journal)
    removed = journal.subjects("remove")
    warnings = [*plan.warnings]
    if unread:
        warnings.append(f"{unread} Run restate_doctor.")
    return Report(
        message=error.message if error else _sentence(plan, journal, is_unread=unread is not None),
        subject=urls.without_secrets(plan.request.service_url),
        changed=journal.changed,
        details=_details(plan, journal, unread),
        before=_described(plan.before.deployments.values()),
        after={}
        if unread
        else _described(each for each in plan.before.deployments.values() if each.id not in removed),
        warnings=warnings,
        error=error,
        steps=by_state((each.step, journal.state("remove", each.id)) for each in plan.removals),
    )


def _why_unread(journal: Journal) -> str | None:
    """Return what to say where something was sent and what became of it could not be read; else None."""
    unread = [
        entry for entry in journal.entries("remove").values() if entry.state == UNKNOWN and entry.message
    ]
    if not unread:
        return None
    said = "refused" if journal.ended_by else "acknowledged"
    return f"DALP {said}, and its doctor could not be read afterwards: {unread[0].message}"


def _details(plan: Plan, journal: Journal, unread: str | None) -> dict[str, t.Any]:
    kept = plan.kept
    shown = {"service_url": kept.shown_url if kept else urls.without_secrets(plan.request.service_url)}
    details: dict[str, t.Any] = {
        "kept": {**shown, "deployment_id": kept.id} if kept else shown,
        "steps": [removal.step for removal in plan.removals],
    }
    if unread is None:
        details |= {"removed": journal.subjects("remove"), "remaining": _remaining(plan, journal)}
    else:
        details["changed_reason"] = unread
    if journal.ended_by and journal.ended_by.outcome_unknown:
        details["changed_reason"] = UNKNOWN_OUTCOME
    return details


def _remaining(plan: Plan, journal: Journal) -> list[dict[str, t.Any]]:
    entries = journal.entries("remove")
    return [
        {
            "deployment_id": each.id,
            "service_url": each.deployment.shown_url,
            "reason": entries[each.id].reason,
        }
        for each in plan.removals
        if each.id in entries and entries[each.id].state != DONE
    ]


def _why_not_done(plan: Plan, journal: Journal) -> OperatorError | None:
    kept = plan.kept
    if kept and journal.is_done("remove", kept.id):
        return OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"DALP acknowledged, but {kept.id} at {kept.shown_url}, which was to be kept, is no longer listed.",
            remedy="Register it again at once (restate_redeploy), then run restate_doctor.",
            deployment_ids=[kept.id],
        )
    remaining = [each for each in plan.removals if journal.state("remove", each.id) == NOT_DONE]
    if not remaining:
        return None
    shown = ", ".join(f"{each.id} at {each.deployment.shown_url}" for each in remaining)
    return OperatorError(
        "RESTATE_DRAIN_TIMEOUT",
        f"DALP acknowledged, but {count(len(remaining), 'other deployment')} still registered after "
        f"{plan.request.drain_timeout} s: {shown}.",
        remedy="Run it again when their invocations have completed; set force_drain to true only where they point to "
        "dead services.",
        reason="drain_timeout",
        deployment_ids=[each.id for each in remaining],
    )


def _described(deployments: t.Iterable[Deployment]) -> dict[str, t.Any]:
    return {"deployments": {each.id: {"service_url": each.shown_url} for each in deployments}}


def _sentence(plan: Plan, journal: Journal, *, is_unread: bool) -> str:
    kept = plan.kept.shown_url if plan.kept else urls.without_secrets(plan.request.service_url)
    if not plan.removals:
        return f"Nothing to remove: {kept} is the only deployment."
    if is_unread:
        return f"DALP acknowledged that it keeps {kept} and drains all others; whether it did is not known."
    keeps, removed = ("would keep", "would remove") if journal.is_prediction else ("keeps", "removed")
    return (
        f"DALP {keeps} {kept} and {removed} all others (remove: all is what its route does): "
        f"{count(len(journal.subjects('remove')), 'deployment')}."
    )
