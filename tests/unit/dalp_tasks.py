# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that go through a DALP that answers by script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer, Request, answer

KEY = "sm_dalp_0123456789"

Run = Callable[..., tuple[str, dict[str, Any]]]

ORDER: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": "order-1"}
TASKS: dict[str, dict[str, Any]] = {
    "doctor": {},
    "redeploy": {"service_url": "http://v2:9080"},
    "cleanup": {"service_url": "http://v1:9080"},
    "recover_workflow": ORDER,
}


class Dalp:
    """Gives the doctor's answers in their order, the last again and again, and one answer for all writes."""

    def __init__(self, serve: Serve, run: Run, *doctors: Any, write: bytes = b"") -> None:
        self._doctors = [one if isinstance(one, bytes) else answer(200, one) for one in doctors]
        self._write = write or answer(200, {"acknowledged": True, "deploymentId": "dp_new"})
        self._run = run
        self.server: LoopbackServer = serve(self._answer)

    def _answer(self, request: Request) -> bytes:
        if not request.target.endswith("/doctor"):
            return self._write
        return self._doctors.pop(0) if len(self._doctors) > 1 else self._doctors[0]

    @property
    def routes(self) -> list[str]:
        """What was posted to."""
        return [request.target.rpartition("/")[2] for request in self.server.requests]

    @property
    def writes(self) -> list[Any]:
        """The bodies of what was posted to the routes that write."""
        return [one.json for one in self.server.requests if not one.target.endswith("/doctor")]

    def task(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module through it; what is None is not given."""
        connection = {
            "backend": "dalp",
            "dalp_url": self.server.url,
            "dalp_api_key": KEY,
            "request_timeout": 2,
        }
        given = {name: value for name, value in {**connection, **arguments}.items() if value is not None}
        text, result = self._run(f"restate_{module}", **given, _ansible_check_mode=check)
        assert KEY not in text
        return result


MakeDalp = Callable[..., Dalp]
