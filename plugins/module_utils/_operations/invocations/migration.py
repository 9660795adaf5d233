# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Move unfinished invocations to another deployment, where they go on from their journal."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass, field

from ..._errors import OperatorError
from ..._restate.admin import AdminClient

Rows = list[dict[str, t.Any]]
Offer = dict[str, frozenset[str]]
"""By service name, the handlers that a deployment serves."""

_PAUSE_SECONDS = 15
_FIRST_ATTEMPT_SECONDS = 5
_FIRST_FAILURE_SECONDS = 1
"""How long an attempt at the new place must run before it is taken for one that its journal fits."""
_POLL_SECONDS = 0.2
_CHUNK = 500


@dataclass
class Split:
    """Which invocations can be moved, and which are left and why (reason to ids)."""

    movable: Rows = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Moved:
    """What became of the invocations: ids that moved, ids that could not (with why), and journal mismatches.

    O(is_unknown) says that calls were sent whose effect could not be read again; their ids are among O(failed).
    """

    moved: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    mismatched: list[str] = field(default_factory=list)
    is_unknown: bool = False


def split(rows: Rows, offer: Offer, *, move_paused: bool) -> Split:
    """Tell what can be moved to a deployment with this offer. A pure function.

    The server would accept any move, also to a deployment that does not serve the handler (1.6.2, 1.7.12).
    """
    result = Split()
    for row in rows:
        if row["target_handler_name"] not in offer.get(row["target_service_name"], frozenset()):
            result.left.setdefault("handler_not_served", []).append(row["id"])
        elif row["status"] == "paused" and not move_paused:
            result.left.setdefault("paused_invocations", []).append(row["id"])
        else:
            result.movable.append(row)
    return result


def move(admin: AdminClient, rows: Rows, deployment_id: str) -> Moved:
    """Move invocations to a deployment (servers from 1.6), pausing them where the server demands it.

    An invocation that cannot be moved is let go on where it is. Those that completed meanwhile count as moved.
    """
    result = Moved()
    waiting: list[str] = []
    for row in rows:
        try:
            if admin.resume(row["id"], deployment_id) == "busy":
                admin.pause(row["id"])
                waiting.append(row["id"])
        except OperatorError as exc:
            _give_up(admin, row["id"], exc, result)
    try:
        _resume_when_paused(admin, waiting, deployment_id, result)
        _verify(admin, [row["id"] for row in rows if row["id"] not in result.failed], deployment_id, result)
    except OperatorError as exc:
        result.is_unknown = True
        for row in rows:
            if row["id"] not in result.moved:
                result.failed.setdefault(row["id"], f"Whether it moved could not be read: {exc.message}")
    return result


def _resume_when_paused(admin: AdminClient, ids: list[str], deployment_id: str, result: Moved) -> None:
    deadline = time.monotonic() + _PAUSE_SECONDS
    while ids:
        busy = []
        for invocation_id in ids:
            try:
                if admin.resume(invocation_id, deployment_id) == "busy":
                    busy.append(invocation_id)
            except OperatorError as exc:
                _give_up(admin, invocation_id, exc, result)
        ids = busy
        if ids and time.monotonic() >= deadline:
            # Completed ones answer the same; the verification tells them apart.
            return
        if ids:
            time.sleep(_POLL_SECONDS)
            ids = _unfinished(admin, ids)


def _unfinished(admin: AdminClient, ids: list[str]) -> list[str]:
    return [row["id"] for row in _read(admin, ids) if row["status"] != "completed"]


def _give_up(admin: AdminClient, invocation_id: str, error: OperatorError, result: Moved) -> None:
    result.failed[invocation_id] = error.message
    try:
        admin.resume(invocation_id, "keep")
    except OperatorError as exc:
        result.failed[invocation_id] += f" It may have been left paused: {exc.message}"


def _read(admin: AdminClient, ids: list[str]) -> Rows:
    rows: Rows = []
    for start in range(0, len(ids), _CHUNK):
        rows += admin.query(admin.sql.invocations(ids[start : start + _CHUNK]))
    return rows


def _verify(admin: AdminClient, ids: list[str], deployment_id: str, result: Moved) -> None:
    """Read until each has been tried at its new place, or for a few seconds, and tell what was seen."""
    deadline = time.monotonic() + _FIRST_ATTEMPT_SECONDS
    running_since: dict[str, float] = {}
    while True:
        rows = {row["id"]: row for row in _read(admin, ids)} if ids else {}
        now = time.monotonic()
        unknown = [row for row in rows.values() if _is_unknown(row, deployment_id, running_since, now)]
        if not unknown or now >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    for invocation_id in ids:
        row = rows.get(invocation_id)
        is_there = (
            row is None or row["status"] == "completed" or row.get("pinned_deployment_id") == deployment_id
        )
        if is_there:
            result.moved.append(invocation_id)
        else:
            result.failed[invocation_id] = (
                f"It is still pinned to {row.get('pinned_deployment_id')}." if row else ""
            )
    result.mismatched = _mismatched(admin, list(rows.values()))


def _is_unknown(
    row: dict[str, t.Any], deployment_id: str, running_since: dict[str, float], now: float
) -> bool:
    """Whether the first attempt at the new place has not shown yet how it goes; O(running_since) is kept up."""
    if row.get("last_attempt_deployment_id") != deployment_id:
        return row["status"] in ("ready", "running", "backing-off")
    if row["status"] != "running" or "last_failure" in row:
        return False
    return now - running_since.setdefault(row["id"], now) < _FIRST_FAILURE_SECONDS


def _mismatched(admin: AdminClient, rows: Rows) -> list[str]:
    ids = {row["id"] for row in rows if row.get("last_failure_error_code") == "RT0016"}
    paused = [row["id"] for row in rows if row["status"] == "paused"]
    for event in admin.query(admin.sql.last_events(paused)) if paused else []:
        content = json.loads(event["event_json"])
        if "RT0016" in ((content.get("last_failure") or content).get("restate_doc_error_code") or ""):
            ids.add(event["id"])
    return sorted(ids)
