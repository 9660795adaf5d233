# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give workflow keys a fresh start through DALP, one call for each; the doctor tells before and after what changed."""

from __future__ import annotations

from ..._dalp.client import DalpClient
from ..._dalp.wire import Invocations
from ..._errors import OperatorError
from ..journal import DONE, UNKNOWN, Journal
from ..operation import Backend
from .dalp_plan import Observed, Plan, RecoveryRequest, make_plan, predict
from .dalp_report import make_report, may_have_changed
from .key_plan import BLOCKED, RECOVERED
from .progress import how_many_done


def observe(dalp: DalpClient, request: RecoveryRequest) -> Observed:
    """Return the keys and how Restate is."""
    names = tuple(request.names)
    return Observed(names, dalp.doctor() if names else None, dalp.shown_url)


def apply(dalp: DalpClient, plan: Plan, journal: Journal) -> None:
    """Have DALP clear the keys, one after another; a blocked one among many does not stop the others."""
    error: OperatorError | None = None
    with dalp.clock.telling(lambda: _how_far(plan, journal)):
        for service, key in plan.names:
            error = _recover(dalp, service, key, journal)
            if error and (error.code != "RESTATE_WORKFLOW_RETRY_BLOCKED" or len(plan.names) == 1):
                break
            error = None
            dalp.clock.progress()
    if plan.names:
        _look_again(dalp, journal)
    if error:
        raise error


def _how_far(plan: Plan, journal: Journal) -> str:
    entries = [each for each in journal.entries("recover").values() if each.state != UNKNOWN]
    # What else goes wrong with one key ends the task.
    outcomes = [RECOVERED if each.state == DONE else BLOCKED for each in entries]
    return how_many_done(outcomes, len(plan.names))


def _recover(dalp: DalpClient, service: str, key: str, journal: Journal) -> OperatorError | None:
    """Have DALP clear a key, and return why it did not."""
    name = f"{service}/{key}"
    journal.sending("recover", [name])
    try:
        dalp.recover_stuck_workflow(service, key)
    except OperatorError as exc:
        journal.learn(name, error=exc)
        if not exc.outcome_unknown:
            journal.not_done("recover", [name], exc.reason or "", exc.message, exc.http)
        return exc
    journal.done("recover", [name])
    return None


def _look_again(dalp: DalpClient, journal: Journal) -> None:
    """Note how Restate is now, where that may tell what changed."""
    if journal.subjects("recover", UNKNOWN) or not may_have_changed(journal):
        return
    try:
        journal.seen_after["invocations"] = _invocations(dalp)
    except OperatorError as exc:
        journal.seen_after["unread"] = exc.message


def _invocations(dalp: DalpClient) -> Invocations:
    return dalp.doctor().invocations


BACKEND = Backend(
    request=RecoveryRequest,
    observe=observe,
    plan=make_plan,
    predict=predict,
    apply=apply,
    report=make_report,
)
