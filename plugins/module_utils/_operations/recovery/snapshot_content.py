# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a snapshot of a workflow key holds."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass, field

from ... import _timestamps
from ..._restate.rows import columns
from ..invocations.chunks import chunks
from ..report import digest
from .inputs import Input
from .key_state import KeyState

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

_DIGITS = 16


@dataclass(frozen=True)
class KeyContents:
    """The state of a key (values in base64) and its promises."""

    state: dict[str, str] = field(default_factory=dict)
    promises: list[dict[str, t.Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Contents:
    """The contents of several keys of a service."""

    by_key: dict[str, KeyContents]

    def of(self, key: str) -> KeyContents:
        """Return those of a key."""
        return self.by_key.get(key) or KeyContents()


def read_contents(admin: AdminClient, service: str, keys: t.Sequence[str]) -> Contents:
    """Return the state and the promises of keys."""
    by_key = {key: KeyContents() for key in keys}
    for chunk in chunks(keys):
        for entry in admin.query(admin.questions.state_values(service, chunk)):
            value = base64.b64encode(entry.content).decode()
            by_key[entry.service_key].state[entry.key] = value
        for promise in admin.query(admin.questions.promise_values(service, chunk)):
            by_key[promise.service_key].promises.append(columns(promise))
    return Contents(by_key)


def snapshot_content(seen: KeyState, contents: KeyContents, kept_input: Input | None) -> dict[str, t.Any]:
    """Return what is kept of a key, as JSON."""
    run = seen.run
    return {
        "service_name": seen.service,
        "service_key": seen.key,
        "taken_at": _timestamps.write(_timestamps.now()),
        "created_at": run.created_at if run else "",
        "run_id": run.id if run else None,
        "failure": run.completion_failure if run else None,
        "input": kept_input.to_json() if kept_input else None,
        "state": contents.state,
        "promises": contents.promises,
        "invocations": [columns(row) for row in seen.invocations],
    }


def content_digest(seen: KeyState, contents: KeyContents) -> str:
    """Return what tells one snapshot of a key without a run from another."""
    return digest({**snapshot_content(seen, contents, None), "taken_at": None})[:_DIGITS]
