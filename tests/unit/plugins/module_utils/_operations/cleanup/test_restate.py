# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup tells that is cut off half-way, and in which order it removes."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import DONE, NOT_DONE, UNKNOWN
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, answer
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.scripted_admin import KILL, ScriptedAdmin
from ansible_collections.dalp.restate.tests.unit.scripted_cleanup import cleaned, remaining

REFUSED = answer(400, {"message": "no!"})
DELETE_2 = "DELETE /deployments/dp_2?force=true"


@pytest.mark.parametrize(
    ("fault", "code", "reason", "state"),
    [
        pytest.param(REFUSED, "RESTATE_UNEXPECTED_RESPONSE", "interrupted", NOT_DONE, id="refused"),
        pytest.param(
            answer(401), "RESTATE_PERMISSION_REQUIRED", "interrupted", NOT_DONE, id="the credentials expire"
        ),
        pytest.param(
            answer(500), "RESTATE_UNEXPECTED_RESPONSE", "unknown", UNKNOWN, id="the server fails meanwhile"
        ),
        pytest.param(RESET, "RESTATE_ADMIN_UNREACHABLE", "unknown", UNKNOWN, id="the server is gone"),
    ],
)
def test_what_a_cleanup_did_not_come_to_remains_with_a_reason(
    fault: bytes, code: str, reason: str, state: str, serve: Serve
) -> None:
    script = ScriptedAdmin()
    script.faults[DELETE_2] = [fault]
    report = cleaned(serve, script)
    assert report.details["removed"] == ["dp_1"]
    assert remaining(report) == {"dp_2": reason}
    assert report.error is not None
    assert report.error.code == code
    assert report.changed
    assert [step["deployment_id"] for step in report.steps[DONE]] == ["dp_1"]
    assert [step["deployment_id"] for step in report.steps[state]] == ["dp_2"]
    assert report.after["deployments"].keys() == {"dp_2", "dp_new"}


def test_nothing_removed_is_nothing_changed_and_all_remains(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.faults["DELETE /deployments/dp_1?force=true"] = [REFUSED]
    report = cleaned(serve, script)
    assert remaining(report) == {"dp_1": "interrupted", "dp_2": "interrupted"}
    assert not report.changed


def test_a_removal_whose_answer_was_lost_may_have_changed_something(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.faults["DELETE /deployments/dp_1?force=true"] = [RESET]
    assert cleaned(serve, script).changed


@pytest.mark.parametrize("pending", ["cancel", "kill"])
def test_what_was_done_to_invocations_before_it_was_cut_off_is_shown(pending: str, serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1")
    if pending == "cancel":
        script.faults["PATCH /invocations/inv_2/cancel"] = [answer(401)]
        expected = {"cancelled": ["inv_1"]}
    else:
        batch = {"succeeded": ["inv_1"], "failed": [{"invocation_id": "inv_2", "error": "no leader"}]}
        script.faults[f"POST {KILL}"] = [answer(200, batch)]
        script.faults["PATCH /invocations/inv_2/kill"] = [answer(503)]
        expected = {"killed": ["inv_1"]}
    report = cleaned(serve, script, force_drain=True, pending=pending)
    assert {name: report.details[name] for name in expected} == expected
    assert report.changed
    assert report.details["removed"] == ["dp_2"]
    assert remaining(report) == {"dp_1": "interrupted" if pending == "cancel" else "unknown"}


def test_the_oldest_goes_first_by_instant_and_not_by_text(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.ids = ["dp_2", "dp_1", "dp_new"]
    assert cleaned(serve, script).details["removed"] == ["dp_1", "dp_2"]


def test_what_was_abandoned_is_said_and_not_moved_also_where_the_removals_answer_was_lost(
    serve: Serve,
) -> None:
    script = ScriptedAdmin(pinned="dp_1")
    delete = "DELETE /deployments/dp_1?force=true"
    script.before[delete] = lambda: script.ids.remove("dp_1")
    script.faults[delete] = [answer(503)]
    restate = restate_at(serve(script), clock=script.clock, retries=1)
    asked = cleanup_request(drain_timeout=0, force_drain=True, pending="abandon")
    report = operate(BACKEND, restate, asked)
    assert report.error is None
    assert report.details["removed"] == ["dp_1", "dp_2"]
    assert report.details["abandoned"] == ["inv_1", "inv_2"]
    assert [write for write in script.writes if write.startswith("PATCH")] == []
    assert report.warnings == []


@pytest.mark.parametrize("pending", ["stays", "cancel", "kill"])
def test_the_drain_timeout_is_spent_once_for_all_deployments(pending: str, serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1", behind=10_000)
    script.rows["inv_2"] = script.rows["inv_2"]._replace(pinned_deployment_id="dp_2")
    force_drain = pending != "stays"
    report = cleaned(
        serve, script, drain_timeout=600, force_drain=force_drain, pending=pending if force_drain else "kill"
    )
    assert remaining(report) == {"dp_1": "drain_timeout", "dp_2": "drain_timeout"}
    assert report.details["waited_seconds"] == 600
    assert sum(script.clock.sleeps) <= 600 + 5
