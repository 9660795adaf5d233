# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registration through DALP tells: a pure function of its plan and journal.

DALP acknowledges; it does not tell what it did. What its doctor lists before and after tells whether anything changed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..deployments.listed import UNKNOWN_OUTCOME, have_risen
from ..journal import NOT_DONE, UNKNOWN, Journal
from ..report import Report, by_state
from .dalp_plan import Plan


@dataclass(frozen=True)
class Change:
    """Whether anything changed, and where the doctor's answers are no proof of it, why the result says so."""

    changed: bool
    reason: str | None = None
    is_unread: bool = False


def make_report(plan: Plan, journal: Journal) -> Report:
    """Return what was registered, or would be, as far as DALP tells."""
    change = _change(plan, journal)
    error = journal.ended_by
    deployment_id = _deployment_id(plan, journal)
    before = {"service_url": plan.url, "deployment_id": plan.known.id} if plan.known else {}
    after: dict[str, t.Any] = before or {"service_url": plan.url}
    if plan.overwrites:
        after = {**before, "registered_again": True}
    details: dict[str, t.Any] = {"deployment": {"service_url": plan.url}, "steps": [plan.step]}
    if deployment_id:
        details["deployment_id"] = deployment_id
    if change.reason:
        details["changed_reason"] = change.reason
    return Report(
        message=error.message if error else _sentence(plan, journal, deployment_id, change),
        subject=plan.url,
        changed=change.changed,
        details=details,
        before=before,
        after=after if change.changed else before,
        warnings=[*plan.warnings, *([f"{change.reason} Run restate_doctor."] if change.is_unread else [])],
        error=error,
        steps=by_state([(plan.step, journal.state("register", "register"))]),
    )


def _deployment_id(plan: Plan, journal: Journal) -> str | None:
    entry = journal.entry("register", "register")
    told = entry.facts.get("deployment_id") if entry else None
    return told or (plan.known.id if plan.known else None)


def _change(plan: Plan, journal: Journal) -> Change:
    entry = journal.entry("register", "register")
    if entry is None or entry.state == NOT_DONE:
        return Change(False)
    if entry.state == UNKNOWN:
        return Change(True, entry.message or UNKNOWN_OUTCOME)
    if journal.is_prediction:
        return Change(True)
    if "unread" in journal.seen_after:
        why = journal.seen_after["unread"]
        return Change(
            True, f"DALP acknowledged, and its doctor could not be read afterwards: {why}", is_unread=True
        )
    return _shown_change(plan, journal, entry.facts.get("deployment_id"))


def _shown_change(plan: Plan, journal: Journal, deployment_id: str | None) -> Change:
    if deployment_id is not None and deployment_id not in plan.before.deployments:
        return Change(True)
    if not plan.overwrites:
        return Change(plan.known is None)
    listed = journal.seen_after.get("listed")
    risen = have_risen(plan.before, listed) if listed else True
    if risen:
        return Change(True)
    told = "no revisions of services" if risen is None else "the same revisions of services as before"
    return Change(risen is None, f"DALP acknowledged, and its doctor shows {told}.")


def _sentence(plan: Plan, journal: Journal, deployment_id: str | None, change: Change) -> str:
    if not change.changed:
        return f"{plan.url} is registered as {deployment_id}; DALP leaves it as it is."
    as_id = f" as {deployment_id}" if deployment_id else ""
    again = " again, whether or not its code differs" if plan.known else ""
    if journal.is_prediction:
        return f"DALP would register {plan.url}{as_id}{again}, if the service then answers Restate."
    return f"DALP registered {plan.url}{as_id}{again}."
