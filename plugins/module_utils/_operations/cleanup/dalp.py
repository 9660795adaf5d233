# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove all deployments but one through DALP."""

from __future__ import annotations

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..deployments.listed import Listed, check_service_removal, look_until, not_begun
from ..journal import Journal
from ..operation import Backend
from .dalp_plan import CleanupRequest, Plan, make_plan, predict, subjects
from .dalp_report import make_report
from .refusals import check

# Observe


def observe(dalp: DalpClient, request: CleanupRequest) -> Listed:
    """Return what is registered."""
    check(request.service_url, request.assume_registered, check_mode=dalp.check_mode)
    check_service_removal(request.allow_service_removal)
    return Listed.read(dalp)


# Apply and verify


def apply(dalp: DalpClient, plan: Plan, journal: Journal) -> None:
    """Have DALP drain and remove the others; what its doctor lists afterwards tells what became of each."""
    if not plan.removals or plan.kept is None:
        return
    ids = [removal.id for removal in plan.removals]
    seconds, error = plan.request.drain_timeout, None
    journal.sending("remove", ids)
    try:
        # The route wants the URL to the letter.
        dalp.cleanup_stale_deployments(str(plan.kept.service_url), force_drain=plan.request.force_drain)
    except OperatorError as exc:
        if not_begun(exc):
            journal.not_done("remove", ids, "interrupted")
            raise
        # One look must do: an acknowledgement that was not heard is nothing to wait for.
        seconds, error = 0, exc
    last = look_until(dalp, lambda now: not set(ids) & now.deployments.keys(), seconds=seconds)
    if last.listed is None:
        journal.unknown("remove", ids, last.why)
    else:
        _note(last.listed, plan.kept, ids, journal, error)
    if error:
        raise error


def _note(
    now: Listed, kept: Deployment, ids: list[str], journal: Journal, error: OperatorError | None
) -> None:
    journal.seen_after["deployments"] = now.deployments
    journal.done("remove", [each for each in ids if each not in now.deployments])
    remaining = [each for each in ids if each in now.deployments]
    if error is None:
        journal.not_done("remove", remaining, "drain_timeout")
    elif not error.outcome_unknown:
        journal.not_done("remove", remaining, "interrupted")
    if kept.id not in now.deployments:
        journal.done("remove", [kept.id])


BACKEND = Backend(
    request=CleanupRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
    subjects=subjects,
)
