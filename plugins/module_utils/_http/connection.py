# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an endpoint is reached: its URL, credentials and certificates."""

from __future__ import annotations

import dataclasses
import re
import ssl
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .._errors import OperatorError
from .._thirdparty import httpx
from . import urls
from .clock import Patience
from .credentials import NO_SECRETS, Secrets
from .proxy import Proxy, proxy_of
from .retry import Retry

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_EACH_REQUEST = ("content-length", "transfer-encoding")


@dataclass(frozen=True)
class Connection:
    """How an endpoint is reached. O(request_timeout) is in seconds; O(retries) counts what follows the first try.

    O(alternatives) are the URLs of other nodes, in the order in which they are tried. O(secrets) are hidden in whatever
    the other end says. `write_grace` is how long a write whose answer never came may still be delivered, in seconds.
    O(patience) is the task's, once a transport uses the connection.
    """

    url: str
    alternatives: tuple[str, ...] = ()
    auth_token: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    request_timeout: float = 10.0
    retries: int = 3
    write_grace: float = 120.0
    secrets: Secrets = field(default=NO_SECRETS, repr=False)
    patience: Patience | None = field(default=None, repr=False, compare=False)

    @property
    def each(self) -> list[Connection]:
        """A connection for each of the URLs."""
        return [self.to(url) for url in (self.url, *self.alternatives)]

    def to(self, url: str, *alternatives: str) -> Connection:
        """Return a connection to other URLs, and to none of those here, with the same credentials and certificates."""
        return dataclasses.replace(self, url=url, alternatives=alternatives)

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket where the URL is C(unix:/path), else None."""
        return "/" + self.url[len("unix:") :].lstrip("/") if self.url.startswith("unix:") else None

    @property
    def proxy(self) -> Proxy | None:
        """The proxy through which the URL is reached, or None."""
        return None if self.socket_path else proxy_of(self.url)

    @property
    def retry(self) -> Retry:
        """When a request is repeated, and after how long."""
        return Retry(self.retries, self.request_timeout, patience=self.patience)

    @property
    def shown_url(self) -> str:
        """The URL without what may be secret."""
        return f"unix:{self.socket_path}" if self.socket_path else urls.without_secrets(self.url).rstrip("/")


def client_of(connection: Connection) -> httpx.Client:
    """Return an HTTP client for the endpoint; raise RESTATE_INVALID_ARGUMENT where it cannot be reached like this."""
    base_url = "http://localhost" if connection.socket_path else _base_url(connection)
    headers, verify, proxy = _headers(connection), _tls(connection), connection.proxy
    try:
        if proxy and not urlsplit(proxy.url).hostname:
            raise ValueError("httpx would take it, and fail at each request")
        return httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=connection.request_timeout,
            transport=httpx.HTTPTransport(uds=connection.socket_path) if connection.socket_path else None,
            verify=verify,
            proxy=proxy.url if proxy else None,
            # The one thing that httpx would take from the environment is the proxy, which it would not name.
            trust_env=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as exc:
        if proxy is None:
            raise
        raise _unusable(proxy, exc) from None


def _unusable(proxy: Proxy, exc: Exception) -> OperatorError:
    if isinstance(exc, ImportError):
        return OperatorError(
            "RESTATE_UNSUPPORTED",
            f"{sys.executable} has no library for {proxy.shown}. Nothing was touched.",
            remedy=f"Install it for that Python: {sys.executable} -m pip install 'httpx[socks]'; or use an http:// "
            "proxy, or list the host in NO_PROXY where it is to be reached directly.",
            reason="proxy",
        )
    return OperatorError(
        "RESTATE_INVALID_ARGUMENT",
        f"{proxy.variable} names {urls.without_secrets(proxy.url)!r}, which cannot be used as a proxy. Nothing was "
        "touched.",
        remedy=f"Set {proxy.variable} to an http://, https:// or socks5:// URL, or list the host in NO_PROXY where it "
        "is to be reached directly.",
        reason="proxy",
    )


def _base_url(connection: Connection) -> str:
    try:
        parts = urls.parse(connection.url)
        if parts.query or parts.fragment:
            raise ValueError("it has a query or a fragment")
        try:
            # httpx takes some names of hosts at which it, or the resolver, fails with each request.
            url = httpx.URL(connection.url)
            _ = url.host
            url.raw_host.decode().encode("idna")
        except (httpx.InvalidURL, UnicodeError):
            raise ValueError("it cannot be parsed as a URL") from None
    except ValueError as exc:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"The URL {connection.shown_url!r} cannot be used: {exc}."
        ) from None
    return connection.url


def header_text(option: str, text: str) -> str:
    """Return the value of a header without blanks around it; raise RESTATE_INVALID_ARGUMENT, which names the option."""
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isprintable()):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{option} holds something that cannot stand in an HTTP header, such as a line break or an accent.",
        )
    return stripped


def _headers(connection: Connection) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    for name, text in connection.headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OF_EACH_REQUEST:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"headers holds {name!r}, which cannot be given as an HTTP header.",
            )
        headers[name] = header_text(f"headers.{name}", text)
    if connection.auth_token:
        headers["Authorization"] = f"Bearer {header_text('auth_token', connection.auth_token)}"
    return headers


def _tls(connection: Connection) -> ssl.SSLContext | bool:
    # A context costs 20 ms and more: plain HTTP does not pay it. Redirects are never followed.
    if connection.socket_path or urls.parse(connection.url).scheme != "https":
        return False
    try:
        context = ssl.create_default_context(cafile=connection.ca_path)
        if connection.client_cert:
            context.load_cert_chain(connection.client_cert, connection.client_key)
    except (OSError, ValueError) as exc:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"ca_path, client_cert or client_key cannot be used: {exc}."
        ) from exc
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
