# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup advises where a deployment stays: never what it was given already."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.remedies import remedy_of
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request

REASONS = [
    "drain_timeout",
    "paused_invocations",
    "handler_not_served",
    "service_type_changed",
    "handler_type_changed",
    "protocol_not_supported",
    "migrate_unsupported",
    "migration_failed",
    "kill_failed",
    "unknown",
    "became_latest",
]


@pytest.mark.parametrize("pending", ["migrate", "cancel", "kill", "abandon"])
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_remedy_that_is_not_force_drain_where_that_was_given(
    reason: str, pending: str
) -> None:
    remedy = remedy_of([reason], cleanup_request(force_drain=True, pending=pending))
    assert remedy
    assert "decide with force_drain" not in remedy
    if reason == "drain_timeout":
        assert f"pending: {pending}" not in remedy


def test_without_force_drain_the_remedy_of_the_code_holds() -> None:
    assert remedy_of(["drain_timeout"], cleanup_request(force_drain=False)) == ""
    assert "force_drain" in ERROR_CODES["RESTATE_DRAIN_TIMEOUT"].remedy


def test_each_of_several_reasons_has_its_own_remedy() -> None:
    request = cleanup_request(force_drain=True)
    remedy = remedy_of(["handler_not_served", "paused_invocations"], request)
    assert remedy.startswith("handler_not_served: Let them end where they are ")
    assert " paused_invocations: They may have been paused on purpose" in remedy
