# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove all deployments but one through DALP."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..._http import urls
from ..deployments.dalp_registry import UNKNOWN, Listed, not_begun, note_unread, settled
from ..deployments.registry import check_service_url
from ..report import Report, count


@dataclass(frozen=True, kw_only=True)
class CleanupRequest:
    """What the operator asked; O(drain_timeout), in seconds, is for the doctor to list the others no longer.

    O(allow_service_removal) is None unless the operator said.
    """

    service_url: str
    force_drain: bool
    drain_timeout: int
    max_removed: int
    allow_service_removal: bool | None = None
    assume_registered: dict[str, t.Any] | None = None


def cleanup(dalp: DalpClient, request: CleanupRequest) -> Report:
    """Have DALP keep O(request.service_url) and drain all others; the doctor's answers tell what was removed."""
    _check(dalp, request)
    before = Listed.read(dalp)
    kept = before.at(request.service_url)
    if kept is None and not request.assume_registered:
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"No registered deployment is at {urls.without_secrets(request.service_url)}; nothing was touched.",
        )
    going = [deployment for deployment in before.deployments.values() if deployment is not kept]
    report = Report(
        msg="",
        subject=urls.without_secrets(request.service_url),
        details=_details(kept, going, before, request),
        before=_described(before.deployments.values()),
        after=_described(before.deployments.values()),
    )
    report.error = _refusal(kept, going, request)
    if going and not report.error:
        report.warnings = _warnings(before, going, request)
        if dalp.check_mode:
            report.details["removed"] = [deployment.id for deployment in going]
        elif kept:
            _carry_out(dalp, request, kept, going, report)
    removed = report.details.get("removed")
    if removed is not None:
        report.changed = bool(removed) or bool(report.error and report.error.outcome_unknown)
        report.after = _described(each for each in before.deployments.values() if each.id not in removed)
    report.acknowledged = report.error is None
    report.msg = (
        report.error.message if report.error else _sentence(report, going, check_mode=dalp.check_mode)
    )
    return report


def _check(dalp: DalpClient, request: CleanupRequest) -> None:
    check_service_url(request.service_url)
    if request.allow_service_removal is False:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            "backend: dalp cannot honour allow_service_removal: false; nothing was sent. DALP does not tell which "
            "services a deployment has.",
            remedy="Leave it out where every other deployment may go, or use backend: restate.",
            reason="backend",
        )
    if not request.assume_registered:
        return
    if not dalp.check_mode:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "assume_registered is for check mode: outside it a deployment must really be registered.",
        )
    assumed = request.assume_registered.get("service_url")
    if not isinstance(assumed, str) or not urls.is_same_endpoint(assumed, request.service_url):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "assume_registered is not the deployment at service_url that restate_redeploy returned.",
        )


# Plan


def _details(
    kept: Deployment | None, going: list[Deployment], before: Listed, request: CleanupRequest
) -> dict[str, t.Any]:
    action = "remove"
    if before.unfinished != 0:
        action = "force_drain_then_remove" if request.force_drain else "wait_then_remove"
    steps = [
        {"action": action, "deployment_id": deployment.id, "service_url": deployment.shown_url}
        for deployment in going
    ]
    shown = {"service_url": kept.shown_url if kept else urls.without_secrets(request.service_url)}
    return {
        "kept": {**shown, "deployment_id": kept.id} if kept else shown,
        "removed": [],
        "remaining": [],
        "steps": steps,
    }


def _refusal(
    kept: Deployment | None, going: list[Deployment], request: CleanupRequest
) -> OperatorError | None:
    if len(going) > request.max_removed:
        return OperatorError(
            "RESTATE_SERVICE_REMOVAL_REFUSED",
            f"{count(len(going), 'deployment')} would be removed, more than max_removed ({request.max_removed}); "
            "nothing was touched.",
            remedy="Check that service_url is right; then raise max_removed. DALP has no other way to narrow it.",
            reason="max_removed",
            deployment_ids=[deployment.id for deployment in going],
        )
    newer = [
        deployment
        for deployment in going
        if kept and kept.created and deployment.created and deployment.created > kept.created
    ]
    if newer and not request.assume_registered and not request.allow_service_removal:
        return OperatorError(
            "RESTATE_SERVICE_REMOVAL_REFUSED",
            f"{', '.join(deployment.id for deployment in newer)} was registered after {kept.id if kept else ''}, which "
            "would be kept, and may be the latest of its services; nothing was touched.",
            remedy="Check that service_url is right. Where it is, register it again first (restate_redeploy), or set "
            "allow_service_removal to true.",
            reason="newer_deployment",
            deployment_ids=[deployment.id for deployment in newer],
        )
    return None


