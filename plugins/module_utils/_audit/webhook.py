# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending each audit record to a site's own collector, as a CloudEvent in structured mode."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import OperatorError
from .._http import urls
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.transport import Request, Transport
from .log import as_json

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class AuditWebhook:
    """Posts records to a URL, with the TLS options of the connection, and none of its credentials.

    Making it raises RESTATE_INVALID_ARGUMENT for a URL that is not https (or http on this machine). Neither it nor
    what L(send) raises shows the URL: the path of a webhook is often its password.
    """

    def __init__(self, url: str, connection: Connection, clock: Clock) -> None:
        try:
            parts = urls.parse(url)
        except ValueError as exc:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", f"audit_webhook cannot be used: {exc}.") from None
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "audit_webhook must be an https:// URL.")
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._clock = clock
        there = connection.to(f"{parts.scheme}://{parts.netloc}")
        self._connection = dataclasses.replace(there, auth_token=None, headers={})
        try:
            Transport(self._connection, self._clock).close()
        except OperatorError as exc:
            if exc.reason == "proxy":
                raise
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "audit_webhook cannot be used, or ca_path, client_cert or client_key cannot.",
            ) from None

    def send(self, record: dict[str, t.Any]) -> None:
        """Post a record. Repeated after a failure that may pass: the receiver knows a record by its id."""
        transport = Transport(self._connection, self._clock)
        try:
            response = transport.send(
                Request(
                    "POST",
                    self._path,
                    content=as_json(record),
                    headers={"Content-Type": "application/cloudevents+json; charset=utf-8"},
                )
            )
        except OperatorError as exc:
            proxy = self._connection.proxy
            no_answer = f"no answer through {proxy.shown}" if proxy else "no answer"
            why = f"status {exc.status}" if exc.status else no_answer
            raise _not_taken(why) from None
        finally:
            transport.close()
        if not response.is_success:
            raise _not_taken(f"status {response.status_code}")


def _not_taken(why: str) -> OperatorError:
    return OperatorError("RESTATE_AUDIT_UNAVAILABLE", f"audit_webhook did not take the audit record: {why}.")
