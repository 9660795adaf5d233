# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only what was planned is killed or purged, each thing once."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.chunks import CHUNK
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.termination import (
    purge,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import Journal
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.fake_restate import BORN_AGAIN, FakeRestate, run_of
from ansible_collections.dalp.restate.tests.unit.terminating import (
    FAILED,
    IDS,
    PAUSED,
    done,
    killed,
    not_done,
    purged,
)


def test_what_is_planned_is_killed_in_one_call() -> None:
    restate = FakeRestate(*PAUSED)
    assert done(killed(restate, *PAUSED)) == IDS
    assert restate.writes == [("kill", ("inv_a", "inv_b", "inv_c"))]


def test_what_is_planned_is_purged_in_one_call() -> None:
    restate = FakeRestate(*FAILED)
    assert done(purged(restate, *FAILED)) == IDS
    assert restate.writes == [("purge", ("inv_a", "inv_b", "inv_c"))]


def test_nothing_planned_is_nothing_sent() -> None:
    restate = FakeRestate(*PAUSED)
    assert not killed(restate).changed
    assert not purged(restate).changed
    assert restate.writes == []


@pytest.mark.parametrize("number", [CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_many_go_chunk_by_chunk(number: int) -> None:
    planned = [run_of(f"k{each}", "paused") for each in range(number)]
    restate = FakeRestate(*planned)
    assert len(done(killed(restate, *planned))) == number
    assert len(done(purged(restate, *planned))) == number
    assert not restate.rows
    assert max(len(ids) for _name, ids in restate.writes) == CHUNK
    assert sum(len(ids) for _name, ids in restate.writes) == 2 * number


# What is no longer what was planned


@pytest.mark.parametrize(("now", "what"), [
    pytest.param(None, "gone", id="one that is gone"),
    pytest.param(run_of("a", "invoked", created_at=BORN_AGAIN), "another", id="a run that was submitted meanwhile"),
    pytest.param(run_of("a", created_at=BORN_AGAIN), "another", id="a run that was submitted meanwhile and failed"),
    pytest.param(run_of("a", result="success"), "ended", id="one that succeeded meanwhile"),
    pytest.param(run_of("a"), "ended", id="one that failed meanwhile"),
])  # fmt: skip
def test_what_is_no_longer_what_was_planned_is_not_killed(now: Invocation | None, what: str) -> None:
    restate = FakeRestate(*([now] if now else []), PAUSED[1])
    before = dict(restate.rows)
    assert done(killed(restate, *PAUSED[:2])) == {"inv_b"}, what
    assert restate.writes == [("kill", ("inv_b",))]
    assert restate.rows.get("inv_a") == before.get("inv_a")


@pytest.mark.parametrize(("now", "succeeded"), [
    pytest.param(None, set(), id="one that is gone"),
    pytest.param(run_of("a", "invoked", created_at=BORN_AGAIN), set(), id="a run that was submitted meanwhile"),
    pytest.param(run_of("a", created_at=BORN_AGAIN), set(), id="a run that was submitted meanwhile and failed"),
    pytest.param(run_of("a", result="success", created_at=BORN_AGAIN), set(), id="a run that was submitted meanwhile and succeeded"),
    pytest.param(run_of("a", result="success"), {"inv_a"}, id="a run that succeeded meanwhile"),
    pytest.param(run_of("a", result=None), {"inv_a"}, id="a completed run without a result is not taken for failed"),
])  # fmt: skip
def test_what_is_no_longer_what_was_planned_is_not_purged(
    now: Invocation | None, succeeded: set[str]
) -> None:
    restate = FakeRestate(*([now] if now else []), FAILED[1])
    result = purged(restate, *FAILED[:2])
    assert (done(result), set(not_done(result, "already_succeeded"))) == ({"inv_b"}, succeeded)
    assert not_done(result, "purge_failed") == {}
    assert restate.writes == [("purge", ("inv_b",))]
    assert ("inv_a" in restate.rows) == (now is not None)


def test_a_successful_shared_handler_is_purged() -> None:
    restate, journal = FakeRestate(run_of("a", result="success")), Journal()
    purge(cast("AdminClient", restate), [run_of("a", result="success")], journal, runs=set())
    assert done(journal) == {"inv_a"}


def test_one_that_a_cascade_took_along_counts_as_killed() -> None:
    restate = FakeRestate(*PAUSED[:2])
    restate.hook("before kill", lambda: restate.end_one("kill", "inv_b"))
    assert done(killed(restate, *PAUSED[:2])) == {"inv_a", "inv_b"}
    assert restate.writes == [("kill", ("inv_a", "inv_b"))]


@pytest.mark.parametrize("retries", [0, 2])
def test_one_that_ended_by_itself_before_the_kill_does_not_count_as_killed(retries: int) -> None:
    restate = FakeRestate(*PAUSED[:1], retries=retries)
    restate.hook("before kill", lambda: restate.rows.update(inv_a=run_of("a", result="success")))
    assert done(killed(restate, *PAUSED[:1])) == set()
    assert restate.names() == ["kill"]


# Waiting for what is being killed


def test_a_purge_waits_for_what_is_being_killed() -> None:
    restate = FakeRestate(*PAUSED[:2])
    restate.end_one("kill", "inv_a")

    def look() -> None:
        if len(restate.clock.sleeps) > 3:
            restate.end_one("kill", "inv_b")

    restate.hooks["before status_of"] = look
    result = purged(restate, *PAUSED[:2])
    assert done(result) == {"inv_a", "inv_b"}
    assert restate.writes == [("purge", ("inv_a",)), ("purge", ("inv_b",))]


def test_a_purge_does_not_wait_for_ever() -> None:
    restate = FakeRestate(*PAUSED[:1])
    assert not_done(purged(restate, *PAUSED[:1]), "purge_failed") == {"inv_a": "it has not completed"}
    assert restate.writes == []
    assert 10 < sum(restate.clock.sleeps) < 20


def test_what_a_server_says_is_unfinished_is_asked_again_and_what_was_gone_is_not_counted() -> None:
    # A read elsewhere may be ahead of the leader that answers.
    restate = FakeRestate(*FAILED[:2])
    restate.answers["inv_a"] = "unfinished"

    def later() -> None:
        del restate.answers["inv_a"]
        restate.rows.pop("inv_b", None)

    restate.hook("before purge", lambda: restate.rows.pop("inv_b"))
    restate.hook("after purge", later)
    result = purged(restate, *FAILED[:2])
    assert done(result) == {"inv_a"}
    assert restate.writes == [("purge", ("inv_a", "inv_b")), ("purge", ("inv_a",))]
