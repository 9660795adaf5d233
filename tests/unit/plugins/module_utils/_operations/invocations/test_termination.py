# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only what was planned is killed or purged, each thing once, and what was done is never lost."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import functools
from typing import Any, cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.chunks import CHUNK
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.termination import (
    kill,
    purge,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import (
    NOT_DONE,
    Journal,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.fake_restate import (
    BORN_AGAIN,
    FakeRestate,
    lost,
    run_of,
)

REFUSED = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no!", http={"status": 500})
EXPIRED = OperatorError("RESTATE_PERMISSION_REQUIRED", "who?", http={"status": 401})


def killed(restate: FakeRestate, *planned: Invocation) -> Journal:
    journal = Journal()
    kill(cast("AdminClient", restate), planned, journal)
    return journal


def purged(restate: FakeRestate, *planned: Invocation) -> Journal:
    journal = Journal()
    purge(cast("AdminClient", restate), planned, journal, runs={row.id for row in planned})
    return journal


def done(journal: Journal) -> set[str]:
    """Return the ids of what was killed or purged."""
    return {*journal.subjects("kill"), *journal.subjects("purge")}


def not_done(journal: Journal, reason: str) -> dict[str, str]:
    """Return, by id, the message of what was not killed or purged for this reason."""
    entries = {**journal.entries("kill"), **journal.entries("purge")}
    return {
        id_: entry.message
        for id_, entry in entries.items()
        if entry.state == NOT_DONE and entry.reason == reason
    }


PAUSED = [run_of(key, "paused") for key in "abc"]
FAILED = [run_of(key) for key in "abc"]
IDS = {"inv_a", "inv_b", "inv_c"}


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
    restate.hook("before kill", lambda: restate._terminate_one("kill", "inv_b"))
    assert done(killed(restate, *PAUSED[:2])) == {"inv_a", "inv_b"}
    assert restate.writes == [("kill", ("inv_a", "inv_b"))]


@pytest.mark.parametrize("retries", [0, 2])
def test_one_that_ended_by_itself_before_the_kill_does_not_count_as_killed(retries: int) -> None:
    restate = FakeRestate(*PAUSED[:1], retries=retries)
    restate.hook("before kill", lambda: restate.rows.update(inv_a=run_of("a", result="success")))
    assert done(killed(restate, *PAUSED[:1])) == set()
    assert restate.names() == ["kill"]


# Answers that are lost


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_whose_answer_was_lost_is_read_again_before_anything_is_repeated(when: str) -> None:
    restate = FakeRestate(*PAUSED)
    restate.hook(f"{when} kill", lost())
    assert done(killed(restate, *PAUSED)) == IDS
    assert restate.names() == ["kill"] * (2 if when == "before" else 1)
    restate.hook(f"{when} purge", lost())
    assert done(purged(restate, *PAUSED)) == IDS
    assert restate.names().count("purge") == (2 if when == "before" else 1)
    assert len(restate.clock.sleeps) == 2


def test_of_half_a_batch_only_the_other_half_is_repeated() -> None:
    restate = FakeRestate(*PAUSED)

    def half() -> None:
        restate._terminate_one("kill", "inv_a")
        raise lost()

    restate.hook("before kill", half)
    assert done(killed(restate, *PAUSED)) == IDS
    assert [len(ids) for _name, ids in restate.writes] == [3, 2]


def test_a_run_that_is_submitted_after_a_lost_kill_is_not_killed_again() -> None:
    restate = FakeRestate(*PAUSED[:1])

    def somebody_else() -> None:
        restate.rows["inv_a"] = run_of("a", "invoked", created_at=BORN_AGAIN)
        raise lost()

    restate.hook("after kill", somebody_else)
    killed(restate, *PAUSED[:1])
    assert restate.names() == ["kill"]
    assert restate.rows["inv_a"].status == "invoked"


def test_a_run_that_is_submitted_after_a_lost_purge_is_not_purged_again() -> None:
    restate = FakeRestate(*FAILED[:1])

    def somebody_else() -> None:
        restate.submit("a", b"")
        raise lost()

    restate.hook("after purge", somebody_else)
    assert done(purged(restate, *FAILED[:1])) == {"inv_a"}
    assert restate.names() == ["purge"]
    assert "inv_a" in restate.rows


def test_one_that_succeeded_while_its_kill_was_lost_does_not_count_as_killed() -> None:
    restate = FakeRestate(*PAUSED[:1])

    def succeeds() -> None:
        restate.rows["inv_a"] = run_of("a", result="success")
        raise lost()

    restate.hook("before kill", succeeds)
    assert done(killed(restate, *PAUSED[:1])) == set()


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_tries_end_and_what_was_done_before_is_kept(verb: str) -> None:
    planned = [run_of(f"k{each}", "paused" if verb == "kill" else "completed") for each in range(CHUNK + 1)]
    restate, journal = FakeRestate(*planned), Journal()
    restate.hook(f"after {verb}", lambda: restate.hooks.update({f"before {verb}": always_lost}))
    terminate: Any = kill if verb == "kill" else functools.partial(purge, runs=set())
    with pytest.raises(OperatorError) as raised:
        terminate(restate, planned, journal)
    assert raised.value.outcome_unknown
    assert len(done(journal)) == CHUNK
    assert restate.names() == [verb] * (1 + 1 + restate.connection.retries)


def always_lost() -> None:
    raise lost()


# Refusals


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_one_that_is_refused_stops_no_other(verb: str) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)
    restate.answers["inv_b"] = "partition is lost"
    result = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert done(result) == {"inv_a", "inv_c"}
    assert not_done(result, f"{verb}_failed") == {"inv_b": "partition is lost"}
    assert [len(ids) for _name, ids in restate.writes] == [3]


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_batch_that_is_refused_as_a_whole_names_the_request(verb: str) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)
    restate.hook(f"before {verb}", REFUSED)
    result = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert done(result) == set()
    assert not_done(result, f"{verb}_failed") == dict.fromkeys(["inv_a", "inv_b", "inv_c"], "no!")
    assert [entry.http for entry in result.entries(verb).values()] == [{"status": 500}] * 3


