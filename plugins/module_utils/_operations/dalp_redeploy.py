# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release through DALP."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.dalp.restate.plugins.module_utils._dalp.client import DalpClient
from ansible_collections.dalp.restate.plugins.module_utils._dalp.wire import Deployment
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http import urls
from ansible_collections.dalp.restate.plugins.module_utils._operations.dalp_registry import (
    UNKNOWN,
    Listed,
    note_unread,
    settled,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments import check_service_url
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import parsed_version

_REFUSALS = ("OFFCHAIN_USER_PERMISSION_REQUIRED", "RESTATE_INVALID_ARGUMENT")
"""With these DALP has certainly not begun."""


@dataclass(frozen=True, kw_only=True)
class RedeployRequest:
    """What the operator asked; O(wait_timeout), in seconds, is for the doctor to list what was registered."""

    service_url: str
    force: bool
    wait_timeout: int


def redeploy(dalp: DalpClient, request: RedeployRequest) -> Report:
    """Have DALP register O(request.service_url); the doctor's answers before and after tell what changed.

    With O(request.force) Restate registers a known URL again and raises the revisions of its services, whether its
    code differs or not. Without, it leaves a known URL as it is.
    """
    check_service_url(request.service_url)
    before = Listed.read(dalp)
    known = before.at(request.service_url)
    url = urls.shown(request.service_url)
    step = {"action": "overwrite" if known and request.force else "register", "service_url": url}
    there = {"service_url": url, "deployment_id": known.id} if known else {}
    report = Report(
        msg="",
        subject=url,
        changed=not known or request.force,
        details={"deployment": {"service_url": url}, "steps": [step]},
        before=there,
        after={**there, "registered_again": True}
        if known and request.force
        else there or {"service_url": url},
        warnings=_warnings(dalp, known, request),
    )
    if known:
        report.details["deployment_id"] = known.id
    if not dalp.check_mode:
        report.not_done = [step]
        try:
            _carry_out(dalp, request, before, known, report)
        except OperatorError as exc:
            # Two deployments are now at the URL.
            report.error = exc
    if not report.changed:
        report.after = report.before
    report.acknowledged = report.error is None
    report.msg = (
        report.error.message if report.error else _sentence(report, known, check_mode=dalp.check_mode)
    )
    return report


def _warnings(dalp: DalpClient, known: Deployment | None, request: RedeployRequest) -> list[str]:
    if not known or request.force:
        return []
    warning = (
        f"{known.shown_url} is registered as {known.id}, and DALP does not tell whether its code is what is "
        "registered: with force: false it stays as it is."
    )
    version = parsed_version(dalp.known_version)
    if version and not version.at_least(1, 6):
        warning += f" Restate {version.version} refuses to register it without force, so the task will fail."
    return [warning]


def _carry_out(
    dalp: DalpClient, request: RedeployRequest, before: Listed, known: Deployment | None, report: Report
) -> None:
    answered = None
    seconds = request.wait_timeout
    try:
        answered = dalp.force_redeploy(request.service_url, force=request.force)
    except OperatorError as exc:
        report.error = exc
        if exc.code in _REFUSALS:
            report.changed = False
            return
        # One look must do: an acknowledgement that was not heard is nothing to wait for.
        seconds = 0
    expected = report.changed

    def there(now: Listed) -> Deployment | None:
        return now.deployments.get(answered) if answered else now.at(request.service_url)

    after, why = settled(
        dalp,
        lambda now: (
            bool(there(now)) and not (expected and _has_changed(before, now, known, request) is False)
        ),
        seconds=seconds,
    )
    match = there(after) if after else None
    changed = _has_changed(before, after, known, request) if after and match else None
    if report.error and not changed:
        report.changed = report.error.outcome_unknown
        if report.changed:
            report.details["changed_reason"] = UNKNOWN
        return
    report.done, report.not_done = report.not_done, []
    if match or answered:
        report.details["deployment_id"] = match.id if match else answered
    if after is None:
        note_unread(report, why)
    elif match is None:
        report.error = OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"DALP registered {report.subject}{f' as {answered}' if answered else ''}, but its doctor does not list it "
            f"after {request.wait_timeout} s.",
            remedy="Run restate_doctor: another release may have been registered at the same time.",
            deployment_ids=[answered] if answered else None,
        )
    elif changed is None:
        report.details["changed_reason"] = (
            "DALP acknowledged, and its doctor does not tell the revisions of the services."
        )
    else:
        report.changed = changed


def _has_changed(
    before: Listed, now: Listed, known: Deployment | None, request: RedeployRequest
) -> bool | None:
    """Whether it was registered since; None where that is not told."""
    match = now.at(request.service_url)
    if known is None or match is None or match.id != known.id:
        return match is not None and match.id not in before.deployments
    if not request.force:
        return False
    if before.revisions is None or now.revisions is None:
        return None
    return before.revisions != now.revisions


def _sentence(report: Report, known: Deployment | None, *, check_mode: bool) -> str:
    if not report.changed:
        return (
            f"{report.subject} is registered as {report.details['deployment_id']}; DALP leaves it as it is."
        )
    as_id = f" as {report.details['deployment_id']}" if "deployment_id" in report.details else ""
    again = " again, whether or not its code differs" if known else ""
    if check_mode:
        return f"DALP would register {report.subject}{as_id}{again}, if the service then answers Restate."
    return f"DALP registered {report.subject}{as_id}{again}."
