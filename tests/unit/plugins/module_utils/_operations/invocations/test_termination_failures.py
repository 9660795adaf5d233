# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a kill or a purge is refused, or its answer is lost, what was done is never lost and nothing is done twice."""

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
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import UNKNOWN, Journal
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.fake_restate import BORN_AGAIN, FakeRestate, lost, run_of
from ansible_collections.dalp.restate.tests.unit.terminating import (
    FAILED,
    IDS,
    PAUSED,
    done,
    killed,
    not_done,
    purged,
)

REFUSED = OperatorError("RESTATE_UNEXPECTED_RESPONSE", "no!", http={"status": 400})
EXPIRED = OperatorError("RESTATE_PERMISSION_REQUIRED", "who?", http={"status": 401})


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
        restate.end_one("kill", "inv_a")
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
    journal = killed(restate, *PAUSED[:1])
    assert done(journal) == set()
    # Its own end is seen, so nothing about the kill is unknown.
    assert not_done(journal, "completed").keys() == {"inv_a"}
    assert not journal.changed


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
    # The delays of an outage that lasts take some 15 s.
    assert restate.names() == [verb] * (1 + 1 + 8)


def always_lost() -> None:
    raise lost()


# Calls that time out


def late(status: int | None = None) -> OperatorError:
    """Make the error of a write that timed out, here or at a gateway."""
    reason, http = ("timeout", None) if status is None else (None, {"status": status})
    return OperatorError("RESTATE_ADMIN_UNREACHABLE", "late", outcome_unknown=True, reason=reason, http=http)


@pytest.mark.parametrize("status", [None, 504])
@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_call_that_timed_out_is_never_sent_again_and_what_it_did_is_seen(
    verb: str, status: int | None
) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)

    def half() -> None:
        restate.end_one(verb, "inv_a")
        raise late(status)

    restate.hook(f"before {verb}", half)
    journal = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert restate.names() == [verb]
    assert done(journal) == {"inv_a"}
    assert set(journal.subjects(verb, UNKNOWN)) == {"inv_b", "inv_c"}
    entry = journal.entry(verb, "inv_a")
    assert entry is not None
    assert entry.facts == {"timed_out": True}


def test_a_run_that_ends_by_itself_after_a_kill_that_timed_out_may_yet_be_killed() -> None:
    restate = FakeRestate(*PAUSED[:1])

    def fails() -> None:
        restate.rows["inv_a"] = run_of("a")
        raise late()

    restate.hook("before kill", fails)
    assert killed(restate, *PAUSED[:1]).subjects("kill", UNKNOWN) == ["inv_a"]


def test_a_run_that_is_gone_after_its_retention_may_yet_be_purged() -> None:
    restate, journal = FakeRestate(*FAILED[:1]), Journal()
    restate.hook("after purge", late())
    purge(cast("AdminClient", restate), FAILED[:1], journal, runs={"inv_a"}, retention=86400)
    assert journal.subjects("purge", UNKNOWN) == ["inv_a"]


def test_of_single_calls_the_others_go_on_after_one_that_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    restate = FakeRestate(*FAILED, version="1.5.3")
    monkeypatch.setattr(restate, "terminate", single_calls(restate, "inv_b", late()))
    journal = purged(restate, *FAILED)
    assert done(journal) == {"inv_a", "inv_c"}
    assert journal.subjects("purge", UNKNOWN) == ["inv_b"]
    assert [ids for _verb, ids in restate.writes] == [("inv_a",), ("inv_b",), ("inv_c",)]


def test_a_timeout_that_takes_all_the_time_there_is_is_still_read_again() -> None:
    restate = FakeRestate(*FAILED)

    def slow() -> None:
        restate.clock.sleep(60)
        raise late()

    restate.hook("after purge", slow)
    assert done(purged(restate, *FAILED)) == IDS


# Refusals


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_one_whose_partition_is_lost_stops_no_other_and_what_became_of_it_is_unknown(verb: str) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)
    restate.answers["inv_b"] = "partition is lost"
    result = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert done(result) == {"inv_a", "inv_c"}
    entry = result.entry(verb, "inv_b")
    assert entry is not None
    assert (entry.state, entry.message) == (UNKNOWN, "partition is lost")
    assert result.changed
    # It alone is asked for again, for as long as a partition may be without a leader.
    first, *more = [ids for _name, ids in restate.writes]
    assert len(first) == 3
    assert set(more) == {("inv_b",)}
    assert 14 < sum(restate.clock.sleeps) < 17


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_items_that_were_carried_out_though_they_were_answered_as_failed_count_as_done(verb: str) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)
    restate.answers |= dict.fromkeys(IDS, "rpc for partition 1 failed: connection closed")
    restate.hook(f"after {verb}", lambda: [restate.end_one(verb, each) for each in IDS])
    result = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert done(result) == IDS
    assert restate.names() == [verb]


@pytest.mark.parametrize("verb", ["kill", "purge"])
def test_a_batch_that_is_refused_as_a_whole_names_the_request(verb: str) -> None:
    planned = PAUSED if verb == "kill" else FAILED
    restate = FakeRestate(*planned)
    restate.hook(f"before {verb}", REFUSED)
    result = killed(restate, *planned) if verb == "kill" else purged(restate, *planned)
    assert done(result) == set()
    assert not_done(result, f"{verb}_failed") == dict.fromkeys(["inv_a", "inv_b", "inv_c"], "no!")
    assert [entry.http for entry in result.entries(verb).values()] == [{"status": 400}] * 3


def single_calls(restate: FakeRestate, fails: str, error: OperatorError) -> Any:
    """Make the calls as a server without a batch call takes them, one of which fails."""

    def terminate(verb: str, ids: list[str]) -> Any:
        for each in ids:
            restate.writes.append((verb, (each,)))
            if each == fails:
                error.invocation_ids = [each]
                raise error
            yield each, restate.end_one(verb, each)

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
