# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that takes a deployment, and the log of the task that registers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._audit import chain as _audit_chain
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer, Request, answer

ANSWERS = Path(__file__).resolve().parent / "answers" / "1.7.12"
SERVICE = "http://orders:9080"
WRITE = "POST /deployments"


def captured(name: str) -> Any:
    """Return what a real server answered."""
    return json.loads((ANSWERS / f"{name}.json").read_text())["body"]


class Restate:
    """A server that knows no deployment and takes one. O(before_write) is called when the write arrives."""

    def __init__(self, serve: Serve, *, status: int = 201, version: str = "1.7.12") -> None:
        self.before_write: Callable[[], object] = lambda: None
        self.status = status
        self.version = version
        self._registered: dict[str, Any] = {"deployments": [], "services": []}
        self.server: LoopbackServer = serve(self._answer)
        self.url = self.server.url

    @property
    def writes(self) -> list[Request]:
        """The write calls that came."""
        return [one for one in self.server.requests if _writes(one)]

    def _answer(self, request: Request) -> bytes:
        if request.target == "/version":
            return answer(200, {**captured("version"), "version": self.version})
        if request.method == "GET":
            return answer(200, self._registered)
        if not _writes(request):
            return answer(200, captured("registration_dry_run"))
        self.before_write()
        if self.status == 201:
            made = captured("registration")
            deployment = {**made, "uri": SERVICE, "created_at": "2026-01-01T00:00:00Z"}
            self._registered = {"deployments": [deployment], "services": made["services"]}
            return answer(201, made)
        return answer(self.status, {"message": "the card 4711-0815 was refused"})


def _writes(request: Request) -> bool:
    return request.method != "GET" and not request.json.get("dry_run")


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log, whose chain is whole."""
    chain = _audit_chain.read(str(log))
    assert (chain.broken, chain.torn) == (None, [])
    return chain.records


def outcomes(log: Path) -> list[str]:
    return [one["data"]["outcome"] for one in records(log)]
