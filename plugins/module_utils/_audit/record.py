# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit record of one attempt: who did what to what, and how it ended. A CloudEvents 1.0 JSON object."""

from __future__ import annotations

import getpass
import time
import typing as t
import uuid
from dataclasses import dataclass, field

from .. import _timestamps
from .._errors import OperatorError

GENERATED = frozenset(
    {"specversion", "id", "time", "type", "datacontenttype", "linehash", "attempt", "operation", "check_mode"}
    | {"changed", "outcome", "error_code", "duration_ms", "before_digest", "after_digest"}
)
"""What this collection puts into a record by itself. Nothing that was given is in it, and readers rely on it."""

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


class Ended(t.Protocol):
    """How an operation ended."""

    @property
    def subject(self) -> str:
        """What it was about."""

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or may have been."""

    @property
    def error(self) -> OperatorError | None:
        """Why it failed."""

    @property
    def before(self) -> dict[str, t.Any]:
        """What was there before."""

    @property
    def after(self) -> dict[str, t.Any]:
        """What was there after."""

    @property
    def before_digest(self) -> str:
        """Tells what was there before from anything else."""

    @property
    def after_digest(self) -> str:
        """Tells what was there after from anything else."""


class RecordData(t.TypedDict):
    """What a record tells of the attempt."""

    attempt: str
    """The same in the records of one attempt."""
    actor: str
    operation: str
    arguments: dict[str, t.Any]
    """The options that were set, secrets hidden."""
    reason: str | None
    check_mode: bool
    changed: bool
    outcome: t.Literal["attempted", "succeeded", "failed", "refused", "planned"]
    error_code: str | None
    error_message: str | None
    duration_ms: int
    restate_version: str | None
    before_digest: str | None
    after_digest: str | None
    before: t.NotRequired[dict[str, t.Any]]
    """With audit_detail full."""
    after: t.NotRequired[dict[str, t.Any]]
    """With audit_detail full."""
    context: dict[str, t.Any]


class Record(t.TypedDict):
    """An audit record: a CloudEvents 1.0 JSON object."""

    specversion: t.Literal["1.0"]
    id: str
    time: str
    """RFC 3339, in UTC."""
    source: str
    """The URL of the server, without userinfo."""
    type: str
    """dalp.restate.OPERATION.OUTCOME"""
    subject: str
    datacontenttype: t.Literal["application/json"]
    data: RecordData
    previoushash: t.NotRequired[str]
    """In a log: the SHA-256 of the line before, or empty on the first."""
    linehash: t.NotRequired[str]
    """In a result: the SHA-256 of the record's own line in the log."""


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
    full_detail: bool = False
    started: float = field(default_factory=time.monotonic)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def attempted(self, subject: str, restate_version: str | None) -> Record:
        """Return the record that precedes the first write call."""
        return self._record("attempted", subject, changed=False, restate_version=restate_version)

    def outcome(self, ended: Ended, *, wrote: bool, restate_version: str | None) -> Record:
        """Return the record of how it ended; O(wrote) says whether any write call was sent."""
        error = ended.error
        if error is None:
            phase = "planned" if self.check_mode else "succeeded"
        else:
            phase = "refused" if error.code in REFUSALS and not wrote else "failed"
        record = self._record(phase, ended.subject, changed=ended.changed, restate_version=restate_version)
        data = record["data"]
        if error:
            data["error_code"], data["error_message"] = error.code, error.message
        data["before_digest"], data["after_digest"] = ended.before_digest, ended.after_digest
        if self.full_detail:
            data["before"], data["after"] = ended.before, ended.after
        return record

    def _record(self, phase: t.Any, subject: str, *, changed: bool, restate_version: str | None) -> Record:
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "time": _timestamps.write(_timestamps.now()),
            "source": self.source,
            "type": f"dalp.restate.{self.operation}.{phase}",
            "subject": subject,
            "datacontenttype": "application/json",
            "data": {
                "attempt": self.id,
                "actor": self.actor,
                "operation": self.operation,
                "arguments": self.arguments,
                "reason": self.reason,
                "check_mode": self.check_mode,
                "changed": changed,
                "outcome": phase,
                "error_code": None,
                "error_message": None,
                "duration_ms": round((time.monotonic() - self.started) * 1000),
                "restate_version": restate_version,
                "before_digest": None,
                "after_digest": None,
                "context": self.context,
            },
        }
