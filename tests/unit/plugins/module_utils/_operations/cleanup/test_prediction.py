# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a dry run of a cleanup foretells: its steps, what becomes of the work, and that the real run does just that."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.plan import (
    Observed,
    Plan,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.prediction import predict
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.report import make_report
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.pending import Pending
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.fit import Offer
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin
from ansible_collections.dalp.restate.tests.unit.scripted_cleanup import cleaned, remaining
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, invocation, registry, service

RELEASED = registry(
    deployment("dp_idle", "Flow", day=1),
    deployment("dp_busy", "Flow", day=2),
    deployment("dp_new", "Flow", day=3),
    latest={"Flow": "dp_new"},
)
ROWS = [
    invocation("inv_waits", "suspended"),
    invocation("inv_paused", "paused"),
    invocation("inv_before", "invoked", "before"),
]
ALL = [row.id for row in ROWS]


def plan_of(**asked: Any) -> Plan:
    request = cleanup_request(**asked)
    pending = {"dp_idle": 0, "dp_busy": 3, "dp_new": 0}
    migrates = request.force_drain and request.pending == "migrate"
    # What pends is only read where nothing will be waited for, or where it is to be moved.
    unfinished = {"dp_busy": ROWS} if migrates or not request.drain_timeout else {}
    ages = dict.fromkeys(pending, 86_400.0)
    offer = Offer("dp_new", {"Flow": service("Flow", "dp_new")}) if migrates else None
    return make_plan(Observed(RELEASED, Pending(pending), ages, unfinished, offer), request)


@pytest.mark.parametrize(("asked", "action", "is_conditional"), [
    ({"drain_timeout": 60}, "wait_then_remove", True),
    ({"drain_timeout": 60, "force_drain": True}, "wait_then_remove", True),
    ({"drain_timeout": 0}, "wait_then_remove", False),
    ({"drain_timeout": 0, "force_drain": True}, "migrate_then_remove", False),
    ({"drain_timeout": 0, "force_drain": True, "pending": "cancel"}, "cancel_then_remove", False),
    ({"drain_timeout": 0, "force_drain": True, "pending": "kill"}, "kill_then_remove", False),
    ({"drain_timeout": 0, "force_drain": True, "pending": "abandon"}, "abandon_then_remove", False),
])  # fmt: skip
def test_the_steps_say_what_is_waited_for_and_what_is_done_at_once(
    asked: dict[str, Any], action: str, is_conditional: bool
) -> None:
    idle, busy = (removal.step for removal in plan_of(**asked).removals)
    assert (idle["action"], idle["pending_invocations"], "conditional" in idle) == ("remove", 0, False)
    assert (busy["action"], busy["pending_invocations"]) == (action, 3)
    assert busy.get("conditional", False) is is_conditional


@pytest.mark.parametrize(("asked", "removed", "done", "why_it_stays"), [
    ({"drain_timeout": 60}, ["dp_idle", "dp_busy"], {}, None),
    ({"drain_timeout": 0}, ["dp_idle"], {}, "drain_timeout"),
    ({"pending": "migrate"}, ["dp_idle"], {"migrated": ["inv_waits"]}, "paused_invocations"),
    ({"pending": "migrate", "migrate_paused": True}, ["dp_idle"], {"migrated": ["inv_waits", "inv_paused"]}, "handler_not_served"),
    ({"pending": "cancel"}, ["dp_idle", "dp_busy"], {"cancelled": ALL}, None),
    ({"pending": "kill"}, ["dp_idle", "dp_busy"], {"killed": ALL}, None),
    ({"pending": "abandon"}, ["dp_idle", "dp_busy"], {"abandoned": ALL}, None),
])  # fmt: skip
def test_what_becomes_of_work_is_foretold(
    asked: dict[str, Any], removed: list[str], done: dict[str, list[str]], why_it_stays: str | None
) -> None:
    plan = plan_of(**{"drain_timeout": 0, "force_drain": "pending" in asked, **asked})
    report = make_report(plan, predict(plan))
    assert report.details["removed"] == removed
    told = {name: report.details[name] for name in ("migrated", "cancelled", "killed", "abandoned")}
    assert {name: ids for name, ids in told.items() if ids} == done
    assert remaining(report) == ({"dp_busy": why_it_stays} if why_it_stays else {})
    assert (report.error is not None) is (why_it_stays is not None)


@pytest.mark.parametrize("asked", [
    {},
    {"drain_timeout": 9},
    {"force_drain": True, "pending": "migrate"},
    {"force_drain": True, "pending": "cancel"},
    {"force_drain": True, "pending": "kill"},
    {"force_drain": True, "pending": "abandon"},
])  # fmt: skip
def test_a_real_run_does_what_its_dry_run_foretold(asked: dict[str, Any], serve: Serve) -> None:
    dry, real = ScriptedAdmin(pinned="dp_1"), ScriptedAdmin(pinned="dp_1")
    real.clock = FakeClock(on_sleep=lambda _seconds: real.rows.clear())
    foretold = cleaned(serve, dry, check_mode=True, **asked)
    done = cleaned(serve, real, **asked)
    assert dry.writes == []
    assert details_of(foretold) == details_of(done)
    assert (foretold.changed, foretold.before, foretold.after) == (done.changed, done.before, done.after)


def details_of(report: Report) -> dict[str, Any]:
    """What a report tells; in which order others drain is not foretold."""
    return {**report.details, "removed": sorted(report.details["removed"])}
