# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to one endpoint: one connection pool, retries where they are safe, errors with a code."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import OperatorError
from .._thirdparty import httpx
from . import urls
from .answers import acknowledge_head, retry_after, server_message, whole
from .clock import Clock
from .connection import Connection, client_of
from .proxy import Proxy
from .retry import MAY_HAVE_BEEN_CARRIED_OUT, SILENT, Event, Outcome, is_for_others

_GATEWAY_STATUSES = (502, 503, 504)
MAY_BE_DONE = "may_be_done"
"""The extension of an answer to a write that says whether an earlier try of it may have been carried out."""
_SHORTEST_WAIT_SECONDS = 0.001
_DOUBT = " Whether the request was carried out is unknown."


@dataclass(frozen=True)
class Request:
    """What is sent: O(body) as JSON, or O(content) as it is.

    `asks_others` says that the server asks a service before it answers: it may not be the server that takes too long.
    """

    method: str
    path: str
    body: t.Any = None
    content: bytes | None = None
    headers: dict[str, str] | None = None
    params: dict[str, str] | None = None
    asks_others: bool = False


@dataclass(frozen=True)
class _Failure:
    """A try without a whole answer. O(response) is what came of one."""

    error: Exception
    response: httpx.Response | None


if t.TYPE_CHECKING:
    _Result = httpx.Response | _Failure


@dataclass(frozen=True, eq=False)
class _Node:
    """A node, and the client that reaches it."""

    connection: Connection
    client: httpx.Client


@dataclass
class _Tries:
    """What came of a request so far, by node."""

    outcomes: dict[_Node, tuple[Outcome, _Result]] = field(default_factory=dict)
    tried: set[_Node] = field(default_factory=set)
    """The nodes that were left in this round, and those that will not be asked again."""

    def begin_round(self) -> None:
        """Let all nodes be asked again, but those that took too long."""
        self.tried = {node for node, (outcome, _result) in self.outcomes.items() if outcome.event in SILENT}

    def delay_after_round(self, attempt: int) -> float | None:
        """Return the delay before the next round, or None if no node is worth it."""
        for node, (outcome, _result) in self._most_telling_first():
            delay = node.connection.retry.decide(outcome, attempt)
            if delay is not None:
                return delay
        return None

    @property
    def most_telling(self) -> tuple[_Node, _Result]:
        """Return the node whose last result explains most, and that result."""
        node, (_outcome, result) = self._most_telling_first()[0]
        return node, result

    def _most_telling_first(self) -> list[tuple[_Node, tuple[Outcome, _Result]]]:
        return sorted(self.outcomes.items(), key=lambda item: item[1][0].rank)


