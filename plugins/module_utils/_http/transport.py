# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to one endpoint: one connection pool, retries where they are safe, errors with a code."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._errors import OperatorError
from .._thirdparty import httpx
from . import urls
from .answers import acknowledge_head, retry_after, server_message, whole
from .clock import Clock
from .connection import Connection, client_of
from .proxy import Proxy
from .retry import MAY_HAVE_BEEN_CARRIED_OUT, NOT_THERE, Event, Outcome

_TRANSIENT_STATUSES = (502, 503, 504)
_DOUBT = " Whether the request was carried out is unknown."


@dataclass(frozen=True)
class Request:
    """What is sent: O(body) as JSON, or O(content) as it is."""

    method: str
    path: str
    body: t.Any = None
    content: bytes | None = None
    headers: dict[str, str] | None = None
    params: dict[str, str] | None = None


@dataclass(frozen=True)
class _Failure:
    """A try without a whole answer. O(response) is what came of one."""

    error: Exception
    response: httpx.Response | None


@dataclass(frozen=True, eq=False)
class _Node:
    """A node, and the client that reaches it."""

    connection: Connection
    client: httpx.Client


class Transport:
    """Sends requests to one endpoint, or to the first of several nodes that is there. Safe to share between threads."""

    def __init__(self, connection: Connection, clock: Clock, *, is_of_cluster: bool = False) -> None:
        self._clock = clock
        self._is_of_cluster = is_of_cluster
        self._nodes = [_Node(each, client_of(each)) for each in connection.each]
        self._asked = self._nodes[0]

    @property
    def connection(self) -> Connection:
        """How the node that is asked is reached: the first one, until it was not there."""
        return self._asked.connection

    @property
    def each(self) -> list[Connection]:
        """How each node is reached."""
        return [node.connection for node in self._nodes]

    def prefer(self, shown_url: str) -> None:
        """Ask this node from now on, if it is one of them, until it is not there."""
        self._asked = next(
            (each for each in self._nodes if each.connection.shown_url == shown_url), self._asked
        )

    def close(self) -> None:
        """Close all connections."""
        for node in self._nodes:
            node.client.close()

    def send(
        self,
        request: Request,
        *,
        writes: bool = False,
        repeatable: bool = True,
        transient: t.Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        Where a node cannot be connected to, the next one is asked at once. L(Retry.decide) says when a request is sent
        again. O(repeatable) says whether it does no harm to carry it out
        twice; O(transient) recognises answers, besides 502, 503 and 504, that are likely to be others soon.
        Raises OperatorError: RESTATE_ADMIN_UNREACHABLE without an answer, RESTATE_UNEXPECTED_RESPONSE for one that is
        cut short; outcome_unknown where O(writes) and any try may have been carried out.
        """
        attempt = 1
        unknown = False
        away: list[_Node] = []
        while True:
            node = self._asked
            result = self._try(request, node)
            outcome = self._outcome_of(result, repeatable=repeatable, transient=transient)
            unknown = unknown or (writes and outcome.event in MAY_HAVE_BEEN_CARRIED_OUT)
            if outcome.event in NOT_THERE and self._go_on_after(node, away):
                continue
            delay = node.connection.retry.decide(outcome, attempt)
            if delay is None:
                break
            self._clock.sleep(delay)
            attempt += 1
        if isinstance(result, _Failure):
            raise _no_answer(node.connection, request, result, unknown=unknown) from result.error
        return result

    def _go_on_after(self, node: _Node, away: list[_Node]) -> bool:
        """Ask another node from now on, unless all were tried in this round."""
        away.append(node)
        others = [each for each in self._nodes if each not in away]
        if not others:
            away.clear()
            return False
        self._asked = others[0]
        return True

    def _try(self, request: Request, node: _Node) -> httpx.Response | _Failure:
        response = None
        deadline = time.monotonic() + node.connection.request_timeout
        try:
            built = _built(request, node.client)
            response = node.client.send(built, stream=True)
            acknowledge_head(response)
            return whole(response, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            return _Failure(exc, response)
        finally:
            if response is not None:
                response.close()

    def _outcome_of(
        self,
        result: httpx.Response | _Failure,
        *,
        repeatable: bool,
        transient: t.Callable[[httpx.Response], bool] | None,
    ) -> Outcome:
        if isinstance(result, _Failure):
            return Outcome(_event_of(result.error), repeatable, is_of_cluster=self._is_of_cluster)
        if result.status_code == 429:
            event = Event.RATE_LIMITED
        elif result.status_code in _TRANSIENT_STATUSES or (transient and transient(result)):
            event = Event.TRANSIENT
        else:
            event = Event.ANSWERED
        return Outcome(event, repeatable, retry_after(result), self._is_of_cluster)

    def checked(self, response: httpx.Response) -> httpx.Response:
        """Return the answer of Restate, or of what stands in front of it, unless it lets nobody in.

        Raises OperatorError: RESTATE_PERMISSION_REQUIRED for a 401 or 403, RESTATE_ADMIN_UNREACHABLE where a proxy
        wants credentials (407), RESTATE_UNEXPECTED_RESPONSE for a lasting 429.
        """
        if response.status_code in (401, 403):
            raise self.unexpected(response, code="RESTATE_PERMISSION_REQUIRED")
        if response.status_code == 407:
            raise self.unexpected(response, code="RESTATE_ADMIN_UNREACHABLE", reason="proxy")
        if response.status_code == 429:
            raise self.unexpected(response, reason="rate_limited")
        return response

    def unexpected(
        self,
        response: httpx.Response,
        *,
        code: str = "RESTATE_UNEXPECTED_RESPONSE",
        reason: str | None = None,
        message: str | None = None,
        outcome_unknown: bool = False,
    ) -> OperatorError:
        """Return (not raise) an error that shows the server's message, or O(message) in its place."""
        request = response.request
        url = urls.without_secrets(str(request.url))
        if self.connection.socket_path:
            url = self.connection.shown_url + request.url.path
        http: dict[str, t.Any] = {"method": request.method, "url": url, "status": response.status_code}
        own_message, restate_code = server_message(response, self.connection.secrets)
        proxy = self.connection.proxy
        if restate_code:
            http["restate_code"] = restate_code
        return OperatorError(
            code,
            f"{http['method']} {http['url']}{_through(proxy)} answered {response.status_code}: "
            f"{message or own_message}{'.' + _DOUBT if outcome_unknown else ''}",
            remedy=proxy.remedy if proxy and reason == "proxy" else "",
            http=http,
            reason=reason,
            outcome_unknown=outcome_unknown,
        )


def _built(request: Request, client: httpx.Client) -> httpx.Request:
    return client.build_request(
        request.method,
        request.path,
        json=request.body,
        content=request.content,
        headers=[(name.encode(), text.encode()) for name, text in (request.headers or {}).items()],
        params=request.params,
    )


def _no_answer(
    connection: Connection, request: Request, failure: _Failure, *, unknown: bool
) -> OperatorError:
    http: dict[str, t.Any] = {"method": request.method, "url": connection.shown_url + request.path}
    proxy = connection.proxy
    code, reason = "RESTATE_ADMIN_UNREACHABLE", "proxy" if proxy else None
    why = connection.secrets.hidden(str(failure.error)) or type(failure.error).__name__
    if failure.response is not None:
        code, reason, why = "RESTATE_UNEXPECTED_RESPONSE", "cut_short", "the answer was cut short"
        http["status"] = failure.response.status_code
    if isinstance(failure.error, httpx.TimeoutException):
        reason = "timeout"
        why = f"no answer within {connection.request_timeout:g} s"
    return OperatorError(
        code,
        f"{http['method']} {http['url']}{_through(proxy)} failed: {why}.{_DOUBT if unknown else ''}",
        remedy=proxy.remedy if proxy else "",
        reason=reason,
        http=http,
        outcome_unknown=unknown,
    )


def _through(proxy: Proxy | None) -> str:
    return f" through {proxy.shown}" if proxy else ""


def _event_of(error: Exception) -> Event:
    if isinstance(error, httpx.ConnectError):
        return Event.NOT_CONNECTED
    # Where all connections of the pool are in use, nothing is sent either.
    if isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)):
        return Event.CONNECT_TIMED_OUT
    if isinstance(error, httpx.TimeoutException):
        return Event.TIMED_OUT
    if isinstance(error, (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
        return Event.LOST
    return Event.BROKEN
