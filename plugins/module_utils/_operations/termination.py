# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing and purging exactly the invocations that were planned, many at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import count
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient

Row = dict[str, t.Any]

_KILLED = "[409] killed"
"""The failure of what was killed (crates/types/src/errors.rs:276-282 of v1.7.6)."""

CHUNK = 500
"""How many invocations one query or one batch call names. The server takes 1,000 at most."""

_SETTLE_SECONDS = 15
_POLL_SECONDS = 0.1


@dataclass
class Purged:
    """What became of a purge: ids that are gone, runs that succeeded meanwhile, and why others were refused."""

    done: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


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


def kill(admin: AdminClient, planned: t.Sequence[Row]) -> set[str]:
    """Kill what is unfinished of the planned invocations, and return the ids.

    Each call names only what was read just before it; where its answer was lost, it is read what is left of it. One
    that was killed meanwhile, as a child of another that was, counts as killed.
    """
    killed: set[str] = set()
    for chunk in chunks(planned):
        sent: set[str] = set()
        for tries_left in range(admin.connection.retries, -1, -1):
            now = still_there(admin, chunk)
            left = [row["id"] for row in now.values() if row["status"] != "completed"]
            killed |= sent - set(left)
            killed |= {row["id"] for row in now.values() if row.get("completion_failure") == _KILLED}
            if not left:
                break
            try:
                answers = admin.terminate("kill", left)
            except OperatorError as exc:
                if not (exc.outcome_unknown and tries_left):
                    raise
                # What of this is not left when it is read again was killed, though the answer was lost.
                sent = set(left)
                time.sleep(admin.connection.back_off(tries_left))
                continue
            killed |= {each for each, answer in answers.items() if answer == "done"}
            refused = {
                each: words for each, words in answers.items() if words not in ("done", "gone", "completed")
            }
            if refused:
                raise OperatorError(
                    "RESTATE_UNEXPECTED_RESPONSE",
                    f"Restate did not kill {count(len(refused), 'invocation')}: {next(iter(refused.values()))}",
                    invocation_ids=list(refused),
                )
            if all(answer == "done" for answer in answers.values()):
                break
    return killed


def purge(admin: AdminClient, planned: t.Sequence[Row], *, runs: t.Container[str]) -> Purged:
    """Purge the planned invocations, which are completed or are being killed.

    Those whose id is in O(runs) are only purged if they failed: a run that succeeded meanwhile is left.
    """
    result = Purged()
    for chunk in chunks(planned):
        _purge_chunk(admin, list(chunk), runs, result)
    return result


def _purge_chunk(admin: AdminClient, planned: list[Row], runs: t.Container[str], result: Purged) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    tries_left = admin.connection.retries
    sent: set[str] = set()
    while planned:
        now = still_there(admin, planned)
        result.done |= sent - set(now)
        planned = [row for row in planned if row["id"] in now]
        for row in list(planned):
            current = now[row["id"]]
            has_succeeded = current["status"] == "completed" and current.get("completion_result") != "failure"
            if has_succeeded and row["id"] in runs:
                result.succeeded.add(row["id"])
                planned.remove(row)
        completed = [row["id"] for row in planned if now[row["id"]]["status"] == "completed"]
        sent = set(completed)
        try:
            answers = admin.terminate("purge", completed) if completed else {}
        except OperatorError as exc:
            if exc.outcome_unknown and tries_left:
                time.sleep(admin.connection.back_off(tries_left))
                tries_left -= 1
                continue
            if exc.status is None or exc.outcome_unknown:
                raise
            result.refused.update(dict.fromkeys(completed, exc.message))
            return
        for invocation_id, answer in answers.items():
            if answer == "done":
                result.done.add(invocation_id)
            elif answer not in ("gone", "unfinished"):
                result.refused[invocation_id] = answer
        answered = {key for key, answer in answers.items() if answer != "unfinished"}
        planned = [row for row in planned if row["id"] not in answered]
        if planned and time.monotonic() >= deadline:
            result.refused.update({row["id"]: "it has not completed" for row in planned})
            return
        if planned:
            # A kill is applied at once where the leader answers; a read elsewhere may be behind.
            time.sleep(_POLL_SECONDS)
