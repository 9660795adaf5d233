# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of a server: how they are read whole, and what they say."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import socket
import time

from .._thirdparty import httpx
from .credentials import NO_SECRETS, Secrets

_SHOWN_TEXT = 2000


def whole(response: httpx.Response, deadline: float) -> httpx.Response:
    """Return an answer with its body; raise ReadTimeout after the deadline.

    httpx limits each wait for a part, and not their sum.
    """
    parts = []
    for part in response.iter_raw():
        parts.append(part)
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("The answer took too long.")
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        content=b"".join(parts),
        request=response.request,
        extensions=response.extensions,
    )


def acknowledge_head(response: httpx.Response) -> None:
    """Have the kernel acknowledge the head of an answer at once.

    Restate sends the body of /query only then (it leaves Nagle's algorithm on; seen on 1.5.3, 1.6.2 and 1.7.12), and on
    a connection that is used again Linux would let it wait for 40 ms.
    """
    option = getattr(socket, "TCP_QUICKACK", None)
    stream = response.extensions.get("network_stream")
    if option is not None and stream is not None:
        # A Unix socket does not know it.
        with contextlib.suppress(OSError):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, 1)


def is_refusal(response: httpx.Response) -> bool:
    """Whether a status says that a write was not carried out; after any other, what became of it is unknown.

    408 says so of none: gateways also give it after they have passed the request on.
    """
    return (400 <= response.status_code < 500 and response.status_code != 408) or response.status_code == 501


def server_message(response: httpx.Response, secrets: Secrets = NO_SECRETS) -> tuple[str, str | None]:
    """Return the message of an error answer and its Restate code; other bodies (a proxy's page) are cut short.

    It is what the server says, without these secrets, which it may have been told.

    The content of an answer that is no error is not shown: it may hold the headers of deployments.
    """
    try:
        body = response.json()
        return secrets.hidden(str(body["message"]))[:_SHOWN_TEXT], body.get("restate_code")
    except (ValueError, KeyError, TypeError, AttributeError):
        text = " ".join(response.text.split())
        if response.is_success and text.startswith(("{", "[")):
            text = f"{len(response.content)} bytes of JSON that are not what was asked for"
        return (secrets.hidden(text)[:200] or response.reason_phrase or "an empty answer"), None


def retry_after(response: httpx.Response) -> float:
    """Return for how long an answer asks one to wait, in seconds; zero where it does not say. It may be infinite."""
    told = response.headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return float(told)
    try:
        moment = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        return 0.0
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
