# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing and purging exactly the invocations that were planned, many at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.admin import AdminClient

Row = dict[str, t.Any]

_KILLED = "[409] killed"
"""The failure of what was killed (crates/types/src/errors.rs:276-282 of v1.7.6)."""

CHUNK = 500
"""How many invocations one query or one batch call names. The server takes 1,000 at most."""

_SETTLE_SECONDS = 15
_POLL_SECONDS = 0.1


@dataclass
class Terminated:
    """What became of a kill or a purge; the caller makes it, so that an error half-way does not lose it.

    O(done) are ids that were killed or purged, O(succeeded) runs that succeeded meanwhile and were left, O(refused)
    says why others were, by id, and O(http) is the request that was refused.
    """

    done: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    http: dict[str, t.Any] | None = None


def chunks(items: t.Sequence[t.Any]) -> t.Iterator[t.Sequence[t.Any]]:
    """Yield the items, L(CHUNK) at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def still_there(admin: AdminClient, planned: t.Sequence[Row]) -> dict[str, Row]:
    """Return, by id, what there is of the planned invocations now.

    A run that is submitted again has the id of the run before it; only created_at tells them apart
    (crates/types/src/identifiers.rs:293-325 of v1.7.6).
    """
    born = {row["id"]: row["created_at"] for row in planned}
    return {
        row["id"]: row
        for chunk in chunks(list(born))
        for row in admin.query(admin.sql.status_of(chunk))
        if row["created_at"] == born[row["id"]]
    }


def kill(admin: AdminClient, planned: t.Sequence[Row], result: Terminated) -> None:
    """Kill what is unfinished of the planned invocations, and say in O(result) what became of them.

    Each call names only what was read just before it; where its answer was lost, what is left of it is read again. One
    that was killed meanwhile, as a child of another that was, counts as killed.
    Raises OperatorError where no answer came, or none that tells what was done.
    """
    for chunk in chunks(planned):
        _kill_chunk(admin, chunk, result)


def _kill_chunk(admin: AdminClient, planned: t.Sequence[Row], result: Terminated) -> None:
    tries_left = admin.connection.retries
    # What was sent without an answer that tells what became of it.
    lost: set[str] = set()
    while True:
        now = still_there(admin, planned)
        result.done |= lost - set(now)
        result.done |= {row["id"] for row in now.values() if row.get("completion_failure") == _KILLED}
        left = [
            row["id"]
            for row in now.values()
            if row["status"] != "completed" and row["id"] not in result.done | set(result.refused)
        ]
        if not left or tries_left < 0:
            return
        try:
            _terminate(admin, "kill", left, result)
            lost = set()
        except OperatorError as exc:
            if not (exc.outcome_unknown and tries_left):
                raise
            lost = set(exc.invocation_ids or left)
        if result.done.issuperset(left):
            return
        time.sleep(admin.connection.back_off(tries_left))
        tries_left -= 1


def purge(
    admin: AdminClient, planned: t.Sequence[Row], result: Terminated, *, runs: t.Container[str]
) -> None:
    """Purge the planned invocations, which are completed or are being killed, and say in O(result) what became of them.

    Those whose id is in O(runs) are only purged if they failed: a run that succeeded meanwhile is left.
    Raises OperatorError where no answer came.
    """
    for chunk in chunks(planned):
        _purge_chunk(admin, list(chunk), runs, result)


def _purge_chunk(admin: AdminClient, planned: list[Row], runs: t.Container[str], result: Terminated) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    tries_left = admin.connection.retries
    lost: set[str] = set()
    while True:
        now = still_there(admin, planned)
        result.done |= lost - set(now)
        planned = [
            row for row in planned if row["id"] in now and not _succeeded(now[row["id"]], runs, result)
        ]
        completed = [row["id"] for row in planned if now[row["id"]]["status"] == "completed"]
        delay = _POLL_SECONDS
        try:
            answers = _terminate(admin, "purge", completed, result) if completed else {}
            lost = set()
        except OperatorError as exc:
            if not (exc.outcome_unknown and tries_left):
                raise
            answers, lost = {}, set(exc.invocation_ids or completed)
            delay = admin.connection.back_off(tries_left)
            tries_left -= 1
        settled = {each for each, answer in answers.items() if answer != "unfinished"}
        planned = [row for row in planned if row["id"] not in settled | result.done | set(result.refused)]
        if not planned:
            return
        if time.monotonic() >= deadline:
            result.refused |= {row["id"]: "it has not completed" for row in planned}
            return
        # A kill is applied at once where the leader answers; a read elsewhere may be behind.
        time.sleep(delay)


def _succeeded(now: Row, runs: t.Container[str], result: Terminated) -> bool:
    has = now["status"] == "completed" and now.get("completion_result") != "failure" and now["id"] in runs
    if has:
        result.succeeded.add(now["id"])
    return has


def _terminate(admin: AdminClient, verb: str, ids: t.Sequence[str], result: Terminated) -> dict[str, str]:
    """Send one round of calls, note what was done and what was refused, and return the answers by id."""
    answers: dict[str, str] = {}
    rest = list(ids)
    while rest:
        try:
            for invocation_id, answer in admin.terminate(verb, rest):
                answers[invocation_id] = answer
                if answer == "done":
                    result.done.add(invocation_id)
                elif answer not in ("gone", "completed", "unfinished"):
                    result.refused[invocation_id] = answer
            return answers
        except OperatorError as exc:
            # Where the server is gone or takes nothing from us, every other call would meet the same.
            if exc.status is None or exc.outcome_unknown or exc.status in (401, 403, 429):
                raise
            hit = exc.invocation_ids or rest
            result.refused |= dict.fromkeys(hit, exc.message)
            result.http = exc.http
            rest = [each for each in rest if each not in answers and each not in hit]
    return answers