class Transport:
    """Send requests to one endpoint, or to the first of several nodes that answers. Safe to share between threads.

    A node that failed is asked last from then on.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._clock = clock
        of_task = dataclasses.replace(connection, patience=clock.patience)
        self._lock = threading.Lock()
        self._nodes = [_Node(each, client_of(each)) for each in of_task.each]
        self._given = tuple(self._nodes)

    @property
    def connection(self) -> Connection:
        """How the node that is asked is reached: the first one, until it failed."""
        return self._nodes[0].connection

    @property
    def each(self) -> list[Connection]:
        """How each node is reached, in the order that was given."""
        return [node.connection for node in self._given]

    def prefer(self, shown_url: str) -> None:
        """Ask this node from now on, if it is one of them, until it is not there."""
        with self._lock:
            self._nodes = sorted(self._nodes, key=lambda each: each.connection.shown_url != shown_url)

    def close(self) -> None:
        """Close all connections."""
        for node in self._given:
            node.client.close()

    def send(
        self,
        request: Request,
        *,
        writes: bool = False,
        repeatable: bool = True,
        may_pass: t.Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        If a node cannot be connected to, or takes too long for a read, the next one is asked at once. L(Retry.decide)
        says when a request is sent again. `repeatable` says whether it does no harm to carry it out twice, `may_pass`
        which answers are likely to be others soon; by default L(is_server_error) for reads, L(is_of_gateway) for
        writes.
        Raises OperatorError: RESTATE_ADMIN_UNREACHABLE without an answer, RESTATE_UNEXPECTED_RESPONSE for one that is
        cut short; outcome_unknown where O(writes) and any try may have been carried out.
        """
        may_pass = may_pass or (is_of_gateway if writes else is_server_error)
        attempt = 1
        unknown = False
        tries = _Tries()
        while True:
            node = next(each for each in self._nodes if each not in tries.tried)
            result = self._try(request, node)
            outcome = _outcome_of(request, result, repeatable=repeatable, writes=writes, may_pass=may_pass)
            if outcome.event is Event.ANSWERED:
                self._clock.patience.end_outage()
                answer = t.cast("httpx.Response", result)
                answer.extensions[MAY_BE_DONE] = unknown
                return answer
            unknown = unknown or (writes and outcome.event in MAY_HAVE_BEEN_CARRIED_OUT)
            tries.outcomes[node] = outcome, result
            retry = node.connection.retry
            delay = retry.decide(outcome, attempt) if retry.is_given_time(outcome, attempt) else None
            if delay is None and self._leaves(node, outcome):
                tries.tried.add(node)
                if len(tries.tried) < len(self._nodes):
                    continue
                delay = tries.delay_after_round(attempt)
            if delay is None:
                break
            self._clock.sleep(delay)
            attempt += 1
            tries.begin_round()
        node, result = tries.most_telling
        if isinstance(result, _Failure):
            raise _no_answer(node.connection, request, result, unknown=unknown) from result.error
        return result

    def _leaves(self, node: _Node, outcome: Outcome) -> bool:
        """Put a node that failed last for all requests; return whether another node may be asked the same."""
        is_left = is_for_others(outcome)
        if is_left or outcome.event in SILENT:
            with self._lock:
                self._nodes = [*(each for each in self._nodes if each is not node), node]
        return is_left

    def _try(self, request: Request, node: _Node) -> httpx.Response | _Failure:
        response = None
        deadline = time.monotonic() + node.connection.request_timeout
        try:
            built = _built(request, node.client, deadline)
            response = node.client.send(built, stream=True)
            acknowledge_head(response)
            return whole(response, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            return _Failure(exc, response)
        finally:
            if response is not None:
                response.close()

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


class _TimeLeft(dict[str, float]):
    """The time-outs of a request, which httpcore reads before each step: what is left of the whole request's time."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def get(self, _step: str, _default: t.Any = None) -> float:
        """Return the seconds until the deadline."""
        return max(self._deadline - time.monotonic(), _SHORTEST_WAIT_SECONDS)


def is_server_error(response: httpx.Response) -> bool:
    """Whether an answer says that the server, or a gateway before it, failed: asked again, it may answer otherwise."""
    return response.status_code >= 500 and response.status_code != 501


def is_of_gateway(response: httpx.Response) -> bool:
    """Whether an answer is one that gateways give while a server is away."""
    return response.status_code in _GATEWAY_STATUSES


def _outcome_of(
    request: Request,
    result: _Result,
    *,
    repeatable: bool,
    writes: bool,
    may_pass: t.Callable[[httpx.Response], bool],
) -> Outcome:
    if isinstance(result, _Failure):
        event = _event_of(result.error)
        if event is Event.TIMED_OUT and request.asks_others:
            event = Event.OTHERS_TIMED_OUT
        return Outcome(event, repeatable, writes=writes)
    if result.status_code == 429:
        event = Event.RATE_LIMITED
    elif may_pass(result):
        event = Event.TRANSIENT
    else:
        event = Event.ANSWERED
    return Outcome(event, repeatable, retry_after(result), writes)


def _built(request: Request, client: httpx.Client, deadline: float) -> httpx.Request:
    return client.build_request(
        request.method,
        request.path,
        json=request.body,
        content=request.content,
        headers=[(name.encode(), text.encode()) for name, text in (request.headers or {}).items()],
        params=request.params,
        extensions={"timeout": _TimeLeft(deadline)},
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
