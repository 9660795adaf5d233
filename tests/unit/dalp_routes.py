# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of DALP's operator routes. An instance of DALP cannot be had here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._dalp.client import DalpClient
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer

KEY = "sm_dalp_0123456789"
PREFIX = "/api/v2/admin/operator/restate"
ACK = answer(200, {"acknowledged": True})

Call = Callable[[DalpClient], object]
DOCTOR: Call = lambda dalp: dalp.doctor()  # noqa: E731
REDEPLOY: Call = lambda dalp: dalp.force_redeploy("http://ddwf:9080", force=True)  # noqa: E731
CLEANUP: Call = lambda dalp: dalp.cleanup_stale_deployments("http://ddwf:9080", force_drain=False)  # noqa: E731
RECOVER: Call = lambda dalp: dalp.recover_stuck_workflow("InvitationWorkflow", "invitation_1")  # noqa: E731
WRITES = [
    pytest.param(REDEPLOY, id="force-redeploy"),
    pytest.param(CLEANUP, id="cleanup-stale-deployments"),
    pytest.param(RECOVER, id="recover-stuck-workflow"),
]
ROUTES = [pytest.param(DOCTOR, id="doctor"), *WRITES]


def client(
    url: str,
    clock: FakeClock | None = None,
    *,
    check_mode: bool = False,
    prefix: str = PREFIX,
    **options: Any,
) -> DalpClient:
    """Make a client of a DALP at a URL."""
    connection = Connection(url=url, headers={"X-Api-Key": KEY}, **{"request_timeout": 2.0, **options})
    return DalpClient(connection, prefix, WriteGuard(check_mode=check_mode), clock or FakeClock())


def failure(call: Callable[[], object]) -> OperatorError:
    """Return the error that a call raises."""
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value
