# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow services whose keys are recovered."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._restate.wire import Handler, Service
from .inputs import Input
from .submission import AcceptedInput, UnfitInputError

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

_DEFAULT_RETENTION = 86400
# As Restate writes durations, in the long and the short form; what is not known counts as nothing.
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hou": 3600, "hr": 3600, "d": 86400, "day": 86400}


@dataclass(frozen=True)
class Workflow:
    """A workflow service. O(service) is None where it is no longer registered but still has rows.

    `accepts` is what its run handler takes; None if that was not read.
    """

    name: str
    run_handlers: frozenset[str]
    service: Service | None
    accepts: AcceptedInput | None = None

    def submission(self, key: str, content: Input) -> Input:
        """Return an input as it is submitted. Raises `UnfitInputError` if the ingress would refuse it."""
        return self.accepts.submission(key, content) if self.accepts else content

    def why_not_submitted(self, key: str, content: Input) -> str:
        """Return why the ingress would refuse an input; empty if it would not."""
        try:
            self.submission(key, content)
        except UnfitInputError as exc:
            return str(exc)
        return ""

    @property
    def retention(self) -> int:
        """For how long at least a run leaves a row when it has completed, in seconds; zero where it leaves none."""
        text = self.service.workflow_completion_retention if self.service else None
        if text is None:
            return _DEFAULT_RETENTION
        amounts: list[tuple[str, str]] = re.findall(r"(\d+)\s*([a-z]*)", text)
        return sum(int(number) * _UNITS.get(unit[:3], 0) for number, unit in amounts)

    @property
    def run_handler(self) -> Handler | None:
        """The run handler, where it can be called through the ingress."""
        if self.service is None or self.service.public is False:
            return None
        handlers = [handler for handler in self.service.handlers if handler.ty == "Workflow"]
        return handlers[0] if handlers and handlers[0].public is not False else None


def read_accepted_input(admin: AdminClient, workflow: Workflow) -> AcceptedInput:
    """Return what the run handler of a workflow accepts; raise RESTATE_UNSUPPORTED if it cannot be called."""
    handler = workflow.run_handler
    document = admin.openapi(workflow.name) if handler else None
    if handler is None or document is None:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"{workflow.name} cannot be submitted through the ingress: its run handler is not registered or not "
            "public. Nothing was touched.",
            remedy="Leave out resubmit, and have its callers submit it again.",
        )
    accepted = document.input_of(workflow.name, handler.name)
    if accepted is None:
        raise OperatorError(
            "RESTATE_UNEXPECTED_RESPONSE",
            f"The server does not tell which input {workflow.name}/{handler.name} accepts. Nothing was touched.",
        )
    return AcceptedInput(*accepted)


def read_workflow(admin: AdminClient, name: str) -> Workflow:
    """Return a workflow service; raise RESTATE_INVALID_ARGUMENT where there is none of that name."""
    service = admin.service(name)
    if service:
        _require_workflow(name, "is", service.ty)
        return Workflow(name, service.run_handlers, service)
    rows = admin.query(admin.questions.any_of_service(name))
    if not rows and not admin.query(admin.questions.any_state_of_service(name)):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"There is no service {name}: it is not registered, and Restate holds nothing of it.",
            remedy="Run restate_doctor and use the service's exact name.",
        )
    if rows:
        _require_workflow(name, "was", rows[0].target_service_ty)
    # Restate's name for it; a service that is no longer registered cannot say another.
    return Workflow(name, frozenset({"run"}), None)


def _require_workflow(name: str, verb: str, ty: str) -> None:
    if ty.lower() != "workflow":
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} {verb} a {ty}; only the keys of a Workflow can be given a fresh start.",
        )
