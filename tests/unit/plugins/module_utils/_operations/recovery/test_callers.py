# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who waits for what a recovery kills."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation, JournalCommand
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeRestate, run_of
from ansible_collections.dalp.restate.tests.unit.recovery_task import Task, outcomes
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation


def other(id_: str, status: str = "invoked") -> Invocation:
    return invocation(id_, status, "go", target_service_name="Other", target_service_key=f"of {id_}")


def test_a_caller_and_what_is_attached_are_named_while_they_are_unfinished() -> None:
    restate = FakeRestate(
        run_of("a", "paused", invoked_by_id="inv_caller"), *map(other, ("inv_caller", "inv_attached"))
    )
    restate.attached = {"inv_attached": "inv_a"}
    task = Task(restate, kill="stuck")
    assert sorted(task.recover("a", check_mode=True)["a"].callers) == ["inv_attached", "inv_caller"]
    assert task.report is not None
    assert "2 unfinished invocations" in str(task.report.warnings)

    restate.change("inv_caller", status="completed")
    assert task.recover("a", check_mode=True)["a"].callers == ["inv_attached"]


def test_nobody_waits_for_a_run_that_has_failed_already() -> None:
    restate = FakeRestate(run_of("a", invoked_by_id="inv_caller"), other("inv_caller"))
    restate.attached = {"inv_caller": "inv_a"}
    assert Task(restate).recover("a")["a"].callers == []


def test_what_is_killed_itself_is_no_caller() -> None:
    restate = FakeRestate(
        run_of("a", "paused"),
        invocation("inv_shared", "paused", "status", target_service_key="a"),
    )
    restate.attached = {"inv_shared": "inv_a"}
    assert Task(restate, kill="stuck").recover("a", check_mode=True)["a"].callers == []


def test_who_waits_is_not_guessed_where_it_cannot_be_read() -> None:
    restate = FakeRestate(run_of("a", "paused"))
    restate.hook("before attachments", OperatorError("RESTATE_QUERY_FAILED", "no leader"))
    results = Task(restate, kill="stuck").recover("a")
    assert outcomes(results) == {"a": "query_failed"}
    assert restate.writes == []


@pytest.mark.parametrize(("entry", "about"), [
    pytest.param('{"AttachInvocation":{"target":{"InvocationId":"inv_1"}}}', "inv_1", id="an attachment"),
    pytest.param('{"OneWayCall":{"request":{"invocation_id":"inv_1"}}}', "inv_1", id="a one-way call"),
    pytest.param('{"AttachInvocation":{"target":{"Workflow":{}}}}', None, id="an attachment by another name"),
])  # fmt: skip
def test_an_entry_tells_which_invocation_it_is_about(entry: str, about: str | None) -> None:
    assert JournalCommand("inv_9", f'{{"Command":{entry}}}').about == about