def single_calls(restate: FakeRestate, fails: str, error: OperatorError) -> Any:
    """Make the calls as a server without a batch call takes them, one of which fails."""

    def terminate(verb: str, ids: list[str]) -> Any:
        for each in ids:
            restate.writes.append((verb, (each,)))
            if each == fails:
                error.invocation_ids = [each]
                raise error
            yield each, restate._terminate_one(verb, each)

    return terminate


def test_a_single_call_that_is_refused_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    restate = FakeRestate(*PAUSED, version="1.5.3")
    monkeypatch.setattr(restate, "terminate", single_calls(restate, "inv_b", REFUSED))
    result = killed(restate, *PAUSED)
    assert done(result) == {"inv_a", "inv_c"}
    assert not_done(result, "kill_failed") == {"inv_b": "no!"}
    assert restate.writes == [("kill", ("inv_a",)), ("kill", ("inv_b",)), ("kill", ("inv_c",))]


def test_a_single_call_whose_answer_was_lost_hides_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restate, journal = FakeRestate(*PAUSED, retries=0, version="1.5.3"), Journal()
    monkeypatch.setattr(restate, "terminate", single_calls(restate, "inv_b", lost()))
    with pytest.raises(OperatorError):
        kill(cast("AdminClient", restate), PAUSED, journal)
    assert done(journal) == {"inv_a"}


def test_credentials_that_expire_end_it_at_once() -> None:
    restate = FakeRestate(*PAUSED)
    restate.hook("before kill", EXPIRED)
    with pytest.raises(OperatorError) as raised:
        killed(restate, *PAUSED)
    assert raised.value.status == 401
    assert restate.names() == ["kill"]


# Waiting for what is being killed


def test_a_purge_waits_for_what_is_being_killed() -> None:
    restate = FakeRestate(*PAUSED[:2])
    restate._terminate_one("kill", "inv_a")

    def look() -> None:
        if len(restate.clock.sleeps) > 3:
            restate._terminate_one("kill", "inv_b")

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
