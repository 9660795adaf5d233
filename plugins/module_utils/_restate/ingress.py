# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ingress: where it is, and whether it answers."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError
from .._http import urls
from .._http.answers import is_refusal
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._http.transport import Request, Transport

DEFAULT_PORT = 8080


class Ingress:
    """Finds the ingress.

    O(given) are the operator's URLs. Without any, the ingress is looked for on the admin's hosts, at O(guessed_port),
    and then where the server advertises it.
    """

    def __init__(
        self,
        admin: Connection,
        given: t.Sequence[str],
        guard: WriteGuard,
        clock: Clock,
        *,
        guessed_port: int = DEFAULT_PORT,
    ) -> None:
        self._admin = admin
        self._given = given
        self._guard = guard
        self._clock = clock
        self._guessed_port = guessed_port
        self._answered: str | None = None

    @property
    def shown_url(self) -> str:
        """Where it is looked for first, without what may be secret."""
        return urls.without_secrets(self._urls[0]).rstrip("/")

    @property
    def _urls(self) -> t.Sequence[str]:
        guesses = [
            f"http://localhost:{self._guessed_port}"
            if each.socket_path
            else urls.on_port(each.url, self._guessed_port)
            for each in self._admin.each
        ]
        # The one that answered before comes first: those before it failed.
        return sorted(self._given or dict.fromkeys(guesses), key=lambda url: url != self._answered)

    @property
    def each(self) -> list[Ingress]:
        """The ingress of each node by itself."""
        if self._given:
            return [Ingress(self._admin, [url], self._guard, self._clock) for url in self._given]
        return [
            Ingress(node, [], self._guard, self._clock, guessed_port=self._guessed_port)
            for node in self._admin.each
        ]

    def health(self, advertised: t.Callable[[], str | None]) -> str:
        """Return the URL at which an ingress answers, as it may be shown; raises as L(connect) does."""
        client = self.connect(advertised)
        client.close()
        return client.shown_url

    def connect(self, advertised: t.Callable[[], str | None]) -> IngressClient:
        """Return a client of the ingress that answers.

        Raises OperatorError as L(Transport.send) and L(Transport.checked) do, and RESTATE_UNEXPECTED_RESPONSE where
        what answers is no ingress. O(advertised) is asked for the server's own word only where the first guess fails.
        """
        first, *others = self._urls
        if self._given:
            return self._answering(self._admin.to(first, *others))
        try:
            return self._answering(self._without_secrets(first, *others, retries=0))
        except OperatorError:
            second = advertised()
            if not second:
                raise
            return self._answering(self._without_secrets(second, retries=self._admin.retries))

    def _without_secrets(self, url: str, *others: str, retries: int) -> Connection:
        # Credentials go where the operator said, never to a host that was guessed or that a server named.
        return Connection(
            url=url,
            alternatives=others,
            ca_path=self._admin.ca_path,
            validate_certs=self._admin.validate_certs,
            request_timeout=self._admin.request_timeout,
            retries=retries,
            secrets=self._admin.secrets,
        )

    def _answering(self, connection: Connection) -> IngressClient:
        client = IngressClient(connection, self._guard, self._clock)
        try:
            client.check()
        except OperatorError:
            client.close()
            raise
        self._answered = client.url
        return client


class IngressClient:
    """Calls an ingress. A submission passes the O(guard) first, which refuses it in check mode."""

    def __init__(self, connection: Connection, guard: WriteGuard, clock: Clock) -> None:
        self._own_headers = {"authorization"} if connection.auth_token else set()
        self._own_headers |= {name.lower() for name in connection.headers}
        self._guard = guard
        self._transport = Transport(connection, clock)

    @property
    def url(self) -> str:
        """Where the ingress is that is asked. It is not for showing."""
        return self._transport.connection.url

    @property
    def shown_url(self) -> str:
        """Where the ingress is that is asked, without what may be secret."""
        return self._transport.connection.shown_url

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def check(self) -> None:
        """Raise RESTATE_UNEXPECTED_RESPONSE where what answers is no ingress."""
        response = self._transport.checked(self._transport.send(Request("GET", "/restate/health")))
        try:
            is_ingress = response.status_code == 200 and "services" in response.json()
        except (ValueError, TypeError):
            is_ingress = False
        if not is_ingress:
            raise self._transport.unexpected(response, reason="not_an_ingress")

    def submit(self, service: str, key: str, handler: str, payload: bytes, headers: dict[str, str]) -> str:
        """Submit a workflow without waiting for it, and return the id of its run.

        It is the id of the run that is there, where the key was submitted before.
        """
        path = "/" + "/".join(urls.segment(name) for name in (service, key, handler)) + "/send"
        self._guard.authorize_write(f"POST {path}")
        # What the operator sends to get in stands before what somebody once sent to get in.
        own = self._own_headers
        headers = {name: text for name, text in headers.items() if name.lower() not in own}
        request = Request("POST", path, content=payload, headers=headers)
        response = self._transport.checked(self._transport.send(request, writes=True, repeatable=False))
        try:
            if response.status_code in (200, 202):
                return str(response.json()["invocationId"])
        except (ValueError, KeyError, TypeError):
            pass
        raise self._transport.unexpected(response, outcome_unknown=not is_refusal(response))
