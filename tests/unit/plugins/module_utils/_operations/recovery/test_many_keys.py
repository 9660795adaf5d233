# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several keys side by side: each has its own outcome, and nothing stops the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.fake_restate import Crash, FakeRestate, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import KEYS, Task, outcomes
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation

GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")
_TWO_READS = 2100


# Keys side by side


def test_each_key_gets_its_own_outcome_and_nothing_stops_the_others(tmp_path: Path) -> None:
    restate = FakeRestate(
        run_of("a"), run_of("b", result="success"), run_of("c"), run_of("d", "paused"), run_of("e")
    )
    restate.state["f"] = {"x": b"1"}
    restate.answers["inv_c"] = "partition is lost"
    results = Task(restate, tmp_path).recover(*"abcdefg")
    assert outcomes(results) == {
        "a": "recovered",
        "b": "already_succeeded",
        "c": "unknown",
        "d": "active_invocation",
        "e": "recovered",
        "f": "run_unknown",
        "g": "blank",
    }
    assert restate.writes[0] == ("purge", ("inv_a", "inv_c", "inv_e"))
    assert set(restate.writes[1:]) == {("purge", ("inv_c",))}
    assert restate.rows.keys() == {"inv_b", "inv_c", "inv_d"}
    assert results["c"].invocation_ids == ["inv_c"]


def test_a_kill_that_may_have_failed_stops_its_own_key_and_its_run_is_not_purged() -> None:
    restate = FakeRestate(*(run_of(key, "paused") for key in KEYS))
    restate.answers["inv_b"] = "partition is lost"
    results = Task(restate, kill="stuck").recover(*KEYS)
    assert outcomes(results) == {"a": "recovered", "b": "unknown", "c": "recovered"}
    assert [results[key].killed for key in KEYS] == [["inv_a"], [], ["inv_c"]]
    assert restate.writes[-1] == ("purge", ("inv_a", "inv_c"))


def test_what_a_run_called_is_listed_with_its_own_key() -> None:
    children = [
        invocation("inv_1", "invoked", "go", target_service_key="x", invoked_by_id="inv_a"),
        invocation("inv_2", "suspended", "go", target_service_key="y", invoked_by_id="inv_1"),
        invocation("inv_3", "completed", "go", target_service_key="z", invoked_by_id="inv_b"),
    ]
    results = Task(FakeRestate(run_of("a", "paused"), run_of("b", "paused"), *children), kill="any").recover(
        "a", "b", check_mode=True
    )
    assert (results["a"].children, results["b"].children) == (["inv_1", "inv_2"], [])


def test_a_run_that_is_submitted_after_the_purge_keeps_its_state(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    restate.state["a"] = {"old": b"1"}

    def somebody_else() -> None:
        restate.submit("a", b"new")
        restate.state["a"] = {"new": b"2"}

    restate.hook("after purge", somebody_else)
    results = Task(restate, tmp_path, clear=True).recover("a")
    assert outcomes(results) == {"a": "recovered"}
    assert restate.state["a"] == {"new": b"2"}
    assert restate.names() == ["purge"]


def test_state_without_a_run_is_cleared_as_it_was_read() -> None:
    restate = FakeRestate()
    restate.state = {"a": {"x": b"1"}, "b": {"x": b"1"}}
    restate.hook("before state_values", lambda: restate.submit("b", b""))
    results = Task(restate, clear=True).recover("a", "b")
    assert outcomes(results) == {"a": "recovered", "b": "active_invocation"}
    assert results["a"].cleared == ["x"]
    assert restate.state == {"b": {"x": b"1"}}


def test_a_state_that_cannot_be_cleared_does_not_spoil_the_other_keys(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("c"))
    restate.state = {"b": {"x": b"1"}, "d": {"y": b"2"}}
    error = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no leader", http={"status": 400})
    restate.hook("before clear_state", error)
    task = Task(restate, tmp_path, clear=True)
    results = task.recover(*"abcd")
    assert outcomes(results) == {"a": "recovered", "b": "clear_failed", "c": "recovered", "d": "recovered"}
    assert (results["a"].purged, results["b"].cleared, results["d"].cleared) == (["inv_a"], [], ["y"])
    assert task.after == {"a": {}, "b": task.report.before["Flow/b"], "c": {}, "d": {}}  # type: ignore[union-attr]


def test_nothing_is_written_before_all_keys_were_read(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(_TWO_READS)]
    restate = FakeRestate(*(run_of(key) for key in keys))
    # The rest is asked for when the first were read.
    restate.hook("before invocations_of_keys", lambda: restate.hook("before invocations_of_keys", GONE))
    with pytest.raises(OperatorError):
        Task(restate, tmp_path / "new").recover(*keys)
    assert restate.writes == []
    assert list(tmp_path.iterdir()) == []


def test_no_snapshot_is_closed_before_all_keys_were_read(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after submit", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    # It was submitted again, and what says that it may have been is to be closed.
    restate.hook("before invocations_of_keys", lambda: restate.hook("before invocations_of_keys", GONE))
    with pytest.raises(OperatorError):
        task.recover("a", *(f"k{number}" for number in range(_TWO_READS)))
    assert task.files() == [".submitting.json"]
    task.recover("a", check_mode=True)
    assert task.files() == [".submitting.json"]
    assert task.recover("a")["a"].resubmitted == "inv_a"
    assert task.files() == [".json"]


# 1.5: an attempt of a killed run goes on, and a partition that meets it again stays down


def test_before_1_6_a_run_is_not_purged_while_an_attempt_of_it_is_under_way(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a", "invoked"), run_of("b", "paused"), version="1.5.3")
    restate.held = {"inv_a"}
    task = Task(restate, tmp_path, resubmit=True, kill="any")
    results = task.recover("a", "b")
    assert outcomes(results) == {"a": "purge_failed", "b": "recovered"}
    assert results["a"].killed == ["inv_a"]
    assert [key for key, _payload, _headers in task.ingress.submitted] == ["b"]
    # It was killed, and so the next task begins with the purge.
    restate.held.clear()
    restate.change("inv_b", status="completed")
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert [key for key, _payload, _headers in task.ingress.submitted] == ["b", "a"]


def test_before_1_6_it_is_waited_for_and_from_1_6_on_it_is_not_asked() -> None:
    restate = FakeRestate(run_of("a", "invoked"), version="1.5.3")
    restate.held = {"inv_a"}
    restate.hooks["before held_by_invoker"] = lambda: (
        restate.held.clear() if len(restate.clock.sleeps) > 2 else None
    )
    assert outcomes(Task(restate, kill="any").recover("a")) == {"a": "recovered"}
    assert len(restate.clock.sleeps) == 3
    newer = FakeRestate(run_of("a", "invoked"), version="1.6.2")
    newer.held = {"inv_a"}
    newer.hook("before held_by_invoker", AssertionError("asked"))
    assert outcomes(Task(newer, kill="any").recover("a")) == {"a": "recovered"}
