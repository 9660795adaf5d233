# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ingress: where it is, and whether it answers."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._restate import urls
from ansible_collections.dalp.restate.plugins.module_utils._restate.transport import Connection, Transport

_PORT = 8080


class Ingress:
    """Finds the ingress. O(url) is the operator's; without it, the admin's host and what the server advertises."""

    def __init__(self, admin: Connection, url: str | None) -> None:
        self._admin = admin
        self._url = url

    @property
    def shown_url(self) -> str:
        """Where it is looked for first, without what may be secret."""
        return urls.shown(self._first).rstrip("/")

    @property
    def _first(self) -> str:
        if self._url:
            return self._url
        return (
            f"http://localhost:{_PORT}" if self._admin.socket_path else urls.on_port(self._admin.url, _PORT)
        )

    def health(self, advertised: t.Callable[[], str | None]) -> str:
        """Return the URL at which an ingress answers, as it may be shown.

        Raises OperatorError as L(Transport.send) does, and RESTATE_UNEXPECTED_RESPONSE where what answers is no
        ingress. O(advertised) is asked for the server's own word only where the first guess fails.
        """
        if self._url:
            return self._answers(dataclasses.replace(self._admin, url=self._url))
        try:
            return self._answers(self._without_secrets(self._first, retries=0))
        except OperatorError:
            second = advertised()
            if not second:
                raise
            return self._answers(self._without_secrets(second, retries=self._admin.retries))

    def _without_secrets(self, url: str, *, retries: int) -> Connection:
        # Credentials go where the operator said, never to a host that was guessed or that a server named.
        return Connection(
            url=url,
            ca_path=self._admin.ca_path,
            validate_certs=self._admin.validate_certs,
            request_timeout=self._admin.request_timeout,
            retries=retries,
        )

    @staticmethod
    def _answers(connection: Connection) -> str:
        transport = Transport(connection)
        try:
            response = transport.send("GET", "/restate/health")
            try:
                is_ingress = response.status_code == 200 and "services" in response.json()
            except (ValueError, TypeError):
                is_ingress = False
            if not is_ingress:
                raise transport.unexpected(response, reason="not_an_ingress")
        finally:
            transport.close()
        return connection.shown_url
