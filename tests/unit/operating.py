# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running an operation as the door of a task does, without options and without a record."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._operations.approval import Approval
from ansible_collections.dalp.restate.plugins.module_utils._operations.execution import Execution
from ansible_collections.dalp.restate.plugins.module_utils._operations.operation import Backend
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer


def restate_at(
    server: LoopbackServer, *, check_mode: bool = False, clock: FakeClock | None = None, **connection: Any
) -> Restate:
    """Return the Restate that a scripted server stands for; nobody waits for its clock."""
    to = Connection(url=server.url, **{"request_timeout": 2.0, "retries": 0, **connection})
    return Restate.at(to, [server.url], WriteGuard(check_mode=check_mode), clock or FakeClock())


def operate(backend: Backend, server: Any, request: Any) -> Report:
    """Return the report of an operation; raise what forbids it before there is a plan."""
    execution = Execution(backend, server, request, Approval("operation"))
    ended_by: OperatorError | None = None
    try:
        execution.run()
    except OperatorError as exc:
        ended_by = exc
    report = execution.report(ended_by)
    if report is None:
        assert ended_by is not None
        raise ended_by
    return report
