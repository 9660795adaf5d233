# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registration through DALP tells, also of answers that no DALP before a real Restate can be made to give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.dalp_answers import (
    DENIED,
    DOWN,
    NEW,
    NOT_THERE,
    OLD,
    UNREACHABLE,
    health,
    raised,
)
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import Dalp, MakeDalp, Run
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, answer


@pytest.mark.parametrize(("known", "force", "changed"), [
    ((), True, True), ((), False, True), ((NEW,), True, True), ((NEW,), False, False),
])  # fmt: skip
def test_a_registration_is_predicted_from_the_doctor_and_nothing_is_posted(
    known: tuple[Any, ...], force: bool, changed: bool, dalp: MakeDalp
) -> None:
    there = dalp(health(OLD, *known))
    told = there.task("redeploy", check=True, service_url="http://v2:9080", force=force)
    assert (told["changed"], told["acknowledged"]) == (changed, True)
    assert told.get("deployment_id") == ("dp_new" if known else None)
    assert (told["diff"]["before"] != told["diff"]["after"]) == changed
    assert there.routes == ["doctor"]


def test_revisions_that_rise_tell_that_it_was_registered_again(dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    told = dalp(before, before, raised(before)).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "changed_reason" not in told
    assert told["deployment_id"] == "dp_new"


def test_revisions_that_do_not_rise_tell_that_nothing_changed(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW)).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert not told["changed"]
    assert told["diff"]["before"] == told["diff"]["after"]


def test_where_revisions_are_not_told_it_is_said_why_it_counts_as_changed(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW, services=DOWN)).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "revisions" in told["changed_reason"]


def test_a_registration_after_which_the_doctor_is_silent_is_acknowledged_with_a_warning(
    dalp: MakeDalp,
) -> None:
    told = dalp(health(OLD), health(OLD, deployments=DOWN)).task("redeploy", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"], told["deployment_id"]) == (True, True, "dp_new")
    assert "connect refused" in told["changed_reason"]
    assert "restate_doctor" in str(told["warnings"])


def test_a_registration_that_is_not_listed_in_time_fails(dalp: MakeDalp) -> None:
    told = dalp(health(OLD)).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert told["error"]["code"] == "RESTATE_DEPLOYMENT_NOT_FOUND"
    assert told["error"]["deployment_ids"] == ["dp_new"]
    assert told["changed"]
    assert told["done"] == [{"action": "register", "service_url": "http://v2:9080"}]


@pytest.mark.parametrize("write", [UNREACHABLE, NOT_THERE])
def test_one_look_after_an_error_can_tell_that_it_was_registered_all_the_same(
    write: bytes, dalp: MakeDalp
) -> None:
    there = dalp(health(OLD), health(OLD, NEW), write=write)
    told = there.task("redeploy", service_url="http://v2:9080")
    assert told["failed"]
    assert (told["changed"], told["deployment_id"]) == (True, "dp_new")
    assert "changed_reason" not in told
    assert len(told["done"]) == 1
    assert there.routes == ["doctor", "force-redeploy", "doctor"]


def test_revisions_that_have_risen_after_an_error_may_be_of_others(dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    told = dalp(before, raised(before), write=NOT_THERE).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "by this or by other work" in told["changed_reason"]
    assert len(told["unknown"]) == 1


@pytest.mark.parametrize("services", [[], [{"name": "SomebodyElse", "revision": 1}]])
def test_services_that_come_or_go_are_no_rise_of_a_revision(services: list[Any], dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    after = {**before, "services": {"status": "ok", "items": services, "error": None}}
    told = dalp(before, after).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert told["changed"]
    assert "no revisions" in told["changed_reason"]


def test_what_was_certainly_not_sent_changed_nothing(serve: Serve, run: Run) -> None:
    there = Dalp(serve, run, health(OLD), health(OLD, NEW))
    hook = serve(answer(500))
    told = there.task("redeploy", service_url="http://v2:9080", audit_webhook=hook.url, audit_required=True)
    assert told["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert (told["changed"], there.routes) == (False, ["doctor"])
    assert told["diff"]["before"] == told["diff"]["after"]


def test_two_deployments_at_the_url_after_the_registration_are_a_failure_that_changed_something(
    dalp: MakeDalp,
) -> None:
    twin = {**NEW, "id": "dp_twin", "serviceUrl": "https://v2:9080"}
    untold = answer(200, {"acknowledged": True})
    told = dalp(health(OLD), health(NEW, twin), write=untold).task("redeploy", service_url="http://v2:9080")
    assert told["error"]["reason"] == "ambiguous_service_url"
    assert told["changed"]


def test_what_others_register_meanwhile_is_no_change_of_this_task(dalp: MakeDalp) -> None:
    third = {**OLD, "id": "dp_third", "serviceUrl": "http://v3:9080/"}
    there = dalp(health(OLD, NEW), raised(health(OLD, NEW, third)))
    told = there.task("redeploy", service_url="http://v2:9080", force=False)
    assert not told["changed"]
    assert "leaves it as it is" in told["msg"]


@pytest.mark.parametrize(("version", "warns"), [("1.5.3", True), ("1.6.2", False), (None, False)])
def test_a_server_that_refuses_without_force_is_warned_of(
    version: str | None, warns: bool, dalp: MakeDalp
) -> None:
    admin = {"status": "ok", "latencyMs": 1, "version": version}
    told = dalp(health(NEW, admin=admin)).task(
        "redeploy", check=True, service_url="http://v2:9080", force=False
    )
    assert ("the task will fail" in str(told["warnings"])) is warns


@pytest.mark.parametrize(
    ("write", "changed"), [(HANG, True), (UNREACHABLE, True), (DENIED, False), (NOT_THERE, False)]
)
def test_an_unknown_outcome_counts_as_changed_and_a_refusal_does_not(
    write: bytes, changed: bool, dalp: MakeDalp
) -> None:
    told = dalp(health(OLD), write=write).task("redeploy", service_url="http://v2:9080", request_timeout=0.2)
    assert told["failed"]
    assert told["changed"] is changed
    assert told.get("changed_reason") == (
        "No answer of DALP tells whether it was carried out." if changed else None
    )
    state = "unknown" if changed else "not_done"
    assert told[state] == [{"action": "register", "service_url": "http://v2:9080"}]
    assert "acknowledged" not in told
