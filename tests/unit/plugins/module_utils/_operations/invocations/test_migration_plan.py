# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which unfinished invocations can be moved to the kept deployment."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.fit import Offer
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.migration_plan import (
    plan_migration,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation, service

SERVED = Offer(
    "dp_new",
    {
        "Flow": service("Flow"),
        "Other": service("Other", ty="VirtualObject", handlers={"approve": "Exclusive"}),
    },
    5,
    6,
)
RUNNING = invocation("inv_1", "invoked")
PAUSED = invocation("inv_2", "paused")
UNKNOWN_HANDLER = invocation("inv_3", "suspended", "approve")
UNKNOWN_SERVICE = invocation("inv_4", "suspended", target_service_name="Gone")
PAUSED_UNKNOWN = invocation("inv_5", "paused", "approve")


@pytest.mark.parametrize(("rows", "move_paused", "movable", "remaining"), [
    pytest.param([], False, [], {}, id="nothing"),
    pytest.param([RUNNING], False, ["inv_1"], {}, id="what the kept one serves is moved"),
    pytest.param([PAUSED], False, [], {"paused_invocations": ["inv_2"]}, id="what is paused may be so on purpose"),
    pytest.param([PAUSED], True, ["inv_2"], {}, id="what is paused is moved where that is asked"),
    pytest.param([UNKNOWN_HANDLER], True, [], {"handler_not_served": ["inv_3"]}, id="a handler of another service"),
    pytest.param([UNKNOWN_SERVICE], True, [], {"handler_not_served": ["inv_4"]}, id="a service that is not served"),
    pytest.param([PAUSED_UNKNOWN], False, [], {"handler_not_served": ["inv_5"]}, id="paused and not served"),
    pytest.param([RUNNING, PAUSED, UNKNOWN_HANDLER, UNKNOWN_SERVICE], False, ["inv_1"],
                 {"paused_invocations": ["inv_2"], "handler_not_served": ["inv_3", "inv_4"]}, id="each by itself"),
])  # fmt: skip
def test_what_can_be_moved_and_what_remains(
    rows: list[Invocation], move_paused: bool, movable: list[str], remaining: dict[str, list[str]]
) -> None:
    plan = plan_migration(rows, SERVED, began_on=None, move_paused=move_paused)
    assert [row.id for row in plan.movable] == movable
    assert {reason: list(ids) for reason, ids in plan.remaining.items()} == remaining


def test_nothing_is_moved_to_a_deployment_that_serves_nothing() -> None:
    plan = plan_migration([RUNNING], Offer("dp_new"), began_on=None, move_paused=True)
    assert plan.remaining == {"handler_not_served": ["inv_1"]}


def test_what_does_not_fit_in_the_same_way_is_told_in_one_sentence() -> None:
    rows = [invocation(f"inv_{each}", "invoked", pinned_service_protocol_version=7) for each in (1, 2)]
    (warning,) = plan_migration(rows, SERVED, began_on=None, move_paused=True).warnings
    assert warning.startswith("2 invocations cannot be moved: Flow/run began with version 7 ")
    assert warning.endswith(": inv_1, inv_2.")
