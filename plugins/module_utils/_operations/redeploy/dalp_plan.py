# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP is asked to register: a pure function of what it lists and what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from ..._dalp.wire import Deployment
from ..._errors import OperatorError
from ..._http import urls
from ..._restate.versions import capabilities_of
from ..._restate.wire import parsed_version
from ..approval import NOTHING, Subject
from ..deployments.listed import Listed
from ..journal import Journal


@dataclass(frozen=True, kw_only=True)
class RedeployRequest:
    """What the operator asked; O(wait_timeout), in seconds, is for the doctor to list what was registered."""

    service_url: str
    force: bool
    allow_service_removal: bool | None = None
    wait_timeout: int


@dataclass(frozen=True)
class Observed:
    """What is registered; O(version) is Restate's, where the doctor told it."""

    before: Listed
    version: str | None


@dataclass(frozen=True)
class Plan:
    """What is to be done; O(known) is what is registered at the URL."""

    request: RedeployRequest
    before: Listed
    known: Deployment | None
    warnings: tuple[str, ...]
    error: OperatorError | None = None

    @property
    def url(self) -> str:
        """The URL as it may be shown."""
        return urls.without_secrets(self.request.service_url)

    @property
    def overwrites(self) -> bool:
        """Whether a known URL is registered again."""
        return self.known is not None and self.request.force

    @property
    def step(self) -> dict[str, str]:
        """The one step as the result shows it."""
        return {"action": "overwrite" if self.overwrites else "register", "service_url": self.url}


def make_plan(observed: Observed, request: RedeployRequest) -> Plan:
    """Return what is to be done."""
    known = observed.before.at(request.service_url)
    warnings = () if known is None or request.force else (_left_as_it_is(known, observed.version),)
    return Plan(request, observed.before, known, warnings)


def _left_as_it_is(known: Deployment, told_version: str | None) -> str:
    warning = (
        f"{known.shown_url} is registered as {known.id}, and DALP does not tell whether its code is what is "
        "registered: with force: false it stays as it is."
    )
    version = parsed_version(told_version)
    if version and not capabilities_of(version.release).leaves_known_url:
        warning += f" Restate {version.version} refuses to register it without force, so the task will fail."
    return warning


def predict(plan: Plan) -> Journal:
    """Return the journal that applying the plan would leave, if the service answers Restate."""
    journal = Journal(is_prediction=True)
    if plan.known and not plan.overwrites:
        journal.not_done("register", ["register"], "known")
    else:
        journal.done("register", ["register"])
    return journal


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of the URL; DALP does not tell what is offered there."""
    action = NOTHING if plan.known and not plan.overwrites else plan.step["action"]
    return [Subject(urls.in_one_form(plan.request.service_url), action, plan.known and plan.known.id)]
