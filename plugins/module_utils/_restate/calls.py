# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way out to the admin API: what writes passes the guard, and each answer is read in one place."""

from __future__ import annotations

import re
import typing as t

from .._errors import OperatorError
from .._http.answers import is_refusal, server_message
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._http.transport import Request, Transport, is_of_gateway, is_server_error
from .._thirdparty import ValidationError, httpx
from . import wire

_M = t.TypeVar("_M", bound=wire.Wire)

_UNAVAILABLE = (
    "External error",
    "Error when routing the request internally",
    "node lookup for partition",
    "doesn't exist on this node",
    "metadata store",
    "metadata server",
    "retries for operation on key",
)


# What DataFusion finds wrong with a query before or while it computes, whatever the cluster is like. All versions
# answer most of it with 500 (seen on 1.5.3, 1.6.2 and 1.7.12), and only the text tells it from an error that passes.
_WRONG_QUERY = re.compile(
    r"(?:datafusion failed|Datafusion error): "
    r"(?:SQL error|Schema error|Error during planning|This feature is not implemented|Optimizer rule"
    r"|Invalid or Unsupported Configuration|Arrow error: (?:Cast|Parser|Compute|Divide by zero) error"
    r"|Execution error: (?:Unsupported|Placeholder)|External error: non valid invocation id"
    r"|Internal error: failed to call 'regex)"
)


def is_unavailable(response: httpx.Response) -> bool:
    """Whether an answer says that a part of the cluster is not there: a partition's leader, or a quorum.

    So it is with 1.7.12 while a cluster loses a node, and for as long as it lacks one: /query answers 500 with an
    external error, an invocation's call 503 since it could not be routed, a registration 500 for the metadata store.
    """
    text = response.text
    is_named = response.status_code in (500, 503) and any(words in text for words in _UNAVAILABLE)
    return is_named and not _is_permanent(response)


def _is_permanent(response: httpx.Response) -> bool:
    """Whether Restate says that this is its answer: with a META code, or since the query is wrong."""
    message, restate_code = server_message(response)
    return str(restate_code).startswith("META") or _WRONG_QUERY.match(message) is not None


def says_not_found(response: httpx.Response) -> bool:
    """Whether a 404 is Restate's word on what was asked for.

    That of a gateway without a route, or of a server without the call, is not.
    """
    if response.status_code != 404:
        return False
    try:
        return "restate_code" in response.json()
    except (ValueError, TypeError):
        return False


def _is_json(response: httpx.Response) -> bool:
    try:
        response.json()
    except ValueError:
        return False
    return True


def _read_may_pass(response: httpx.Response) -> bool:
    """Whether a read may soon be answered otherwise: after any error of the server that it does not call final."""
    return is_server_error(response) and not _is_permanent(response)


def write_may_pass(response: httpx.Response) -> bool:
    """Whether a write that may be carried out twice may soon be answered otherwise."""
    return is_of_gateway(response) or is_unavailable(response)


def _is_read(request: Request) -> bool:
    if request.method == "GET":
        return True
    if (request.method, request.path) == ("POST", "/query"):
        return True
    is_registration = (request.method, request.path) == ("POST", "/deployments")
    return is_registration and (request.body or {}).get("dry_run") is True


class AdminCalls:
    """Calls the admin API, without a version prefix. Safe to share between threads.

    What it raises is OperatorError, as L(Transport.send) and L(Transport.checked) do, and RESTATE_UNEXPECTED_RESPONSE
    for an answer that is not known.
    """

    def __init__(self, connection: Connection, guard: WriteGuard, clock: Clock) -> None:
        self.clock = clock
        self.check_mode = guard.check_mode
        self.guard = guard
        self.transport = Transport(connection, clock)
        self.warnings: list[str] = []
        """What an operator should know of the answers, whatever the task makes of them."""

    @property
    def connection(self) -> Connection:
        """How the node that is asked is reached."""
        return self.transport.connection

    def prefer(self, shown_url: str) -> None:
        """Ask the node with this URL from now on, until it is not there."""
        self.transport.prefer(shown_url)

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def send(
        self,
        request: Request,
        *,
        repeatable: bool = True,
        may_pass: t.Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Return the answer of Restate.

        A write that is not O(repeatable) is not sent again blindly: another run may have taken the place of what it
        is about. `may_pass` says which answers to a write are likely to be others soon.
        """
        is_read = _is_read(request)
        if not is_read:
            self.guard.authorize_write(f"{request.method} {request.path}")
        response = self.transport.send(
            request,
            writes=not is_read,
            repeatable=is_read or repeatable,
            may_pass=_read_may_pass if is_read else may_pass,
        )
        return self.transport.checked(response)

    def read(self, model: type[_M], path: str) -> _M:
        """Return the document at a path."""
        return self.parsed(model, self.expect(self.send(Request("GET", path)), 200))

    def read_or_none(self, model: type[_M], path: str) -> _M | None:
        """Return the document at a path, or None where Restate says that there is none."""
        response = self.send(Request("GET", path))
        if says_not_found(response):
            return None
        return self.parsed(model, self.expect(response, 200))

    def expect(self, response: httpx.Response, *statuses: int) -> httpx.Response:
        """Return an answer of Restate that has one of these statuses; raise for any other.

        Restate answers a write with JSON or with nothing. A page is that of a gateway, which may have kept the request.
        """
        if response.status_code not in statuses:
            raise self.unexpected(response)
        if response.request.method != "GET" and response.content and not _is_json(response):
            raise self.transport.unexpected(response, reason="not_restate", outcome_unknown=True)
        return response

    def unexpected(self, response: httpx.Response) -> OperatorError:
        """Return (not raise) the error of an answer that is not known."""
        return self.transport.unexpected(
            response,
            code="RESTATE_CLUSTER_UNAVAILABLE" if is_unavailable(response) else "RESTATE_UNEXPECTED_RESPONSE",
            outcome_unknown=response.request.method != "GET" and not is_refusal(response),
        )

    def parsed(self, model: type[_M], response: httpx.Response) -> _M:
        """Return the document that is an answer's body."""
        try:
            return model.model_validate_json(response.content)
        except ValidationError:
            raise self.transport.unexpected(response, reason="not_restate") from None
