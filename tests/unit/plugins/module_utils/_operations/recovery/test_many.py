# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many keys in one task: what one does to the others, and what a second task makes of a first that was cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.observation import Workflow
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.plan import Rules
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.recovery_run import (
    Item,
    KeyResult,
    KeyRun,
    Resubmission,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.restate import (
    RecoveryRequest,
    recover_workflow,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import Snapshots
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    BORN_AGAIN,
    BORN_ONCE_MORE,
    Crash,
    FakeIngress,
    FakeRestate,
    entry,
    lost,
    run_of,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation, service

pytestmark = pytest.mark.usefixtures("no_waiting")

KEYS = ["a", "b", "c"]


class Task:
    """Runs of one task against one server, with one folder for snapshots or none."""

    def __init__(
        self,
        restate: FakeRestate,
        folder: Path | None = None,
        *,
        resubmit: bool = False,
        kill: str = "never",
        clear: bool = False,
        retention: str = "1d",
    ) -> None:
        self.restate = restate
        self.folder = folder
        self.ingress = FakeIngress(restate)
        self._resubmit = resubmit
        self._rules = Rules(kill, 3, clear)
        flow = service("Flow", workflow_completion_retention=retention)
        self._workflow = Workflow("Flow", frozenset({"run"}), flow)
        self.items: list[Item] = []

    def recover(self, *keys: str, check_mode: bool = False) -> dict[str, KeyResult]:
        """Recover keys, and return by key what became of it."""
        self.items = []
        self.restate.check_mode = check_mode
        snapshots, how, owed = None, None, {}
        if self.folder:
            snapshots = Snapshots(str(self.folder), admin_url="http://fake:9070", check_mode=check_mode)
            if self._resubmit:
                how = Resubmission(cast("Any", self.ingress), "run", snapshots)
                owed = {key: one for (_service, key), one in snapshots.owed().items()}
        run = KeyRun(
            cast("Any", self.restate),
            self._workflow,
            self._rules,
            snapshots=snapshots,
            owed=owed,
            resubmission=how,
        )
        run.recover(list(keys), self.items)
        return {item.key: item.result for item in self.items}

    def files(self) -> list[str]:
        """The files by what their names say is owed."""
        assert self.folder
        return sorted(path.name.partition("Z")[2] for path in self.folder.iterdir())


def outcomes(results: dict[str, KeyResult]) -> dict[str, str]:
    return {key: result.reason or result.outcome for key, result in results.items()}


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
        "c": "purge_failed",
        "d": "active_invocation",
        "e": "recovered",
        "f": "run_unknown",
        "g": "blank",
    }
    assert restate.writes == [("purge", ("inv_a", "inv_c", "inv_e"))]
    assert restate.rows.keys() == {"inv_b", "inv_c", "inv_d"}
    assert results["c"].invocation_ids == ["inv_c"]


def test_a_kill_that_is_refused_blocks_its_own_key_and_its_run_is_not_purged() -> None:
    restate = FakeRestate(*(run_of(key, "paused") for key in KEYS))
    restate.answers["inv_b"] = "partition is lost"
    results = Task(restate, kill="stuck").recover(*KEYS)
    assert outcomes(results) == {"a": "recovered", "b": "kill_failed", "c": "recovered"}
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
    restate.rows["inv_b"]["status"] = "completed"
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert [key for key, _payload, _headers in task.ingress.submitted] == ["b", "a"]


def test_before_1_6_it_is_waited_for_and_from_1_6_on_it_is_not_asked(no_waiting: list[float]) -> None:
    restate = FakeRestate(run_of("a", "invoked"), version="1.5.3")
    restate.held = {"inv_a"}
    restate.hooks["before held_by_invoker"] = lambda: restate.held.clear() if len(no_waiting) > 2 else None
    assert outcomes(Task(restate, kill="any").recover("a")) == {"a": "recovered"}
    assert len(no_waiting) == 3
    newer = FakeRestate(run_of("a", "invoked"), version="1.6.2")
    newer.held = {"inv_a"}
    newer.hook("before held_by_invoker", AssertionError("asked"))
    assert outcomes(Task(newer, kill="any").recover("a")) == {"a": "recovered"}


# Snapshots come first


def test_a_snapshot_holds_what_is_destroyed(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a", completion_failure="[500] no"))
    restate.inputs["inv_a"] = entry(b"\x00no json\xff")
    restate.state["a"] = {"x": b"\xff"}
    restate.promises["a"] = ["p"]
    result = Task(restate, tmp_path).recover("a")["a"]
    kept = json.loads(Path(result.snapshot or "").read_text())
    assert (kept["failure"], kept["state"], kept["run_id"]) == ("[500] no", {"x": "/w=="}, "inv_a")
    assert kept["input"] == {"payload": "AG5vIGpzb27/", "headers": {"content-type": "application/json"}}
    assert [promise["key"] for promise in kept["promises"]] == ["p"]
    assert [row["id"] for row in kept["invocations"]] == ["inv_a"]


def test_a_key_whose_snapshot_cannot_be_written_is_left_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Snapshots.write

    def full(self: Snapshots, content: dict[str, Any], *args: Any, **more: Any) -> None:
        if content["service_key"] == "b":
            raise OSError(28, "No space left on device")
        write(self, content, *args, **more)

    monkeypatch.setattr(Snapshots, "write", full)
    restate = FakeRestate(*(run_of(key) for key in KEYS))
    results = Task(restate, tmp_path).recover(*KEYS)
    assert outcomes(results) == {"a": "recovered", "b": "snapshot_failed", "c": "recovered"}
    assert restate.rows.keys() == {"inv_b"}
    assert results["b"].snapshot is None


def test_nothing_is_destroyed_before_all_snapshots_of_a_chunk_are_written(tmp_path: Path) -> None:
    restate = FakeRestate(*(run_of(key) for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True)
    seen: list[list[str]] = []
    restate.hook("before purge", lambda: seen.append(task.files()))
    task.recover(*KEYS)
    assert seen == [[".open.json"] * 3]


def test_two_states_without_a_run_are_two_snapshots(tmp_path: Path) -> None:
    restate = FakeRestate()
    task = Task(restate, tmp_path, clear=True)
    for value in (b"1", b"2"):
        restate.state["a"] = {"x": value}
        predicted = task.recover("a", check_mode=True)["a"].snapshot
        assert task.recover("a")["a"].snapshot == predicted
    assert len(list(tmp_path.iterdir())) == 2


def test_a_key_whose_input_is_gone_is_left(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    del restate.inputs["inv_a"]
    results = Task(restate, tmp_path, resubmit=True).recover("a", "b")
    assert outcomes(results) == {"a": "input_unavailable", "b": "recovered"}
    assert restate.writes == [("purge", ("inv_b",))]


# Resubmission


def test_the_input_is_submitted_again_byte_for_byte(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    restate.inputs["inv_a"] = entry(b"\x00no json\xff", ("x-tenant", "t1"), ("host", "old"))
    task = Task(restate, tmp_path, resubmit=True)
    result = task.recover("a")["a"]
    assert task.ingress.submitted == [
        ("a", b"\x00no json\xff", {"content-type": "application/json", "x-tenant": "t1"})
    ]
    assert (result.resubmitted, result.resubmitted_at) == ("inv_a", BORN_AGAIN)
    assert task.files() == [".json"]
    kept = json.loads(Path(result.snapshot or "").read_text())
    assert kept["resubmitted"] == {"invocation_id": "inv_a", "created_at": BORN_AGAIN}


@pytest.mark.parametrize("status", ["completed", "paused"])
def test_what_is_predicted_is_what_comes(status: str, tmp_path: Path) -> None:
    restate = FakeRestate(*(run_of(key, status) for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True, kill="stuck")
    predicted = task.recover(*KEYS, check_mode=True)
    after = [item.described_after() for item in task.items]
    assert restate.writes == []
    assert list(tmp_path.iterdir()) == []
    real = task.recover(*KEYS)
    # When it will be created nobody knows.
    for result in real.values():
        result.resubmitted_at = None
    assert {key: result.as_dict() for key, result in predicted.items()} == {
        key: result.as_dict() for key, result in real.items()
    }
    assert [item.described_after() for item in task.items] == after


def test_an_ingress_of_another_restate_is_found_out(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    task.ingress = FakeIngress(FakeRestate())
    result = task.recover("a")["a"]
    assert (result.outcome, result.reason) == ("failed", "resubmission_failed")
    assert "ingress_url" in result.message
    assert result.resubmitted is None
    assert task.files() == [".submitting.json"]
    assert result.snapshot == str(next(tmp_path.iterdir()))


REFUSED = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no!", http={"status": 400})
GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")


@pytest.mark.parametrize(
    ("error", "expected", "files"),
    [
        pytest.param(REFUSED, ["resubmission_failed", "recovered"], [".json", ".open.json"], id="refused"),
        pytest.param(
            GONE, ["resubmission_failed"] * 2, [".open.json"] * 2, id="gone: the others do not wait"
        ),
    ],
)
def test_a_submission_that_fails_is_still_owed_and_made_up_for(
    error: OperatorError, expected: list[str], files: list[str], tmp_path: Path
) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before submit", error)
    first = task.recover("a", "b")
    assert list(outcomes(first).values()) == expected
    assert task.files() == files
    assert all(item.after is not None for item in task.items)
    second = task.recover("a", "b")
    assert {result.resubmitted for result in second.values()} <= {"inv_a", "inv_b", None}
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == ["a", "b"]
    assert task.files() == [".json"] * 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submission_whose_answer_was_lost_is_sent_again_and_taken_once(when: str, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook(f"{when} submit", lost())
    result = task.recover("a")["a"]
    assert (result.outcome, result.resubmitted_at) == ("recovered", BORN_AGAIN)
    assert task.files() == [".json"]


def test_a_submission_that_may_have_been_taken_stays_marked_as_sent(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), retries=1)

    def first_lost() -> None:
        restate.hook("before submit", GONE)
        raise lost()

    task = Task(restate, tmp_path, resubmit=True)
    restate.hooks["before submit"] = first_lost
    assert task.recover("a")["a"].reason == "resubmission_failed"
    assert task.files() == [".submitting.json"]
    assert task.items[0].after is None


# A run that was left owes nothing: it may yet succeed


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_run_that_was_left_owes_no_resubmission(verb: str, tmp_path: Path) -> None:
    status = "paused" if verb == "kill" else "completed"
    restate = FakeRestate(run_of("a", status))
    restate.answers["inv_a"] = "partition is lost"
    task = Task(restate, tmp_path, resubmit=True, kill="stuck")
    assert task.recover("a")["a"].outcome == "blocked"
    assert task.files() == [".json"]
    # It succeeds, and in time Restate forgets it.
    restate.rows.clear()
    assert outcomes(task.recover("a")) == {"a": "blank"}
    assert task.ingress.submitted == []


def test_a_run_that_succeeded_meanwhile_owes_no_resubmission(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before status_of", lambda: restate.rows.update(inv_a=run_of("a", result="success")))
    assert outcomes(task.recover("a")) == {"a": "already_succeeded"}
    assert task.files() == [".json"]


# Cut off at any step, and run again

STEPS = ["before inputs", "before purge", "after purge", "before submit", "after submit"]


@pytest.mark.parametrize("check_first", [False, True], ids=["", "dry-run in between"])
@pytest.mark.parametrize("step", STEPS)
def test_a_second_task_finishes_what_the_first_began_and_nothing_is_submitted_twice(
    step: str, check_first: bool, tmp_path: Path
) -> None:
    restate = FakeRestate(*(run_of(key) for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover(*KEYS)
    if check_first:
        files = task.files()
        predicted = outcomes(task.recover(*KEYS, check_mode=True))
        assert predicted == dict.fromkeys(KEYS, "recovered")
        assert task.files() == files
    assert outcomes(task.recover(*KEYS)) == dict.fromkeys(KEYS, "recovered")
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == KEYS
    assert {row["created_at"] for row in restate.rows.values()} == {BORN_AGAIN}
    assert task.files() == [".json"] * 3
    for key, payload, _headers in task.ingress.submitted:
        assert payload == key.encode()
    # A third task finds runs that are at work.
    third = task.recover(*KEYS)
    assert outcomes(third) == dict.fromkeys(KEYS, "active_invocation")
    assert not any(result.changed for result in third.values())


@pytest.mark.parametrize("step", ["before kill", "after kill", "before purge", "after purge", "after submit"])
@pytest.mark.parametrize("kill", ["stuck", "any"])
def test_so_does_one_that_kills_and_it_never_kills_what_it_submitted(
    kill: str, step: str, tmp_path: Path
) -> None:
    restate = FakeRestate(*(run_of(key, "paused") for key in KEYS))
    task = Task(restate, tmp_path, resubmit=True, kill=kill)
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover(*KEYS)
    assert outcomes(task.recover(*KEYS)) == dict.fromkeys(KEYS, "recovered")
    assert sorted(key for key, _payload, _headers in task.ingress.submitted) == KEYS
    assert {row["created_at"] for row in restate.rows.values()} == {BORN_AGAIN}
    assert task.files() == [".json"] * 3


@pytest.mark.parametrize("step", ["before submit", "after submit"])
def test_where_runs_leave_no_trace_a_second_task_does_not_guess(step: str, tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"), run_of("b"))
    restate.forgets = True
    task = Task(restate, tmp_path, resubmit=True, retention="0s")
    restate.hook(step, Crash())
    with pytest.raises(Crash):
        task.recover("a", "b")
    sent = len(task.ingress.submitted)
    results = task.recover("a", "b")
    # What was certainly not sent is sent.
    assert outcomes(results) == {"a": "resubmission_unknown", "b": "recovered"}
    assert [key for key, _payload, _headers in task.ingress.submitted[sent:]] == ["b"]
    assert str(next(tmp_path.glob("*.submitting.json"))) in results["a"].message


def test_after_the_retention_a_second_task_does_not_guess(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True, retention="1h")
    restate.hook("after submit", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.rows.clear()
    path = next(tmp_path.iterdir())
    path.write_text(json.dumps({**json.loads(path.read_text()), "taken_at": "2026-01-01T00:00:00.000+00:00"}))
    assert outcomes(task.recover("a")) == {"a": "resubmission_unknown"}
    assert len(task.ingress.submitted) == 1


def test_one_that_somebody_else_submitted_is_left_to_them(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after purge", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.submit("a", b"theirs")
    result = task.recover("a")["a"]
    assert (result.outcome, result.resubmitted_at) == ("recovered", BORN_AGAIN)
    assert task.ingress.submitted == []
    assert task.files() == [".json"]


def test_one_that_failed_again_is_recovered_again(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("after submit", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.rows["inv_a"] |= {"status": "completed", "completion_result": "failure"}
    result = task.recover("a")["a"]
    assert (result.outcome, result.purged, result.resubmitted_at) == ("recovered", ["inv_a"], BORN_ONCE_MORE)
    assert task.files() == [".json"] * 2
    assert [payload for _key, payload, _headers in task.ingress.submitted] == [b"a", b"a"]


def test_an_input_that_is_forgotten_between_two_tasks_is_taken_from_the_snapshot(tmp_path: Path) -> None:
    restate = FakeRestate(run_of("a"))
    task = Task(restate, tmp_path, resubmit=True)
    restate.hook("before purge", Crash())
    with pytest.raises(Crash):
        task.recover("a")
    restate.inputs.clear()
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert [payload for _key, payload, _headers in task.ingress.submitted] == [b"a"]


# The whole task


def asked(restate: FakeRestate, ingress: FakeIngress, *workflows: str, **more: Any) -> Report:
    request: dict[str, Any] = {
        "service_name": None,
        "service_key": None,
        "workflows": [
            dict(zip(("service_name", "service_key"), one.split("/"), strict=True)) for one in workflows
        ],
        "select": None,
        "kill_active": "never",
        "stuck_after_retries": 3,
        "clear_orphaned_state": False,
        "snapshot_dir": None,
        "resubmit": None,
        "skip_blocked": False,
    }
    server = Restate(cast("Any", restate), cast("Any", ingress))
    return recover_workflow(server, RecoveryRequest(**{**request, **more}))


def two_services() -> FakeRestate:
    other = run_of("b") | {"target_service_name": "Other"}
    return FakeRestate(run_of("a"), other)


@pytest.mark.parametrize(
    ("error", "code", "second", "told"),
    [
        pytest.param(
            GONE,
            "RESTATE_ADMIN_UNREACHABLE",
            "not_tried",
            "1 of 2 workflows recovered",
            id="the server is gone",
        ),
        pytest.param(
            OperatorError("RESTATE_QUERY_FAILED", "no leader"),
            "RESTATE_WORKFLOW_RETRY_BLOCKED",
            "query_failed",
            "1 of 2 workflows left: 1 blocked (1 query_failed); 1 recovered.",
            id="a query fails",
        ),
    ],
)
def test_a_task_that_is_cut_off_shows_all_keys(
    error: OperatorError, code: str, second: str, told: str
) -> None:
    restate = two_services()

    def then() -> None:
        restate.hook("before invocations_of_keys", lambda: restate.hook("before invocations_of_keys", error))

    restate.hook("after purge", then)
    report = asked(restate, FakeIngress(restate), "Flow/a", "Other/b")
    results = {one["service_key"]: one["reason"] or one["outcome"] for one in report.details["results"]}
    assert results == {"a": "recovered", "b": second}
    assert report.changed
    assert report.error is not None
    assert report.error.code == code
    assert error.message in report.error.message + report.details["results"][1]["message"]
    assert told in report.error.message
    assert report.after["Flow/a"] == {}


def test_a_task_that_is_cut_off_before_anything_was_written_is_its_error() -> None:
    restate = two_services()
    restate.hook("before invocations_of_keys", GONE)
    with pytest.raises(OperatorError) as raised:
        asked(restate, FakeIngress(restate), "Flow/a", "Other/b")
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
    report = asked(restate, FakeIngress(restate), "Flow/a", **more)
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
    report = asked(restate, FakeIngress(restate), "Flow/a", kill_active="any")
    assert bool([word for word in report.warnings if "inactivity_timeout" in word]) == warned


def test_what_is_owed_to_another_restate_is_said_and_left(tmp_path: Path) -> None:
    other = Snapshots(str(tmp_path), admin_url="http://staging:9070", check_mode=False)
    owed = {
        "service_name": "Flow",
        "service_key": "a",
        "taken_at": "2026-01-01T00:00:00+00:00",
        "created_at": "2026-01-01T00:00:00Z",
        "run_id": "inv_a",
        "input": {"payload": "", "headers": {}},
    }
    other.write(owed, "2026-01-01T00:00:00Z", owes_resubmission=True)
    restate = FakeRestate()
    ingress = FakeIngress(restate)
    more = {"snapshot_dir": str(tmp_path), "resubmit": "original_input"}
    report = asked(restate, ingress, "Flow/a", **more)
    assert report.details["summary"]["blank"] == 1
    assert ingress.submitted == []
    assert [word for word in report.warnings if "another admin_url" in word]
