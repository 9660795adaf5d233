# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that a signal ends tells by the same report what was done, and of what that is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.approval import Approval
from ansible_collections.dalp.restate.plugins.module_utils._operations.execution import Execution
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.plan import RecoveryRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.plugins.module_utils._task.ending import EndedBySignal, ended_by
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeIngress, FakeRestate, run_of


def ended(restate: FakeRestate, step: str, *workflows: str, **asked: Any) -> Report:
    """Return what a task reports that a signal ends at a step."""
    signal = EndedBySignal("SIGTERM")
    restate.hook(step, signal)
    names = [one.split("/") for one in workflows]
    request = RecoveryRequest(
        workflows=[{"service_name": service, "service_key": key} for service, key in names],
        kill_active="any",
        skip_blocked=False,
        **asked,
    )
    server = Restate(cast("Any", restate), cast("Any", FakeIngress(restate)))
    execution = Execution(BACKEND, server, request, Approval("recover_workflow"))
    with pytest.raises(EndedBySignal):
        execution.run()
    report = execution.report(ended_by(signal, wrote=restate.guard.wrote))
    assert report is not None
    return report


def unknown_after(report: Report, *names: str) -> list[bool]:
    """Whether the report says of each key that what is there now is unknown."""
    return ["unknown" in report.after[name] for name in names]


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
    assert unknown_after(report, "Flow/a", "Flow/b", "Z/c") == [True, True, False]


def test_a_task_that_is_ended_before_its_first_call_has_changed_nothing() -> None:
    restate = FakeRestate(run_of("a"))
    report = ended(restate, "before status_of", "Flow/a")
    assert not report.changed
    assert report.after == report.before


def test_a_task_that_is_ended_during_a_kill_says_that_it_is_unknown() -> None:
    restate = FakeRestate(run_of("a", "paused"), run_of("b"))
    report = ended(restate, "after kill", "Flow/a", "Flow/b")
    results = {one["service_key"]: one for one in report.details["results"]}
    assert [results[key]["reason"] for key in "ab"] == ["interrupted", "not_tried"]
    assert [results[key]["unknown"] for key in "ab"] == [["inv_a"], []]
    assert report.changed
    assert unknown_after(report, "Flow/a", "Flow/b") == [True, False]


def test_a_task_that_is_ended_during_a_clearing_may_have_changed_something() -> None:
    restate = FakeRestate()
    restate.state = {"a": {"x": b"1"}, "b": {"y": b"2"}}
    report = ended(restate, "before clear_state", "Flow/a", "Flow/b", clear_orphaned_state=True)
    assert report.changed
    assert unknown_after(report, "Flow/a", "Flow/b") == [True, False]
    assert report.after["Flow/b"] == report.before["Flow/b"]


def test_a_task_that_is_ended_during_a_submission_tells_of_each_key_what_is_there(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    more = {"snapshot_dir": str(tmp_path), "resubmit": "original_input"}
    report = ended(restate, "after submit", "Flow/a", "Flow/b", **more)
    results = {one["service_key"]: one for one in report.details["results"]}
    assert [results[key]["purged"] for key in "ab"] == [["inv_a"], ["inv_b"]]
    assert [results[key]["resubmitted"] for key in "ab"] == [None, None]
    # The first may have been taken; the second was purged, seen to be blank, and not sent.
    assert unknown_after(report, "Flow/a", "Flow/b") == [True, False]
    assert report.after["Flow/b"] == {}
    assert [Path(results[key]["snapshot"]).exists() for key in "ab"] == [True, True]
