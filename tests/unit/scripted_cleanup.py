# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cleanup of what L(ScriptedAdmin) has."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin


def cleaned(serve: Serve, script: ScriptedAdmin, *, check_mode: bool = False, **asked: Any) -> Report:
    """Keep dp_new, and return the report; it waits for nothing unless a drain_timeout is given."""
    restate = restate_at(serve(script), check_mode=check_mode, clock=script.clock)
    return operate(BACKEND, restate, cleanup_request(**{"drain_timeout": 0, **asked}))


def remaining(report: Report) -> dict[str, str]:
    """The deployments that remain, each with its reason."""
    return {entry["deployment_id"]: entry["reason"] for entry in report.details["remaining"]}
