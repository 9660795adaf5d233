# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others do while a cleanup runs, and what the server tells late."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin
from ansible_collections.dalp.restate.tests.unit.scripted_cleanup import cleaned, remaining

DELETE_1 = "DELETE /deployments/dp_1?force=true"
DELETE_2 = "DELETE /deployments/dp_2?force=true"
DISPOSALS = ["migrate", "cancel", "kill", "abandon"]


# Another release, and new work


@pytest.mark.parametrize("pending", DISPOSALS)
def test_the_work_of_what_became_the_latest_during_the_drain_is_left_alone(
    pending: str, serve: Serve
) -> None:
    script = ScriptedAdmin(pinned="dp_1")
    script.clock = FakeClock(on_sleep=lambda _seconds: setattr(script, "latest", "dp_1"))
    report = cleaned(serve, script, force_drain=True, drain_timeout=5, pending=pending)
    assert script.writes == [DELETE_2]
    assert remaining(report) == {"dp_1": "became_latest"}
    assert report.error is not None
    assert (report.error.code, report.error.reason) == ("RESTATE_DRAIN_TIMEOUT", "became_latest")
    assert "restate_doctor" in report.error.remedy
    assert report.details["removed"] == ["dp_2"]
    assert not any(report.details[done] for done in ("migrated", "cancelled", "killed", "abandoned"))


def test_what_became_the_latest_and_has_no_work_is_not_removed(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.before[DELETE_1] = lambda: setattr(script, "latest", "dp_2")
    report = cleaned(serve, script)
    assert script.writes == [DELETE_1]
    assert remaining(report) == {"dp_2": "became_latest"}


def test_what_got_pinned_meanwhile_stays_where_it_cannot_be_moved(serve: Serve) -> None:
    script = ScriptedAdmin(version="1.5.3")
    script.before[DELETE_1] = lambda: script.pin("dp_2")
    report = cleaned(serve, script, force_drain=True)
    assert script.writes == [DELETE_1]
    assert remaining(report) == {"dp_2": "migrate_unsupported"}


# Another cleanup


def test_what_somebody_else_removed_meanwhile_is_gone_and_no_failure(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.before[DELETE_1] = lambda: script.ids.remove("dp_2")
    report = cleaned(serve, script)
    assert script.writes == [DELETE_1]
    assert report.error is None
    assert report.details["removed"] == ["dp_1"]
    assert report.details["already_gone"] == ["dp_2"]
    assert remaining(report) == {}
    assert report.after["deployments"].keys() == {"dp_new"}
    assert report.changed


@pytest.mark.parametrize("pending", DISPOSALS)
def test_the_work_of_what_somebody_else_removed_is_left_alone(pending: str, serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1")
    script.ids = ["dp_1", "dp_new"]
    # It is gone when the wait for the drain is over.
    script.clock = FakeClock(on_sleep=lambda _seconds: setattr(script, "ids", ["dp_new"]))
    report = cleaned(serve, script, force_drain=True, drain_timeout=5, pending=pending)
    assert script.writes == []
    assert report.error is None
    assert (report.details["removed"], report.details["already_gone"]) == ([], ["dp_1"])
    assert remaining(report) == {}
    assert report.after["deployments"].keys() == {"dp_new"}
    assert not report.changed


def test_where_the_kept_deployment_vanished_nothing_more_is_removed(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.before[DELETE_1] = lambda: script.ids.remove("dp_new")
    report = cleaned(serve, script)
    assert script.writes == [DELETE_1]
    assert report.error is not None
    assert (report.error.code, report.error.deployment_ids) == ("RESTATE_DEPLOYMENT_NOT_FOUND", ["dp_new"])
    assert report.details["removed"] == ["dp_1"]
    assert remaining(report) == {"dp_2": "interrupted"}


# Counts that follow late


@pytest.mark.parametrize("pending", ["cancel", "kill"])
def test_the_counts_are_waited_for_that_follow_what_was_ended(pending: str, serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1", behind=2)
    report = cleaned(serve, script, force_drain=True, pending=pending)
    assert report.error is None
    assert report.details["removed"] == ["dp_1", "dp_2"]
    assert 2 <= sum(script.clock.sleeps) < 3


def test_counts_that_do_not_follow_hold_the_deployment(serve: Serve) -> None:
    script = ScriptedAdmin(pinned="dp_1", behind=60)
    report = cleaned(serve, script, force_drain=True, pending="kill")
    assert remaining(report) == {"dp_1": "drain_timeout"}
    assert report.details["killed"] == ["inv_1", "inv_2"]
    assert DELETE_1 not in script.writes
    assert set(script.clock.told) == {"cleanup: 1 of 2 removed"}


def test_a_deletion_that_the_server_never_shows_is_told(serve: Serve) -> None:
    script = ScriptedAdmin()
    script.faults[DELETE_1] = [answer(202)]
    report = cleaned(serve, script)
    assert report.error is not None
    assert "still lists it" in report.error.message
    assert report.details["removed"] == ["dp_1"]
