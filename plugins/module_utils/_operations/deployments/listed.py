# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is registered, as far as DALP's doctor tells."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ..._dalp.wire import Deployment, Health
from ..._errors import OperatorError
from ..waiting import wait_until
from .registry import only_match

if t.TYPE_CHECKING:
    from ..._dalp.client import DalpClient

UNKNOWN_OUTCOME = "No answer of DALP tells whether it was carried out."
"""Why a result says changed after a write whose outcome is unknown."""

_REFUSALS = ("OFFCHAIN_USER_PERMISSION_REQUIRED", "RESTATE_INVALID_ARGUMENT")
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
    return sorted(deployments, key=lambda deployment: (deployment.created or _LONG_AGO, deployment.id))


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


def have_risen(before: Listed, now: Listed) -> bool | None:
    """Whether a revision of a service that was there before has risen; None where that is not told."""
    if before.revisions is None or now.revisions is None:
        return None
    if before.revisions.keys() - now.revisions.keys():
        return None
    return any(now.revisions[name] > revision for name, revision in before.revisions.items())


def not_begun(error: OperatorError) -> bool:
    """Whether DALP has certainly not begun with what failed so; without a status nothing was sent, or it is open."""
    if error.status is None:
        return not error.outcome_unknown
    return error.code in _REFUSALS or error.status == 429


@dataclass(frozen=True)
class LastLook:
    """What the doctor listed last, or None where it could not tell at any time; O(why) is then the reason."""

    listed: Listed | None
    why: str = ""


def look_until(dalp: DalpClient, is_so: t.Callable[[Listed], bool], *, seconds: float) -> LastLook:
    """Ask the doctor until what it lists is so, or for so many seconds."""
    last = LastLook(None)

    def look() -> bool:
        nonlocal last
        try:
            last = LastLook(Listed.read(dalp))
        except OperatorError as exc:
            last = LastLook(last.listed, exc.message)
            return False
        return last.listed is not None and is_so(last.listed)

    # Each look is a row in DALP's audit.
    wait_until(
        look,
        clock=dalp.clock,
        seconds=seconds,
        pause=0.5,
        growth=1.5,
        progress=lambda: "waiting until DALP's doctor shows it",
    )
    return last


def check_service_removal(allowed: bool | None) -> None:
    """Raise RESTATE_UNSUPPORTED where the operator forbids that services go: DALP does not tell which would."""
    if allowed is False:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            "backend: dalp cannot honour allow_service_removal: false; nothing was sent. DALP does not tell which "
            "services a deployment has.",
            remedy="Leave it out where services may go, or use backend: restate.",
            reason="backend",
        )
