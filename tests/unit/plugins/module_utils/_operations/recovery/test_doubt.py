# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A write that was cut off is in doubt until it is seen to have been carried out, or its grace has passed."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps
from ansible_collections.dalp.restate.tests.unit.fake_restate import Crash, FakeRestate, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task, outcomes

LONG = "4000d"
"""A retention that is not over yet for runs that were created at the beginning of 2026."""


def cut_off(task: Task, when: str) -> None:
    """Run a task that ends in the middle, as by SIGKILL."""
    task.restate.hook(when, Crash())
    with contextlib.suppress(Crash):
        task.recover("a")


def notes(folder: Path) -> list[Path]:
    return list(folder.glob("*.open-actions.json"))


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    moment = _timestamps.now() + datetime.timedelta(seconds=seconds)
    monkeypatch.setattr(_timestamps, "now", lambda: moment)


def test_a_purge_that_was_cut_off_is_in_doubt_until_its_grace_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention=LONG)
    cut_off(task, "before purge")
    for check_mode in (True, False):
        result = task.recover("a", check_mode=check_mode)["a"]
        assert (result.outcome, result.reason) == ("failed", "write_in_doubt")
        assert result.invocation_ids == ["inv_a"]
        until = _timestamps.parse(result.retry_after)
        assert task.report is not None
        assert task.report.error is not None
        assert result.retry_after in task.report.error.remedy
        assert task.report.details["retry_after"] == result.retry_after
        assert 110 < (until - _timestamps.now()).total_seconds() <= 120
    assert task.restate.names() == ["purge"]
    assert task.files() == [".open.json"]
    later(monkeypatch, 121)
    assert outcomes(task.recover("a")) == {"a": "recovered"}


def test_a_purge_that_was_cut_off_and_carried_out_is_settled(tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention=LONG)
    cut_off(task, "after purge")
    assert notes(tmp_path)
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert notes(tmp_path) == []


def test_a_run_that_may_have_expired_is_no_proof_of_its_purge(tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention="1d")
    cut_off(task, "after purge")
    assert outcomes(task.recover("a")) == {"a": "write_in_doubt"}


def test_a_kill_that_was_cut_off_and_carried_out_is_settled(tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a", "paused"), write_grace=120), tmp_path, kill="any", retention=LONG)
    cut_off(task, "after kill")
    assert outcomes(task.recover("a")) == {"a": "recovered"}
    assert task.restate.names() == ["kill", "purge"]


def test_a_kill_that_was_cut_off_holds_the_key_of_a_run_that_is_gone(tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a", "paused"), write_grace=120), tmp_path, kill="any", retention=LONG)
    cut_off(task, "before kill")
    task.restate.rows.clear()
    assert outcomes(task.recover("a")) == {"a": "write_in_doubt"}


def test_a_new_run_of_a_key_with_a_purge_in_doubt_is_left(tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention=LONG)
    cut_off(task, "before purge")
    task.restate.rows.clear()
    task.restate.submit("a", b"")
    assert outcomes(task.recover("a")) == {"a": "write_in_doubt"}
    assert task.files() == [".open.json"]


@pytest.mark.parametrize("when", ["before submit", "after submit", "before status_of"])
def test_a_task_that_is_cut_off_when_no_write_is_under_way_leaves_no_doubt(when: str, tmp_path: Path) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention=LONG)
    cut_off(task, when)
    assert notes(tmp_path) == []
    assert "write_in_doubt" not in outcomes(task.recover("a")).values()


def test_what_was_submitted_and_may_have_been_destroyed_late_is_not_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(FakeRestate(run_of("a"), write_grace=120), tmp_path, resubmit=True, retention=LONG)
    cut_off(task, "before purge")
    later(monkeypatch, 121)
    cut_off(task, "after submit")
    assert task.files() == [".submitting.json"]
    # The first purge is delivered after all.
    task.restate.rows.clear()
    assert outcomes(task.recover("a")) == {"a": "resubmission_unknown"}
    assert len(task.ingress.submitted) == 1


def test_a_folder_that_cannot_be_written_to_does_not_keep_a_key_from_recovery(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.parent.mkdir(exist_ok=True)
    home.touch()
    assert outcomes(Task(FakeRestate(run_of("a"))).recover("a")) == {"a": "recovered"}
