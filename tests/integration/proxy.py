# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reverse proxy in front of a real server: it records every request, and can do to an answer what a network does."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass(frozen=True)
class Request:
    """A request that came to the proxy; `body` is what its JSON says."""

    method: str
    path: str
    body: Any = None

    @property
    def writes(self) -> bool:
        """Whether it asks the server to change something."""
        if self.method == "GET" or (self.method, self.path) == ("POST", "/query"):
            return False
        return not ((self.method, self.path) == ("POST", "/deployments") and self.body.get("dry_run") is True)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """An answer; of a body that is `cut` only half is sent before the connection ends."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class LostError(Exception):
    """The connection ends without an answer."""


Forward = Callable[[], Answer]
Fault = Callable[[Request, Forward], Answer]


class Proxy:
    """What stands in front of the server."""

    def __init__(self, url: str, refuse: Callable[[], None]) -> None:
        self.url = url
        self.refuse = refuse
        """Refuse all connections from now on, as the address of a server that died does."""
        self.requests: list[Request] = []
        self.always: Fault | None = None
        """What is done to each request for which no other fault is there, until it is set to None again."""
        self.thawed = threading.Event()
        """Set this to let go of the connections that are frozen."""
        self._faults: list[tuple[str, re.Pattern[str], Fault]] = []
        self._lock = threading.Lock()

    @property
    def writes(self) -> list[str]:
        """The write calls that came, in their order."""
        return [str(request) for request in self.requests if request.writes]

    def once(self, method: str, path: str, *faults: Fault) -> None:
        """Do this to the next request, or the next ones, whose path matches; those after them pass."""
        self._faults += [(method, re.compile(path), fault) for fault in faults]

    def take(self, request: Request) -> Fault | None:
        """Record a request, and return what is to be done to it."""
        with self._lock:
            self.requests.append(request)
            for entry in self._faults:
                method, path, fault = entry
                if request.method == method and path.search(request.path):
                    self._faults.remove(entry)
                    return fault
        return self.always

    def freeze(self, _request: Request, _forward: Forward) -> Answer:
        """Keep the connection, and never answer."""
        self.thawed.wait(60)
        raise LostError

    def asked(self, method: str, path: str) -> int:
        """How often something was asked."""
        return sum((each.method, each.path) == (method, path) for each in self.requests)

    @property
    def is_used_up(self) -> bool:
        """Whether all faults have been met."""
        return not self._faults


def lose(_request: Request, forward: Forward) -> Answer:
    """Let the server act, and lose its answer."""
    forward()
    raise LostError


def answer(status: int, body: Any = None, **headers: str) -> Fault:
    """Answer this in the server's place, which never hears of the request."""
    return lambda _request, _forward: Answer(status, json.dumps(body or {}).encode(), headers)


def delay(seconds: float, then: Fault | None = None) -> Fault:
    """Let the request wait before the server gets it, or before something else is done to it."""

    def fault(request: Request, forward: Forward) -> Answer:
        time.sleep(seconds)
        return then(request, forward) if then else forward()

    return fault


def cut(_request: Request, forward: Forward) -> Answer:
    """End the server's answer in its middle."""
    whole = forward()
    return Answer(whole.status, whole.body, whole.headers, cut=True)


def before(act: Callable[[], object]) -> Fault:
    """Let something else happen between the module's decision and the server's action."""

    def fault(_request: Request, forward: Forward) -> Answer:
        act()
        return forward()

    return fault


def during(seconds: float, act: Callable[[], object]) -> Fault:
    """Let something else happen so long after the server got the request, whether or not it has answered by then."""

    def fault(_request: Request, forward: Forward) -> Answer:
        acting = threading.Timer(seconds, act)
        acting.start()
        try:
            return forward()
        finally:
            acting.join()

    return fault


def after(act: Callable[[], object]) -> Fault:
    """Let something else happen between the server's action and its answer."""

    def fault(_request: Request, forward: Forward) -> Answer:
        whole = forward()
        act()
        return whole

    return fault


def changed(change: Callable[[Any], Any], **headers: str) -> Fault:
    """Change what the JSON of the server's answer says."""

    def fault(_request: Request, forward: Forward) -> Answer:
        whole = forward()
        body = json.dumps(change(json.loads(whole.body))).encode()
        return Answer(whole.status, body, {**whole.headers, **headers})

    return fault


class Held:
    """A request that is held, as a frozen node does, and is delivered when nobody waits for it any more."""

    def __init__(self) -> None:
        self._release = threading.Event()
        self._delivered = threading.Event()
        self._is_dropped = False

    def hold(self, _request: Request, forward: Forward) -> Answer:
        """Hold the request: the fault for the proxy."""
        assert self._release.wait(120)
        if not self._is_dropped:
            forward()
        self._delivered.set()
        raise LostError

    def deliver(self) -> None:
        """Deliver the request, and wait until it was carried out."""
        self._release.set()
        assert self._delivered.wait(60)

    def drop(self) -> None:
        """Forget the request, unless it was delivered."""
        self._is_dropped = True
        self._release.set()


class _ProxyServer(ThreadingHTTPServer):
    """Forwards what comes to a server, with the faults that its proxy holds."""

    daemon_threads = True

    def __init__(self, target: httpx.Client) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_address[1]}", self.refuse)

    def refuse(self) -> None:
        self.shutdown()
        # A task's process was forked with this socket open: closed here alone, it would go on listening there.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _ProxyServer
    protocol_version = "HTTP/1.1"
    # A body is sent after its head, and would wait 40 ms for the client's word of having got that.
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = httpx.URL(self.path)
        request = Request(self.command, url.path, json.loads(content) if content else None)

        def forward() -> Answer:
            return self._forward(url, content)

        fault = self.server.proxy.take(request)
        try:
            self._answer(fault(request, forward) if fault else forward())
        except LostError:
            self.close_connection = True

    def _forward(self, url: httpx.URL, content: bytes) -> Answer:
        headers = {"accept": "application/json"}
        if content:
            headers["content-type"] = "application/json"
        if "x-api-key" in self.headers:
            headers["x-api-key"] = self.headers["x-api-key"]
        try:
            reply = self.server.target.request(self.command, url, content=content, headers=headers)
        except httpx.TransportError as error:
            raise LostError from error
        kept = {name: reply.headers[name] for name in ("content-type",) if name in reply.headers}
        return Answer(reply.status_code, reply.content, kept)

    def _answer(self, reply: Answer) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = self.close_connection or reply.cut

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def proxy_of(target: str) -> Iterator[Proxy]:
    """Stand in front of a server until the end of the context."""
    with httpx.Client(base_url=target, trust_env=False, timeout=30) as client:
        server = _ProxyServer(client)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.proxy
        finally:
            server.proxy.thawed.set()
            server.shutdown()
            server.server_close()
            thread.join()
