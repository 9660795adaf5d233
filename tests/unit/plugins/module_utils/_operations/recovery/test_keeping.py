# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is destroyed is kept before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import Snapshots
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    FakeRestate,
    entry,
    run_of,
)
from ansible_collections.dalp.restate.tests.unit.recovery_task import KEYS, Task, outcomes

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

    def full(self: Snapshots, content: dict[str, Any], *args: Any, **more: Any) -> Path:
        if content["service_key"] == "b":
            raise OSError(28, "No space left on device")
        return write(self, content, *args, **more)

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
