# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys DALP is asked to clear; what comes of it cannot be predicted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..._dalp.wire import Health
from ..._errors import OperatorError
from ..journal import Journal

_NAME = re.compile(r"[A-Za-z0-9_-]+")
Name = tuple[str, str]
"""A service and a key."""


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """What the operator asked: one key or a list of keys."""

    service_name: str | None = None
    service_key: str | None = None
    workflows: list[dict[str, str]] | None = None
    skip_blocked: bool

    @property
    def names(self) -> list[Name]:
        """The keys; raises RESTATE_INVALID_ARGUMENT for what the route does not take."""
        asked = [(self.service_name or "", self.service_key or "")]
        if self.workflows is not None:
            asked = [(entry["service_name"], entry["service_key"]) for entry in self.workflows]
        for name, key in asked:
            if not (_NAME.fullmatch(name) and _NAME.fullmatch(key)):
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT",
                    f"service_name {name!r} with service_key {key!r}: DALP takes letters, digits, underscores and "
                    "hyphens only. Nothing was sent.",
                    remedy="Correct it, or use backend: restate, which takes any key.",
                )
        return list(dict.fromkeys(asked))


@dataclass(frozen=True)
class Observed:
    """The keys, and how Restate was before; None where nothing is asked."""

    names: tuple[Name, ...]
    before: Health | None
    url: str


@dataclass(frozen=True)
class Plan:
    """Each key is cleared by one call; what comes of it cannot be predicted."""

    request: RecoveryRequest
    observed: Observed
    error: OperatorError | None = None

    @property
    def names(self) -> tuple[Name, ...]:
        """The keys."""
        return self.observed.names


def make_plan(observed: Observed, request: RecoveryRequest) -> Plan:
    """Return what is to be asked of DALP."""
    return Plan(request, observed)


def predict(plan: Plan) -> Journal:
    """Return a journal that says of each key that what would become of it is unknown."""
    journal = Journal(is_prediction=True)
    journal.unknown("recover", ["/".join(name) for name in plan.names], "")
    return journal
