# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a task: kept in its log and at its webhook, without what is secret."""

from __future__ import annotations

import typing as t

from .._audit.log import AuditLog
from .._audit.record import Attempt, Record
from .._errors import OperatorError
from .._http.clock import Clock
from .._http.connection import Connection
from .redaction import Redactor


class Recorder:
    """Keeps the records of one attempt where its options say."""

    def __init__(self, params: dict[str, t.Any], redactor: Redactor, warn: t.Callable[[str], None]) -> None:
        self._params = params
        self._redactor = redactor
        self._warn = warn
        self._log: AuditLog | None = None
        self._send: t.Callable[[dict[str, t.Any]], None] | None = None

    def open_log(self) -> None:
        """Open the audit log; raise RESTATE_AUDIT_UNAVAILABLE for one that cannot be kept."""
        if self._params["audit_log"]:
            self._log = AuditLog(self._params["audit_log"])

    def open_webhook(self, connection: Connection, clock: Clock) -> None:
        """Take up the webhook; raise RESTATE_INVALID_ARGUMENT for one that cannot be used."""
        if self._params["audit_webhook"]:
            from .._audit.webhook import AuditWebhook

            self._send = AuditWebhook(self._params["audit_webhook"], connection, clock).send

    def keep_attempted(self, attempt: Attempt, subject: str, version: str | None) -> None:
        """Record that the first write call is about to be sent; raise where it must not, for want of a record."""
        self.keep(attempt.attempted(subject, version), is_last=False)

    def keep(self, record: Record, *, is_last: bool = True) -> None:
        """Write a record to the log and the webhook; raise RESTATE_AUDIT_UNAVAILABLE where it is not taken.

        The last record of an attempt, which the result shows, gets the hash of its line in the log.
        """
        if not (self._log or self._send):
            return
        content = self._redactor.record(record)
        if self._log:
            line_hash = self._log.append(content)
            if is_last:
                record["linehash"] = line_hash
        if self._send:
            try:
                self._send(content)
            except OperatorError as exc:
                if self._params["audit_required"]:
                    raise
                self._warn(self._redactor.text(exc.message))
