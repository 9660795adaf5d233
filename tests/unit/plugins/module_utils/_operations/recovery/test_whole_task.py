# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole task: several services, what ends it, and what it warns of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.execution import Execution
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.plan import RecoveryRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import Snapshots
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    Crash,
    FakeIngress,
    FakeRestate,
    run_of,
)
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task, recovered

GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")


# The whole task


def two_services() -> FakeRestate:
    return FakeRestate(run_of("a"), run_of("b", target_service_name="Other"))


def test_a_task_that_is_cut_off_shows_all_keys() -> None:
    restate = two_services()
    restate.hook("after purge", lambda: restate.hook("before purge", GONE))
    report = recovered(restate, FakeIngress(restate), "Flow/a", "Other/b")
    results = {one["service_key"]: one["reason"] or one["outcome"] for one in report.details["results"]}
    assert results == {"a": "recovered", "b": "not_tried"}
    assert report.changed
    assert report.error is not None
    assert report.error.code == "RESTATE_ADMIN_UNREACHABLE"
    assert GONE.message in report.error.message
    assert "1 of 2 workflows recovered" in report.error.message
    assert report.after["Flow/a"] == {}
    # Nothing was sent for it, so it is as it was.
    assert report.after["Other/b"] == report.before["Other/b"]


def test_a_query_that_fails_blocks_the_keys_that_it_is_about_and_no_other() -> None:
    restate = two_services()
    error = OperatorError("RESTATE_QUERY_FAILED", "no leader")
    restate.hook("before invocations_of_keys", lambda: restate.hook("before invocations_of_keys", error))
    report = recovered(restate, FakeIngress(restate), "Flow/a", "Other/b")
    results = {one["service_key"]: one["reason"] or one["outcome"] for one in report.details["results"]}
    assert results == {"a": "recovered", "b": "query_failed"}
    assert report.changed
    assert report.error is not None
    assert report.error.code == "RESTATE_WORKFLOW_RETRY_BLOCKED"
    assert "no leader" in report.details["results"][1]["message"]
    assert "1 of 2 workflows left: 1 blocked (1 query_failed); 1 recovered." in report.error.message
    assert report.after["Flow/a"] == {}


def test_a_task_that_is_cut_off_before_anything_was_written_is_its_error() -> None:
    restate = two_services()
    restate.hook("before invocations_of_keys", GONE)
    with pytest.raises(OperatorError) as raised:
        recovered(restate, FakeIngress(restate), "Flow/a", "Other/b")
    assert raised.value is GONE


def test_a_task_that_only_submits_what_was_owed_has_written(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after purge", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.writes.clear()
    restate.hook("after submit", lambda: restate.hook("before status_of", GONE))
    more = {"snapshot_dir": str(tmp_path), "resubmit": "original_input"}
    report = recovered(restate, FakeIngress(restate), "Flow/a", **more)
    assert restate.writes == []
    assert report.error is not None
    assert report.error.reason == "interrupted"
    assert report.changed
    assert report.details["results"][0]["resubmitted"] == "inv_a"
    assert "unknown" in report.after["Flow/a"]
    assert task.files() == [".submitting.json"]


class Signal(BaseException):
    """Ends a task from outside, as a signal does."""


def ended(restate: FakeRestate, step: str, *workflows: str) -> Report:
    """Return what a task reports that is ended from outside at a step."""
    restate.hook(step, Signal())
    names = [one.split("/") for one in workflows]
    request = RecoveryRequest(
        workflows=[{"service_name": service, "service_key": key} for service, key in names],
        kill_active="any",
        skip_blocked=False,
    )
    execution = Execution(BACKEND, Restate(cast("Any", restate), cast("Any", None)), request)
    with pytest.raises(Signal):
        execution.run()
    report = execution.report(OperatorError("RESTATE_INTERRUPTED", "SIGTERM", reason="signal"))
    assert report is not None
    return report


def test_a_task_that_is_ended_during_a_purge_says_what_was_killed_and_what_is_unknown() -> None:
    restate = FakeRestate(run_of("a", "paused"), run_of("b"), run_of("c", "paused", target_service_name="Z"))
    report = ended(restate, "before purge", "Flow/a", "Flow/b", "Z/c")
    results = {one["service_key"]: one for one in report.details["results"]}
    assert [results[key]["reason"] for key in "abc"] == ["interrupted", "interrupted", "not_tried"]
    assert [results[key]["killed"] for key in "abc"] == [["inv_a"], [], []]
    assert [results[key]["unknown"] for key in "abc"] == [["inv_a"], ["inv_b"], []]
    assert report.changed
    assert report.error is not None
    assert (report.error.code, report.error.reason) == ("RESTATE_INTERRUPTED", "signal")
    assert ["unknown" in report.after[name] for name in ("Flow/a", "Flow/b", "Z/c")] == [True, True, False]


def test_a_task_that_is_ended_before_its_first_call_has_changed_nothing() -> None:
    restate = FakeRestate(run_of("a"))
    report = ended(restate, "before status_of", "Flow/a")
    assert not report.changed
    assert report.after == report.before


@pytest.mark.parametrize(
    ("version", "status", "retries", "warned"),
    [
        pytest.param("1.5.3", "invoked", 1, True, id="before 1.6, under way"),
        pytest.param("1.5.3", "invoked", 5, False, id="before 1.6, tried again and again"),
        pytest.param("1.5.3", "paused", 0, False, id="before 1.6, paused"),
        pytest.param("1.6.2", "invoked", 1, False, id="from 1.6 on"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_an_attempt_that_may_go_on_is_said_before_and_after(
    version: str, status: str, retries: int, warned: bool, check_mode: bool
) -> None:
    restate = FakeRestate(run_of("a", status, retry_count=retries), version=version, check_mode=check_mode)
    report = recovered(restate, FakeIngress(restate), "Flow/a", kill_active="any")
    assert bool([word for word in report.warnings if "inactivity_timeout" in word]) == warned


def test_what_is_owed_to_another_restate_is_said_and_left(tmp_path: Path) -> None:
    other = Snapshots(str(tmp_path), admin_url="http://staging:9070")
    owed = {
        "service_name": "Flow",
        "service_key": "a",
        "taken_at": "2026-01-01T00:00:00+00:00",
        "created_at": "2026-01-01T00:00:00Z",
        "run_id": "inv_a",
        "input": {"payload": "", "headers": {}},
    }
    other.write(owed, "2026-01-01T00:00:00Z", is_pending=True)
    restate = FakeRestate()
    ingress = FakeIngress(restate)
    more = {"snapshot_dir": str(tmp_path), "resubmit": "original_input"}
    report = recovered(restate, ingress, "Flow/a", **more)
    assert report.details["summary"]["blank"] == 1
    assert ingress.submitted == []
    assert [word for word in report.warnings if "another admin_url" in word]
