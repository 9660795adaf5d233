# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is registered with Restate, as far as DALP's doctor tells, before and after a write."""

from __future__ import annotations

import datetime
import time
import typing as t
from dataclasses import dataclass

from ..._dalp.client import DalpClient
from ..._dalp.wire import Deployment, Health
from ..._errors import OperatorError
from ..report import Report
from .registry import only_match

UNKNOWN = "No answer of DALP tells whether it was carried out."
"""Why a result says changed after a write whose outcome is unknown."""

_REFUSALS = ("OFFCHAIN_USER_PERMISSION_REQUIRED", "RESTATE_INVALID_ARGUMENT")
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Listed:
    """The registered deployments by id, in the order of their age.

    O(revisions) are those of the services by name, and O(unfinished) is how many invocations have not completed; None
    where the doctor does not tell.
    """

    deployments: dict[str, Deployment]
    revisions: dict[str, int] | None
    unfinished: int | None

    @classmethod
    def read(cls, dalp: DalpClient) -> Listed:
        """Ask the doctor; raises as L(Health) does where it cannot tell what is registered."""
        health = dalp.doctor()
        items = oldest_first(health.deployments.items)
        return cls({item.id: item for item in items}, _revisions(health), _unfinished(health))

    def at(self, service_url: str) -> Deployment | None:
        """Return the deployment that a URL means, or None; two are refused."""
        return only_match(self.deployments.values(), service_url)


def oldest_first(deployments: t.Iterable[Deployment]) -> list[Deployment]:
    """Return the deployments in the order in which they were registered, those of no known age before all others."""
    return sorted(deployments, key=lambda deployment: deployment.created or _LONG_AGO)


def _revisions(health: Health) -> dict[str, int] | None:
    try:
        return {service.name: service.revision for service in health.services.items}
    except OperatorError:
        return None


def _unfinished(health: Health) -> int | None:
    try:
        by_status = health.invocations.by_status
    except OperatorError:
        return None
    return sum(number for status, number in by_status.items() if status != "completed")


def note_unread(report: Report, why: str) -> None:
    """Say that what a write has changed could not be read afterwards; it counts as changed."""
    said = "refused" if report.error else "acknowledged"
    report.changed = True
    report.details["changed_reason"] = f"DALP {said}, and its doctor could not be read afterwards: {why}"
    report.warnings.append(f"{report.details['changed_reason']} Run restate_doctor.")


def not_begun(error: OperatorError) -> bool:
    """Whether DALP has certainly not begun with what failed so; without a status nothing was sent, or it is open."""
    if error.status is None:
        return not error.outcome_unknown
    return error.code in _REFUSALS or error.status == 429


def settled(
    dalp: DalpClient, there: t.Callable[[Listed], bool], *, seconds: float
) -> tuple[Listed | None, str]:
    """Return what the doctor lists once it is O(there), or last listed within so many seconds.

    That is None, with the reason, where it could not tell at any time.
    """
    last, why = None, ""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            last = Listed.read(dalp)
        except OperatorError as exc:
            why = exc.message
        else:
            if there(last):
                return last, ""
        left = deadline - time.monotonic()
        if left <= 0:
            return last, why
        # Each look is a row in DALP's audit.
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
