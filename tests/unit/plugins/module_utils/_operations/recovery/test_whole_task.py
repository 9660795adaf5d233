# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole task: several services, what ends it, and what it warns of."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.cluster import Cluster
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import Snapshots
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


@pytest.mark.parametrize("question", ["children", "inputs", "state_values"])
def test_a_query_for_more_that_fails_blocks_what_was_to_be_destroyed_and_no_other(
    question: str, tmp_path: Path
) -> None:
    restate = two_services()
    restate.change("inv_a", status="paused", completion_result=None)
    restate.rows["inv_s"] = run_of("s", result="success")
    restate.state["o"] = {"x": b"1"}
    restate.hook(f"before {question}", OperatorError("RESTATE_QUERY_FAILED", "no leader"))
    task = Task(restate, tmp_path, resubmit=question == "inputs", kill="stuck", clear=True)
    results = task.recover("a", "s", "o", "blank")
    reasons = {key: result.reason or result.outcome for key, result in results.items()}
    assert reasons == {"a": "query_failed", "s": "already_succeeded", "o": "query_failed", "blank": "blank"}
    assert task.report is not None
    assert task.report.error is not None
    assert task.report.error.code == "RESTATE_WORKFLOW_RETRY_BLOCKED"
    # What was read is shown, and nothing was done.
    assert task.report.before["Flow/a"]["invocations"] == {"inv_a": "run paused"}
    assert task.report.after == task.report.before
    assert restate.writes == []
    assert list(tmp_path.iterdir()) == []


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
    other = Snapshots(str(tmp_path), cluster=Cluster("http://staging:9070", "staging"))
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
    assert [word for word in report.warnings if "another cluster" in word]
