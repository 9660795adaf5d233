# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup through DALP tells, also of answers that no DALP before a real Restate can be made to give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.dalp_answers import (
    DENIED,
    DOWN,
    NEW,
    OLD,
    UNREACHABLE,
    health,
)
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import MakeDalp
from ansible_collections.dalp.restate.tests.unit.loopback import answer


def test_the_url_is_given_as_it_is_registered(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(NEW))
    told = there.task("cleanup", service_url="http://V2:9080", force_drain=True)
    assert there.writes == [{"serviceUrl": "http://v2:9080/", "forceDrain": True}]
    assert told["removed"] == ["dp_old"]
    assert told["kept"] == {"service_url": "http://v2:9080/", "deployment_id": "dp_new"}
    assert "remove: all" in told["msg"]


def test_where_nothing_is_to_go_nothing_is_posted(dalp: MakeDalp) -> None:
    there = dalp(health(NEW))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"], told["removed"]) == (False, True, [])
    assert there.routes == ["doctor"]


def test_two_deployments_at_the_url_are_refused(dalp: MakeDalp) -> None:
    twin = {**NEW, "id": "dp_twin", "serviceUrl": "https://v2:9080"}
    there = dalp(health(NEW, twin))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["reason"] == "ambiguous_service_url"
    assert there.writes == []


@pytest.mark.parametrize(("by_status", "action"), [
    ({"completed": 9}, "remove"), ({}, "remove"), ({"invoked": 1}, "wait_then_remove"),
    ({"completed": 9, "a-status-to-come": 1}, "wait_then_remove"),
])  # fmt: skip
def test_the_dry_run_depends_on_what_is_unfinished(
    by_status: dict[str, int], action: str, dalp: MakeDalp
) -> None:
    told = health(OLD, NEW)
    told["invocations"]["byStatus"] = by_status
    there = dalp(told)
    predicted = there.task("cleanup", check=True, service_url="http://v2:9080")
    assert [step["action"] for step in predicted["steps"]] == [action]
    assert predicted["removed"] == ["dp_old"]
    assert bool(predicted.get("warnings")) == (action != "remove")
    assert there.routes == ["doctor"]


def test_unreadable_invocations_are_not_taken_for_none(dalp: MakeDalp) -> None:
    predicted = dalp(health(OLD, NEW, invocations=DOWN)).task(
        "cleanup", check=True, service_url="http://v2:9080"
    )
    assert predicted["steps"][0]["action"] == "wait_then_remove"
    assert predicted["warnings"]


def test_an_assumed_registration_is_kept_in_a_dry_run_and_refused_outside(dalp: MakeDalp) -> None:
    there = dalp(health(OLD))
    asked: dict[str, Any] = {
        "service_url": "http://v2:9080",
        "assume_registered": {"service_url": "http://v2:9080/"},
    }
    predicted = there.task("cleanup", check=True, **asked)
    assert predicted["removed"] == ["dp_old"]
    assert predicted["kept"] == {"service_url": "http://v2:9080"}
    assert there.task("cleanup", **asked)["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    elsewhere = {**asked, "assume_registered": {"service_url": "http://v3:9080"}}
    assert there.task("cleanup", check=True, **elsewhere)["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert there.writes == []


@pytest.mark.parametrize("created", [None, 0, "lately"])
def test_a_release_whose_age_is_not_told_is_warned_of(created: Any, dalp: MakeDalp) -> None:
    told = dalp(health(OLD, {**NEW, "createdAt": created})).task(
        "cleanup", check=True, service_url="http://v1:9080"
    )
    assert told["removed"] == ["dp_new"]
    assert "does not tell when dp_new was registered" in str(told["warnings"])


def test_a_newer_release_goes_only_where_that_is_allowed(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(OLD, NEW), health(OLD))
    refused = there.task("cleanup", service_url="http://v1:9080")
    assert refused["error"]["reason"] == "newer_deployment"
    assert there.writes == []
    assert there.task("cleanup", service_url="http://v1:9080", allow_service_removal=True)["removed"] == [
        "dp_new"
    ]


def test_an_unknown_outcome_of_a_cleanup_shows_what_one_look_sees(dalp: MakeDalp) -> None:
    third = {**OLD, "id": "dp_third", "serviceUrl": "http://v0:9080/"}
    there = dalp(health(OLD, third, NEW), health(OLD, NEW), write=UNREACHABLE)
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert told["changed"]
    assert told["changed_reason"]
    assert told["removed"] == ["dp_third"]
    assert [entry["reason"] for entry in told["remaining"]] == ["unknown"]
    assert [step["deployment_id"] for step in told["done"]] == ["dp_third"]
    assert [step["deployment_id"] for step in told["unknown"]] == ["dp_old"]
    assert told["not_done"] == []
    assert there.routes == ["doctor", "cleanup-stale-deployments", "doctor"]


def test_what_could_not_be_read_after_a_cleanup_is_absent(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW), health(deployments=DOWN)).task("cleanup", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"]) == (True, True)
    assert not {"removed", "remaining"} & told.keys()
    assert told["diff"]["after"] == {}
    assert "connect refused" in told["changed_reason"]


def test_a_refused_cleanup_changes_nothing(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), write=DENIED)
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert (told["changed"], told["removed"]) == (False, [])
    assert [(entry["deployment_id"], entry["reason"]) for entry in told["remaining"]] == [
        ("dp_old", "interrupted")
    ]
    assert told["diff"]["before"] == told["diff"]["after"]
    assert there.routes == ["doctor", "cleanup-stale-deployments"]


@pytest.mark.parametrize("after", [health(OLD, NEW), health(deployments=DOWN)], ids=["the same", "unread"])
def test_a_cleanup_that_may_still_be_under_way_counts_as_changed(
    after: dict[str, Any], dalp: MakeDalp
) -> None:
    told = dalp(health(OLD, NEW), after, write=UNREACHABLE).task("cleanup", service_url="http://v2:9080")
    assert told["changed"]
    assert told["changed_reason"] == "No answer of DALP tells whether it was carried out."


@pytest.mark.parametrize(("after", "changed"), [
    (health(NEW), True), (health(OLD, NEW), False), (health(deployments=DOWN), True),
])  # fmt: skip
def test_after_a_refusal_of_a_cleanup_one_look_tells_what_changed(
    after: dict[str, Any], changed: bool, dalp: MakeDalp
) -> None:
    conflict = answer(409, {"code": "CONFLICT", "message": "Something else is under way."})
    told = dalp(health(OLD, NEW), after, write=conflict).task("cleanup", service_url="http://v2:9080")
    assert told["error"]["reason"] == "CONFLICT"
    assert told["changed"] is changed
    assert told.get("changed_reason", "DALP refused").startswith("DALP refused")


def test_a_kept_deployment_that_is_gone_is_no_success(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW), health()).task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "RESTATE_DEPLOYMENT_NOT_FOUND"
    assert told["error"]["deployment_ids"] == ["dp_new"]
    assert (told["changed"], told["removed"]) == (True, ["dp_old", "dp_new"])
    assert told["diff"]["after"] == {"deployments": {}}


def test_a_look_that_fails_is_not_the_last(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(OLD, NEW), health(deployments=DOWN), health(NEW))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["removed"] == ["dp_old"]
    assert "changed_reason" not in told
    assert there.routes == ["doctor", "cleanup-stale-deployments", *["doctor"] * 3]