def _warnings(before: Listed, going: list[Deployment], request: CleanupRequest) -> list[str]:
    warnings = []
    ageless = [deployment.id for deployment in going if deployment.created is None]
    if ageless:
        warnings.append(
            f"DALP does not tell when {', '.join(ageless)} was registered: it may be newer than what is kept."
        )
    if before.unfinished == 0:
        return warnings
    number = (
        "Unfinished invocations"
        if before.unfinished is None
        else count(before.unfinished, "unfinished invocation")
    )
    if request.force_drain:
        outcome = "forceDrain ends what cannot drain, and DALP does not tell what becomes of it."
    else:
        outcome = (
            f"what DALP does not drain and remove within {request.drain_timeout} s stays, and makes the task fail with "
            "RESTATE_DRAIN_TIMEOUT."
        )
    return [*warnings, f"{number} may be on deployments that go, and DALP does not tell on which: {outcome}"]


# Apply and verify


def _carry_out(
    dalp: DalpClient, request: CleanupRequest, kept: Deployment, going: list[Deployment], report: Report
) -> None:
    report.not_done = report.details["steps"]
    seconds = request.drain_timeout
    try:
        # The route wants the URL to the letter.
        dalp.cleanup_stale_deployments(str(kept.service_url), force_drain=request.force_drain)
    except OperatorError as exc:
        report.error = exc
        if not_begun(exc):
            _tell(report, going, left=going)
            return
        # One look must do: an acknowledgement that was not heard is nothing to wait for.
        seconds = 0
    ids = {deployment.id for deployment in going}
    after, why = settled(dalp, lambda now: not ids & now.deployments.keys(), seconds=seconds)
    if after is None:
        del report.details["removed"], report.details["remaining"]
        report.after = {}
        note_unread(report, why)
        if report.error and report.error.outcome_unknown:
            report.details["changed_reason"] = UNKNOWN
        return
    if report.error and report.error.outcome_unknown:
        report.details["changed_reason"] = UNKNOWN
    left = [deployment for deployment in going if deployment.id in after.deployments]
    _tell(report, going, left=left)
    if kept.id not in after.deployments:
        report.details["removed"].append(kept.id)
    report.error = report.error or _why_not_done(after, kept, left, request)


def _tell(report: Report, going: list[Deployment], *, left: list[Deployment]) -> None:
    """Say what was removed and what remains."""
    reason = "interrupted" if report.error else "drain_timeout"
    report.details["removed"] = [deployment.id for deployment in going if deployment not in left]
    report.details["remaining"] = [
        {"deployment_id": each.id, "service_url": each.shown_url, "reason": reason} for each in left
    ]
    report.done = [step for step in report.not_done if step["deployment_id"] in report.details["removed"]]
    report.not_done = [step for step in report.not_done if step not in report.done]


def _why_not_done(
    after: Listed, kept: Deployment, left: list[Deployment], request: CleanupRequest
) -> OperatorError | None:
    if kept.id not in after.deployments:
        return OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"DALP acknowledged, but {kept.id} at {kept.shown_url}, which was to be kept, is no longer listed.",
            remedy="Register it again at once (restate_redeploy), then run restate_doctor.",
            deployment_ids=[kept.id],
        )
    if not left:
        return None
    shown = ", ".join(f"{each.id} at {each.shown_url}" for each in left)
    return OperatorError(
        "RESTATE_DRAIN_TIMEOUT",
        f"DALP acknowledged, but {count(len(left), 'other deployment')} still registered after "
        f"{request.drain_timeout} s: {shown}.",
        remedy="Run it again when their invocations have completed; set force_drain to true only where they point to "
        "dead services.",
        reason="drain_timeout",
        deployment_ids=[each.id for each in left],
    )


# Show


def _described(deployments: t.Iterable[Deployment]) -> dict[str, t.Any]:
    return {"deployments": {each.id: {"service_url": each.shown_url} for each in deployments}}


def _sentence(report: Report, going: list[Deployment], *, check_mode: bool) -> str:
    kept = report.details["kept"]["service_url"]
    if not going:
        return f"Nothing to remove: {kept} is the only deployment."
    verb = "would keep" if check_mode else "keeps"
    if "removed" not in report.details:
        return f"DALP acknowledged that it keeps {kept} and drains all others; whether it did is not known."
    return (
        f"DALP {verb} {kept} and {'would remove' if check_mode else 'removed'} all others (remove: all is what its "
        f"route does): {count(len(report.details['removed']), 'deployment')}."
    )
