# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Submitting a run's own input again, as what Restate itself cannot do for workflows."""

from __future__ import annotations

import json
import time
import typing as t

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.ingress import IngressClient
from ..invocations.termination import Row, chunks
from .snapshots import Input

_SETTLE_SECONDS = 10
_POLL_SECONDS = 0.1
# What belongs to the connection or the request that was, and not to the input.
_NOT_INPUT = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "traceparent",
        "tracestate",
        "idempotency-key",
    }
)


def read_inputs(admin: AdminClient, ids: t.Sequence[str]) -> dict[str, Input]:
    """Return, by invocation id, what each was submitted with; those whose input is not retained are absent."""
    found = {}
    for chunk in chunks(ids):
        for row in admin.query(admin.sql.inputs(chunk)):
            content = _input(row.get("entry_json"))
            if content:
                found[row["id"]] = content
    return found


def _input(entry_json: str | None) -> Input | None:
    try:
        entry = json.loads(entry_json or "")["Command"]["Input"]
        if not isinstance(entry["payload"], list):
            # bytes() would make zeros of a number.
            return None
        return Input(bytes(entry["payload"]), _headers(entry["headers"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _headers(headers: list[dict[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for header in headers:
        name, value = header["name"].lower(), header["value"]
        if not isinstance(value, str):
            raise TypeError("a header whose value is no text")
        if name not in _NOT_INPUT and not name.startswith("x-restate-"):
            # Several of one name are one list.
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def submit(admin: AdminClient, ingress: IngressClient, target: tuple[str, str, str], content: Input) -> str:
    """Submit a workflow's input, and return the id of its run; also where somebody else submitted it first.

    O(target) is service, key and handler. The server takes one submission a key, so where an answer was lost the
    same submission is sent again.
    """
    may_have_been_taken = False
    for tries_left in range(admin.connection.retries, -1, -1):
        try:
            return ingress.submit(*target, content.payload, content.headers)
        except OperatorError as exc:
            may_have_been_taken = exc.outcome_unknown = may_have_been_taken or exc.outcome_unknown
            if not (may_have_been_taken and tries_left):
                raise
            time.sleep(admin.connection.back_off(tries_left))
    raise AssertionError("the last try returns or raises")


def read_births(admin: AdminClient, ids: t.Collection[str]) -> dict[str, str]:
    """Return, by id, when the submitted runs were created; one that is not to be seen in time is absent."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        rows: list[Row] = [
            row for chunk in chunks(list(ids)) for row in admin.query(admin.sql.status_of(chunk))
        ]
        if len(rows) == len(ids) or time.monotonic() >= deadline:
            return {row["id"]: row["created_at"] for row in rows}
        time.sleep(_POLL_SECONDS)
