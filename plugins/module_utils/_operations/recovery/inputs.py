# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workflow runs were submitted with."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass

from ..invocations.chunks import rows_about

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

# What belongs to the connection or the request that was, and not to the input.
_NOT_INPUT = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
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


@dataclass(frozen=True)
class Input:
    """What a run was submitted with."""

    payload: bytes
    headers: dict[str, str]

    @classmethod
    def from_json(cls, content: t.Any) -> Input:
        """Return it from a snapshot; raise ValueError, KeyError, TypeError or AttributeError for what is none."""
        headers = content["headers"]
        if not all(isinstance(text, str) for pair in headers.items() for text in pair):
            raise TypeError("headers")
        return cls(base64.b64decode(content["payload"], validate=True), headers)

    def to_json(self) -> dict[str, t.Any]:
        """Return it as a snapshot keeps it."""
        return {"payload": base64.b64encode(self.payload).decode(), "headers": self.headers}


def read_inputs(admin: AdminClient, ids: t.Sequence[str]) -> dict[str, Input]:
    """Return, by invocation id, what each was submitted with; those whose input is not retained are absent."""
    found = {}
    for row in rows_about(admin, admin.questions.inputs, ids):
        content = _input(row.entry_json)
        if content:
            found[row.id] = content
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
