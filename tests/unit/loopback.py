# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted HTTP server on loopback, down to the bytes: what no real Restate can be asked to do."""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

RESET = b"RESET"
"""Reset the connection instead of an answer."""
HANG = b"HANG"
"""Never answer."""
TRICKLE = b"TRICKLE"
"""Answer a byte every 20 ms, without end."""


def answer(
    status: int = 200, body: Any = b"", headers: Mapping[str, str] | None = None, *, missing: int = 0
) -> bytes:
    """Return the bytes of an answer; `missing` bytes of the body are announced and never sent."""
    is_json = not isinstance(body, bytes)
    content = json.dumps(body).encode() if is_json else body
    fields = {
        "Content-Length": str(len(content) + missing),
        "Content-Type": "application/json" if is_json else "text/html",
        "Connection": "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + content


NOT_FOUND = answer(404, {"message": "The requested one does not exist", "restate_code": None})
"""What Restate answers where there is nothing under an id or a name; a 404 of anything else has other content."""


def chunked(*chunks: bytes, ends: bool) -> bytes:
    """Return the bytes of a streamed answer, with its end or without."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    parts = [f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks]
    return head + b"".join(parts) + (b"0\r\n\r\n" if ends else b"")


@dataclass(frozen=True)
class Request:
    """A request that arrived; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Answer = bytes | Callable[[Request], bytes]


class LoopbackServer:
    """Gives its answers in their order, the last again and again, and keeps the requests.

    An answer is bytes, or what makes them of the request: several that come side by side have no order. With
    `stays_open` a connection stays open after its answer, also after half of one.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        socket_path: Path | None = None,
        tls: ssl.SSLContext | None = None,
        stays_open: bool = False,
    ) -> None:
        self._stays_open = stays_open
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._tls = tls
        self._stopped = threading.Event()
        if socket_path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(socket_path))
            self.url = f"unix:{socket_path}"
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server((host, port), family=family)
            self.port = self._listener.getsockname()[1]
            name = f"[{host}]" if ":" in host else host
            self.url = f"{'https' if tls else 'http'}://{name}:{self.port}"
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> LoopbackServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse all connections from now on."""
        self._stopped.set()
        self._thread.join()
        self._listener.close()

    @property
    def calls(self) -> list[str]:
        """The requests as method and target."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def _serve(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._listener], [], [], 0.02)[0]:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = _read(connection)
            if request is None:
                return
            self.requests.append(request)
            content = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if callable(content):
                content = content(request)
            self._give(content, connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _give(self, content: bytes, connection: socket.socket) -> None:
        if content is HANG:
            self._stopped.wait(10)
        elif content is TRICKLE:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not self._stopped.wait(0.02):
                connection.sendall(b" ")
        elif content is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(content)
            if self._stays_open:
                self._stopped.wait(10)


def _read(connection: socket.socket) -> Request | None:
    stream = connection.makefile("rb")
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _colon, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    stream.close()
    return Request(first[0], first[1], headers, body)
