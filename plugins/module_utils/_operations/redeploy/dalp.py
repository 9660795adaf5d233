# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release through DALP."""

from __future__ import annotations

from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..._http import urls
from ..._restate.wire import parsed_version
from ..deployments.dalp_registry import UNKNOWN, Listed, not_begun, note_unread, settled
from ..deployments.registry import STALE_READ_SECONDS, check_service_url
from ..report import Report


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
    url = urls.without_secrets(request.service_url)
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
            # It is not listed, or two deployments are now at the URL.
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
    try:
        answered = dalp.force_redeploy(request.service_url, force=request.force)
    except OperatorError as exc:
        report.error, report.changed = exc, False
        if not not_begun(exc):
            _look_once(dalp, request, before, report, is_unknown=exc.outcome_unknown)
        return
    report.done, report.not_done = report.not_done, []
    if answered:
        report.details["deployment_id"] = answered
    _verify(dalp, request, before, known, report)


def _look_once(
    dalp: DalpClient, request: RedeployRequest, before: Listed, report: Report, *, is_unknown: bool
) -> None:
    """Say after an error what the doctor shows of it all the same."""
    now, _why = settled(dalp, lambda _now: True, seconds=0)
    match = now.at(request.service_url) if now else None
    if match and match.id not in before.deployments:
        report.changed = True
        report.details["deployment_id"] = match.id
        report.done, report.not_done = report.not_done, []
    elif is_unknown:
        report.changed = True
        report.details["changed_reason"] = UNKNOWN
    elif now and match and _have_risen(before, now):
        report.changed = True
        report.details["changed_reason"] = "Revisions of services have risen since, by this or by other work."


def _verify(
    dalp: DalpClient, request: RedeployRequest, before: Listed, known: Deployment | None, report: Report
) -> None:
    """Wait until the doctor shows what was acknowledged, and say what changed."""
    answered = report.details.get("deployment_id")

    def match(now: Listed) -> Deployment | None:
        return now.deployments.get(answered or "") or now.at(request.service_url)

    overwrites = known is not None and request.force
    after, why = settled(
        dalp,
        lambda now: match(now) is not None and not (overwrites and _have_risen(before, now) is False),
        seconds=min(request.wait_timeout, STALE_READ_SECONDS) if overwrites else request.wait_timeout,
    )
    if after is None:
        note_unread(report, why)
        return
    deployment = match(after)
    if deployment is None:
        raise OperatorError(
            "RESTATE_DEPLOYMENT_NOT_FOUND",
            f"DALP registered {report.subject}{f' as {answered}' if answered else ''}, but its doctor does not list it "
            f"after {request.wait_timeout} s.",
            remedy="Run restate_doctor: another release may have been registered at the same time.",
            deployment_ids=[answered] if answered else None,
        )
    report.details["deployment_id"] = deployment.id
    if deployment.id not in before.deployments:
        report.changed = True
    elif overwrites:
        risen = _have_risen(before, after)
        report.changed = risen is not False
        if not risen:
            told = (
                "the same revisions of services as before" if risen is False else "no revisions of services"
            )
            report.details["changed_reason"] = f"DALP acknowledged, and its doctor shows {told}."


def _have_risen(before: Listed, now: Listed) -> bool | None:
    """Whether a revision of a service that was there before has risen; None where that is not told."""
    if before.revisions is None or now.revisions is None:
        return None
    if before.revisions.keys() - now.revisions.keys():
        return None
    return any(now.revisions[name] > revision for name, revision in before.revisions.items())


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
