# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations driven by their entry, as a task drives them."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.execution import Execution
from ansible_collections.dalp.restate.plugins.module_utils._operations.operation import Backend
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report


def carry_out(backend: Backend, server: Any, request: Any) -> Report:
    """Carry an operation out and return its report, also where it was cut off.

    What ends it before there is a plan is raised.
    """
    execution = Execution(backend, server, request)
    ended_by = None
    try:
        execution.run()
    except OperatorError as exc:
        ended_by = exc
    report = execution.report(ended_by)
    if report is None:
        assert ended_by is not None
        raise ended_by
    return report
