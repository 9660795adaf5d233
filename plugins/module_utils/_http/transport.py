# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to one endpoint: one connection pool, retries where they are safe, errors with a code."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import random
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import OperatorError
from .._thirdparty import httpx
from . import urls

_FIRST_DELAY = 0.2
_SHOWN_TEXT = 2000
_PASSING_STATUSES = (429, 502, 503, 504)
_DOUBT = " Whether the request was carried out is unknown."


@dataclass(frozen=True)
class Connection:
    """How an endpoint is reached. O(request_timeout) is in seconds; O(retries) counts what follows the first try."""

    url: str
    auth_token: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    request_timeout: float = 10.0
    retries: int = 3

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket where the URL is C(unix:/path), else None."""
        return "/" + self.url[len("unix:") :].lstrip("/") if self.url.startswith("unix:") else None

    def back_off(self, tries_left: int) -> float:
        """Return how long to wait before the next try, in seconds: longer each time, with jitter."""
        return _FIRST_DELAY * 2.0 ** (self.retries - tries_left) * random.uniform(0.75, 1.25)

    @property
    def shown_url(self) -> str:
        """The URL without what may be secret."""
        return f"unix:{self.socket_path}" if self.socket_path else urls.shown(self.url).rstrip("/")


class Transport:
    """Sends requests to one endpoint. Safe to share between threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._client = httpx.Client(
            base_url="http://localhost" if connection.socket_path else _base_url(connection),
            headers=_headers(connection),
            timeout=connection.request_timeout,
            transport=httpx.HTTPTransport(uds=connection.socket_path) if connection.socket_path else None,
            verify=_tls(connection),
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: t.Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        writes: bool = False,
        repeatable: bool = True,
        passing: t.Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        What is sent is O(body) as JSON, or O(content) as it is.

        O(repeatable) requests are sent again, with exponential back-off and jitter, after a connection error, a 429
        (honouring a Retry-After of up to request_timeout), 502, 503, 504 and whatever O(passing) recognises as
        passing. Others only where they certainly were not carried out: no connection, or a 429.
        Raises OperatorError: RESTATE_ADMIN_UNREACHABLE without an answer, RESTATE_UNEXPECTED_RESPONSE for one that is
        cut short; outcome_unknown where O(writes) and any try may have been carried out.
        """
        http = {"method": method, "url": self.connection.shown_url + path}
        unknown = False
        for tries_left in range(self.connection.retries, -1, -1):
            delay = self.connection.back_off(tries_left)
            response = None
            try:
                raw = [(name.encode(), text.encode()) for name, text in (headers or {}).items()]
                request = self._client.build_request(
                    method, path, json=body, content=content, headers=raw, params=params
                )
                response = self._client.send(request, stream=True)
                _acknowledge(response)
                response.read()
            except httpx.ConnectError as exc:
                if not tries_left:
                    raise self._no_answer(exc, http, response, unknown=unknown) from exc
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as exc:
                unknown = writes
                if not (repeatable and tries_left):
                    raise self._no_answer(exc, http, response, unknown=unknown) from exc
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
                sent = not isinstance(exc, (httpx.ConnectTimeout, httpx.PoolTimeout))
                raise self._no_answer(exc, http, response, unknown=unknown or (writes and sent)) from exc
            else:
                is_passing = response.status_code in _PASSING_STATUSES or (
                    passing is not None and passing(response)
                )
                may_repeat = repeatable or response.status_code == 429
                wait = retry_after(response)
                if not (is_passing and may_repeat and tries_left and wait <= self.connection.request_timeout):
                    return response
                delay = max(delay, wait)
            finally:
                if response is not None:
                    response.close()
            time.sleep(delay)
        raise AssertionError("the last try returns or raises")

    def _no_answer(
        self, exc: Exception, http: dict[str, t.Any], response: httpx.Response | None, *, unknown: bool
    ) -> OperatorError:
        code, reason = "RESTATE_ADMIN_UNREACHABLE", None
        if response is not None:
            code, reason = "RESTATE_UNEXPECTED_RESPONSE", "cut_short"
            http = {**http, "status": response.status_code}
        if isinstance(exc, httpx.TimeoutException):
            reason = reason or "timeout"
            why = f"no answer within {self.connection.request_timeout:g} s"
        elif response is not None:
            why = "the answer was cut short"
        else:
            why = str(exc) or type(exc).__name__
        return OperatorError(
            code,
            f"{http['method']} {http['url']} failed: {why}.{_DOUBT if unknown else ''}",
            reason=reason,
            http=http,
            outcome_unknown=unknown,
        )

    def checked(self, response: httpx.Response) -> httpx.Response:
        """Return the answer of Restate, or of what stands in front of it, unless it lets nobody in.

        Raises OperatorError: RESTATE_PERMISSION_REQUIRED for a 401 or 403, RESTATE_UNEXPECTED_RESPONSE for a lasting
        429.
        """
        if response.status_code in (401, 403):
            raise self.unexpected(response, code="RESTATE_PERMISSION_REQUIRED")
        if response.status_code == 429:
            raise self.unexpected(response, reason="rate_limited")
        return response

    def unexpected(
        self,
        response: httpx.Response,
        *,
        code: str = "RESTATE_UNEXPECTED_RESPONSE",
        reason: str | None = None,
        words: str | None = None,
        outcome_unknown: bool = False,
    ) -> OperatorError:
        """Return (not raise) an error that shows the server's own words, or O(words) in their place."""
        request = response.request
        socket = self.connection.socket_path
        url = self.connection.shown_url + request.url.path if socket else urls.shown(str(request.url))
        http: dict[str, t.Any] = {"method": request.method, "url": url, "status": response.status_code}
        own_words, restate_code = server_words(response)
        if restate_code:
            http["restate_code"] = restate_code
        return OperatorError(
            code,
            f"{http['method']} {http['url']} answered {response.status_code}: {words or own_words}"
            f"{'.' + _DOUBT if outcome_unknown else ''}",
            http=http,
            reason=reason,
            outcome_unknown=outcome_unknown,
        )


def _acknowledge(response: httpx.Response) -> None:
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


def server_words(response: httpx.Response) -> tuple[str, str | None]:
    """Return the message of an error answer and its Restate code; other bodies (a proxy's page) are cut short.

    The content of an answer that is no error is not shown: it may hold the headers of deployments.
    """
    try:
        body = response.json()
        return str(body["message"])[:_SHOWN_TEXT], body.get("restate_code")
    except (ValueError, KeyError, TypeError, AttributeError):
        text = " ".join(response.text.split())
        if response.is_success and text.startswith(("{", "[")):
            text = f"{len(response.content)} bytes of JSON that are not what was asked for"
        return (text[:200] or response.reason_phrase or "an empty answer"), None


def _base_url(connection: Connection) -> str:
    try:
        parts = urls.parse(connection.url)
        if parts.query or parts.fragment:
            raise ValueError("it has a query or a fragment")
        try:
            httpx.URL(connection.url)
        except httpx.InvalidURL:
            raise ValueError("it cannot be parsed as a URL") from None
    except ValueError as exc:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"The URL {connection.shown_url!r} cannot be used: {exc}."
        ) from None
    return connection.url


def _headers(connection: Connection) -> dict[str, str]:
    headers = {"Accept": "application/json", **connection.headers}
    if connection.auth_token:
        headers["Authorization"] = f"Bearer {connection.auth_token}"
    try:
        httpx.Headers(headers)
        for name, value in headers.items():
            if not value.isprintable() or not name.isprintable():
                raise ValueError
            value.encode("latin-1")
    except (ValueError, AttributeError, TypeError):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "auth_token, headers or dalp_api_key hold something that cannot stand in an HTTP header (a line break, or "
            "no text).",
        ) from None
    return headers


def _tls(connection: Connection) -> ssl.SSLContext | bool:
    # A context costs 20 ms and more: plain HTTP does not pay it. Redirects are never followed.
    if connection.socket_path or urls.parse(connection.url).scheme != "https":
        return False
    try:
        context = ssl.create_default_context(cafile=connection.ca_path)
        if connection.client_cert:
            context.load_cert_chain(connection.client_cert, connection.client_key)
    except (OSError, ssl.SSLError) as exc:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"ca_path, client_cert or client_key cannot be used: {exc}."
        ) from exc
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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
