# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way out to the admin API: what writes passes the guard, and each answer is read in one place."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError
from .._http.answers import is_refusal
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._http.transport import Request, Transport
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


def is_unavailable(response: httpx.Response) -> bool:
    """Whether an answer says that a part of the cluster is not there: a partition's leader, or a quorum.

    So it is with 1.7.12 while a cluster loses a node, and for as long as it lacks one: /query answers 500 with an
    external error, an invocation's call 503 since it could not be routed, a registration 500 for the metadata store.
    """
    text = response.text
    return response.status_code in (500, 503) and any(words in text for words in _UNAVAILABLE)


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
        self.transport = Transport(connection, clock, is_of_cluster=True)
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
        transient: t.Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Return the answer of Restate.

        A write that is not O(repeatable) is not sent again blindly: another run may have taken the place of what it
        is about.
        """
        is_read = _is_read(request)
        if not is_read:
            self.guard.authorize_write(f"{request.method} {request.path}")
        response = self.transport.send(
            request, writes=not is_read, repeatable=is_read or repeatable, transient=transient
        )
        return self.transport.checked(response)

    def read(self, model: type[_M], path: str) -> _M:
        """Return the document at a path."""
        return self.parsed(model, self.expect(self.send(Request("GET", path)), 200))

    def read_or_none(self, model: type[_M], path: str) -> _M | None:
        """Return the document at a path, or None where there is none."""
        response = self.send(Request("GET", path))
        if response.status_code == 404:
            return None
        return self.parsed(model, self.expect(response, 200))

    def expect(self, response: httpx.Response, *statuses: int) -> httpx.Response:
        """Return an answer that has one of these statuses; raise for any other."""
        if response.status_code in statuses:
            return response
        raise self.unexpected(response)

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
