# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a recovery through DALP tells, also of answers that no DALP before a real Restate can be made to give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.dalp_answers import (
    DENIED,
    DOWN,
    OLD,
    UNREACHABLE,
    health,
)
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import ORDER, MakeDalp
from ansible_collections.dalp.restate.tests.unit.loopback import answer


@pytest.mark.parametrize("asked", [ORDER, {"workflows": [ORDER, {**ORDER, "service_key": "order-2"}]}])
def test_a_recovery_cannot_be_predicted_and_says_so(asked: dict[str, Any], dalp: MakeDalp) -> None:
    there = dalp()
    told = there.task("recover_workflow", check=True, **asked)
    assert not told.get("failed")
    assert told["predicted"] == "unknown"
    assert {result["outcome"] for result in told["results"]} == {"unknown"}
    assert "unknown" in str(told["warnings"])
    assert there.routes == ["doctor"]
    assert told["audit"]["data"]["outcome"] == "planned"


def failing(*keys: str, completed: int, odd: Any = None) -> dict[str, Any]:
    failures = [{"serviceName": "OrderWorkflow", "serviceKey": key} for key in keys]
    failures += [odd] if odd else []
    invocations = {"status": "ok", "byStatus": {"completed": completed}, "recentFailures": failures}
    return health(OLD, invocations=invocations)


def unlisted() -> dict[str, Any]:
    return health(OLD, invocations={"status": "ok", "byStatus": {"completed": 3}, "recentFailures": None})


ODD = failing(odd={"serviceName": {"is": "odd"}, "serviceKey": 7}, completed=3)


@pytest.mark.parametrize(("before", "after", "changed", "reason"), [
    (failing("order-1", completed=3), failing(completed=2), True, None),
    (failing(completed=3), failing(completed=3), False, "the same invocations as before"),
    (failing("other", completed=3), failing("other", completed=3), False, "the same invocations as before"),
    (failing(completed=3), failing(completed=9), True, "no proof"),
    (failing("order-2", completed=3), failing(completed=2), True, "no proof"),
    # A list that is full shows only the latest: what is gone from it may have been pushed out.
    (failing("order-1", *"a" * 19, completed=30), failing(*"a" * 20, completed=30), True, "no proof"),
    (failing(*"a" * 20, completed=30), failing(*"a" * 20, completed=30), True, "no proof"),
    (unlisted(), unlisted(), True, "no proof"),
    (failing("order-1", completed=3), health(invocations=DOWN), True, "connect refused"),
    (health(invocations=DOWN), failing(completed=2), True, "connect refused"),
    (failing(odd={"serviceName": "OrderWorkflow", "serviceKey": ["order-1"]}, completed=3), ODD, True, "no proof"),
    (ODD, ODD, False, "the same invocations as before"),
])  # fmt: skip
def test_the_doctor_before_and_after_tells_whether_a_recovery_changed_anything(
    before: Any, after: Any, changed: bool, reason: str | None, dalp: MakeDalp
) -> None:
    there = dalp(before, after)
    told = there.task("recover_workflow", **ORDER)
    assert (told["outcome"], told["changed"], told["acknowledged"]) == ("recovered", changed, True)
    assert (reason in told["changed_reason"]) if reason else "changed_reason" not in told
    assert there.routes[:2] == ["doctor", "recover-stuck-workflow"]
    assert "killed" not in told["results"][0]


def test_a_key_whose_outcome_is_unknown_ends_a_list_and_no_key_is_tried_twice(dalp: MakeDalp) -> None:
    there = dalp(write=UNREACHABLE)
    workflows = [{**ORDER, "service_key": key} for key in ("a", "b", "a")]
    told = there.task("recover_workflow", workflows=workflows)
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert [(one["service_key"], one["outcome"], one["reason"]) for one in told["results"]] == [
        ("a", "failed", "unknown"),
        ("b", "failed", "not_tried"),
    ]
    assert told["changed"]
    assert told["changed_reason"]
    assert len(there.writes) == 1


def test_a_refusal_for_want_of_permission_ends_a_list_without_a_change(dalp: MakeDalp) -> None:
    there = dalp(write=DENIED)
    workflows = [{**ORDER, "service_key": key} for key in ("a", "b")]
    told = there.task("recover_workflow", workflows=workflows)
    assert told["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert not told["changed"]
    assert len(there.writes) == 1


def test_a_blocked_key_may_be_skipped(dalp: MakeDalp) -> None:
    data = {"reason": "active_invocation", "invocationIds": ["inv_1"]}
    blocked = answer(
        409, {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "message": "It is active.", "data": data}
    )
    there = dalp(write=blocked)
    told = there.task("recover_workflow", **ORDER, skip_blocked=True)
    assert there.routes == ["doctor", "recover-stuck-workflow", "doctor"]
    assert not told.get("failed")
    assert told["results"][0]["invocation_ids"] == ["inv_1"]
    assert (told["outcome"], told["changed"]) == ("blocked", False)


@pytest.mark.parametrize(
    ("after", "proven"), [(failing(completed=2), True), (failing("order-1", completed=3), False)]
)
def test_a_refusal_after_a_purge_may_have_changed_something(after: Any, proven: bool, dalp: MakeDalp) -> None:
    data = {"reason": {"kind": "purge_failed"}, "invocationIds": ["inv_1"]}
    late = answer(500, {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "message": "It went wrong.", "data": data})
    told = dalp(failing("order-1", completed=3), after, write=late).task("recover_workflow", **ORDER)
    assert (told["error"]["code"], told["error"]["reason"]) == (
        "RESTATE_WORKFLOW_RETRY_BLOCKED",
        "purge_failed",
    )
    assert told["changed"] is proven
    assert ("changed_reason" not in told) is proven
    assert "unknown" not in told["msg"]
    assert told["not_done"] == [{"action": "recover", "workflow": "OrderWorkflow/order-1"}]


def test_an_empty_list_has_nothing_to_predict(dalp: MakeDalp) -> None:
    for check in (True, False):
        told = dalp().task("recover_workflow", check=check, workflows=[])
        assert (told["changed"], told["results"], told["acknowledged"]) == (False, [], True)
        assert told["msg"] == "No workflow is given; nothing to do."
