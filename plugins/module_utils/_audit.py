# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit record of one attempt: who did what to what, and how it ended. A CloudEvents 1.0 JSON object."""

from __future__ import annotations

import datetime
import getpass
import hashlib
import json
import time
import typing as t
import uuid
from dataclasses import dataclass, field

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError

REFUSALS = frozenset(
    {
        "OFFCHAIN_USER_PERMISSION_REQUIRED",
        "RESTATE_AUDIT_UNAVAILABLE",
        "RESTATE_DEPLOYMENT_NOT_FOUND",
        "RESTATE_INVALID_ARGUMENT",
        "RESTATE_REGISTRATION_REFUSED",
        "RESTATE_SERVICE_REMOVAL_REFUSED",
        "RESTATE_UNHEALTHY",
        "RESTATE_UNSUPPORTED",
        "RESTATE_WORKFLOW_RETRY_BLOCKED",
    }
)
"""Codes with which an operation says no; where nothing was written, that is a refusal and not a failure."""


def user() -> str:
    """Return the name of the user this runs as, or V(unknown)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def digest(content: dict[str, t.Any]) -> str:
    """Return the SHA-256 of the content as canonical JSON, in hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Attempt:
    """An attempt that has begun. O(source) is the server's URL, O(arguments) are redacted already."""

    operation: str
    source: str
    arguments: dict[str, t.Any]
    actor: str
    reason: str | None
    context: dict[str, t.Any]
    check_mode: bool
    started: float = field(default_factory=time.monotonic)

    def outcome(
        self,
        *,
        subject: str,
        changed: bool,
        wrote: bool,
        error: OperatorError | None,
        before: dict[str, t.Any],
        after: dict[str, t.Any],
        restate_version: str | None,
    ) -> dict[str, t.Any]:
        """Return the record of how it ended; O(wrote) says whether any write call was sent."""
        if error is None:
            phase = "planned" if self.check_mode else "succeeded"
        else:
            phase = "refused" if error.code in REFUSALS and not wrote else "failed"
        now = datetime.datetime.now(datetime.UTC)
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "source": self.source,
            "type": f"dalp.restate.{self.operation}.{phase}",
            "subject": subject,
            "datacontenttype": "application/json",
            "data": {
                "actor": self.actor,
                "operation": self.operation,
                "arguments": self.arguments,
                "reason": self.reason,
                "check_mode": self.check_mode,
                "changed": changed,
                "outcome": phase,
                "error_code": error.code if error else None,
                "error_message": error.message if error else None,
                "duration_ms": round((time.monotonic() - self.started) * 1000),
                "restate_version": restate_version,
                "before_digest": digest(before),
                "after_digest": digest(after),
                "context": self.context,
            },
        }
