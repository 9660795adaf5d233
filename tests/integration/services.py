# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process that serves any number of deployments, each under a path of its own, which can change at any moment.

A service process takes half a second to start, and here a release changes in a millisecond. In a deployment's place
can be any variant of order_service.py, or nothing (404), and it can demand a header. A change cuts off the attempts
that run there, as a restart would.
"""

# No `from __future__ import annotations`: the SDK reads the annotations of handlers at run time.
import asyncio
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
from owned_processes import OwnedProcesses
from waiting import wait_until

_INVOCATION = re.compile(rb"application/vnd\.restate\.invocation\.v(\d+)")


class Services:
    """The running process, from `with` until its end."""

    def __init__(self, cache: Path) -> None:
        self._processes = OwnedProcesses("restate-services-")
        # Its own choice: two suites side by side would now and then find the same port free.
        self._port_file = self._processes.directory / "port"
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache / "bytecode")}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path.endswith("files"))
        self._process = self._processes.spawn(
            [sys.executable, __file__, str(self._port_file)],
            env=environment,
            log=self._processes.directory / "services.log",
        )

    def __enter__(self) -> "Services":
        try:
            wait_until("services listen", self._port_file.exists)
        except BaseException:
            self._processes.close()
            raise
        self._root = f"http://127.0.0.1:{self._port_file.read_text()}"
        self._client = httpx.Client(base_url=self._root, trust_env=False)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()
        self._processes.close()

    def url(self, name: str) -> str:
        """Where the deployment of this name is, or would be."""
        return f"{self._root}/{name}"

    def put(
        self,
        name: str,
        variant: str | None,
        *,
        header: str | None = None,
        unanswered_discoveries: int = 0,
        protocols: tuple[int, int] | None = None,
    ) -> str:
        """Serve a variant (None: nothing) under this name from now on, and give its URL.

        With `header` ("name=value") requests without it are answered with 403. The first
        `unanswered_discoveries` discoveries are answered with 404, as if the service were just being started.
        With `protocols` it speaks these versions of the service protocol only, as an older SDK does.
        """
        content = {
            "variant": variant,
            "header": header,
            "unanswered_discoveries": unanswered_discoveries,
            "protocols": protocols,
        }
        self._client.put(f"/-/{name}", json=content).raise_for_status()
        return self.url(name)

    def clear(self) -> None:
        """Serve nothing."""
        self._client.delete("/-/").raise_for_status()


class _ServedDeployment:
    """What is at one path, until it is replaced."""

    def __init__(self, application: Any, unanswered_discoveries: int) -> None:
        self.application = application
        self.unanswered_discoveries = unanswered_discoveries
        self.replaced = asyncio.Event()


class _Application:
    """The ASGI application of the process."""

    def __init__(self) -> None:
        import order_service
        import restate

        self._make = lambda variant: restate.app(order_service.VARIANTS[variant]())
        self._guarded = order_service.guarded
        self._deployments: dict[str, _ServedDeployment] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        name = scope["path"].split("/")[1]
        if name == "-":
            await self._control(scope, receive)
            await _status(send, 200)
            return
        deployment = self._deployments.get(name)
        if deployment is None:
            await _status(send, 404)
        elif deployment.unanswered_discoveries and scope["path"].endswith("/discover"):
            deployment.unanswered_discoveries -= 1
            await _status(send, 404)
        else:
            await _until(deployment.replaced, deployment.application(scope, receive, send))

    async def _control(self, scope: Any, receive: Any) -> None:
        name = scope["path"].removeprefix("/-/")
        for old in [name] if name else list(self._deployments):
            if old in self._deployments:
                self._deployments.pop(old).replaced.set()
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(body or b"{}")
        if variant := asked.get("variant"):
            application = self._with_quirks(self._make(variant), asked)
            self._deployments[name] = _ServedDeployment(application, asked["unanswered_discoveries"])

    def _with_quirks(self, application: Any, asked: dict[str, Any]) -> Any:
        if asked.get("header"):
            header, _, value = asked["header"].partition("=")
            application = self._guarded(application, header, value)
        if asked.get("protocols"):
            application = _speaking_only(application, *asked["protocols"])
        return application


def _speaking_only(application: Any, lowest: int, highest: int) -> Any:
    """Wrap an ASGI application so that it offers these versions, and answers 415 to an invocation of another one."""

    async def older(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("/discover"):
            await application(scope, receive, _Manifest(send, lowest, highest))
            return
        version = _INVOCATION.fullmatch(dict(scope["headers"]).get(b"content-type", b""))
        if version and not lowest <= int(version[1]) <= highest:
            await send({"type": "http.response.start", "status": 415, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await application(scope, receive, send)

    return older


class _Manifest:
    """Sends the answer of a discovery on, with other versions in it."""

    def __init__(self, send: Any, lowest: int, highest: int) -> None:
        self._send = send
        self._versions = {"minProtocolVersion": lowest, "maxProtocolVersion": highest}
        self._start: Any = None
        self._body = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        content = json.dumps({**json.loads(self._body), **self._versions}).encode()
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": content})


async def _until(replaced: asyncio.Event, answer: Any) -> None:
    answering = asyncio.ensure_future(answer)
    end = asyncio.ensure_future(replaced.wait())
    await asyncio.wait([answering, end], return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    if answering.done():
        answering.result()
    else:
        answering.cancel()


async def _status(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve on a free port, written to the file that the command line names, until the end of the process."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    application = _Application()
    listener = socket.create_server(("127.0.0.1", 0))
    port_file = Path(sys.argv[1])
    unfinished = port_file.with_suffix(".new")
    unfinished.write_text(str(listener.getsockname()[1]))
    unfinished.rename(port_file)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    # Restate repeats them in its errors, and two errors would never be the same.
    config.include_date_header = config.include_server_header = False
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
