# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A removal whose answer never came is read again, and sent once only."""

from __future__ import annotations

from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import DONE, UNKNOWN
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin
from ansible_collections.dalp.restate.tests.unit.scripted_cleanup import remaining

DELETE_1 = "DELETE /deployments/dp_1?force=true"
DELETE_2 = "DELETE /deployments/dp_2?force=true"


def cleaned(serve: Serve, script: ScriptedAdmin, **asked: object) -> Report:
    restate = restate_at(serve(script), clock=script.clock, request_timeout=0.3)
    return operate(BACKEND, restate, cleanup_request(**{"drain_timeout": 0, **asked}))


def test_a_removal_that_timed_out_and_was_carried_out_is_done(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.before[DELETE_1] = lambda: script.ids.remove("dp_1")
    script.faults[DELETE_1] = [HANG]

    report = cleaned(serve, script)

    assert report.error is None
    assert report.details["removed"] == ["dp_1", "dp_2"]
    assert script.writes == [DELETE_1, DELETE_2]


def later(script: ScriptedAdmin) -> None:
    """Let the deployment be gone once it was waited for some seconds."""
    if script.clock.now() > 2 and "dp_1" in script.ids:
        script.ids.remove("dp_1")


def test_a_removal_that_a_list_shows_late_is_done(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.faults[DELETE_1] = [HANG]
    # The deployment is gone from the list of a node some seconds later.
    script.clock = FakeClock(on_sleep=lambda _seconds: later(script))

    report = cleaned(serve, script)

    assert report.error is None
    assert script.writes == [DELETE_1, DELETE_2]


def test_a_removal_that_timed_out_and_was_not_carried_out_is_unknown_and_the_others_go_on(
    serve: Serve,
) -> None:
    script = ScriptedAdmin()
    script.faults[DELETE_1] = [HANG]

    report = cleaned(serve, script)

    assert report.error is not None
    assert (report.error.code, report.error.outcome_unknown) == ("RESTATE_ADMIN_UNREACHABLE", True)
    assert remaining(report) == {"dp_1": "unknown"}
    assert report.details["removed"] == ["dp_2"]
    assert script.writes == [DELETE_1, DELETE_2]
    assert report.changed
    assert [step["deployment_id"] for step in report.steps[UNKNOWN]] == ["dp_1"]
    assert [step["deployment_id"] for step in report.steps[DONE]] == ["dp_2"]
    assert "dp_1" in report.after["deployments"]


def test_what_was_to_be_abandoned_with_it_is_not_said_to_be(serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1")
    script.faults[DELETE_1] = [HANG]

    report = cleaned(serve, script, force_drain=True, pending="abandon")

    assert report.details["abandoned"] == []
    assert report.details["impact"] == {}
    assert remaining(report) == {"dp_1": "unknown"}
