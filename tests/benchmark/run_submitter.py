# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Submitting many runs of workflows quickly."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import restate_server
from log_tail import log_tail
from restate_api import RestateApi
from restate_sandbox import Sandbox
from waiting import SandboxError, wait_until

_SERVICE = str(Path(__file__).with_name("bulk_submit_service.py"))
_AT_ONCE = 500
_RUN_TIMEOUT = 900.0
_AT_REST = ("completed", "paused", "scheduled")


class RunSubmitter:
    """A server with release 1 of the services, to which runs are submitted by the thousand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._numbers = itertools.count()
        self.api: RestateApi = sandbox.api()
        self.release_url = sandbox.serve("release-1").url
        self.api.register(self.release_url)
        port = restate_server.free_ports(1)[0]
        log = sandbox.processes.directory / "bulk-submit-service.log"
        sandbox.processes.spawn([sys.executable, _SERVICE, str(port)], env=os.environ, log=log)

        def registered() -> str | None:
            try:
                return self.api.register(f"http://127.0.0.1:{port}")
            except SandboxError:
                return None

        wait_until("bulk submit service registered", registered, seen=lambda: log_tail(log))

    def submit(self, service: str, keys: int, argument: object, delay: int = 0) -> list[dict[str, Any]]:
        """Submit runs of a workflow under new keys and wait until each has come to rest; give their rows.

        With `delay`, in seconds, they are only scheduled.
        """
        first = next(self._numbers)
        names = [f"order-{first:04}-{number:06}" for number in range(keys)]
        for start in range(0, keys, _AT_ONCE):
            order = {
                "service": service,
                "handler": "run",
                "argument": argument,
                "delay": delay,
                "keys": names[start : start + _AT_ONCE],
            }
            self.api.submit("BulkSubmitter", f"{first}-{start}", "submit", order)
        mine = (
            f"FROM sys_invocation_status WHERE target_service_name = '{service}' "
            f"AND target_service_key LIKE 'order-{first:04}-%'"
        )
        rest = ", ".join(f"'{status}'" for status in _AT_REST)
        at_rest = f"SELECT COUNT(1) AS n {mine} AND status IN ({rest})"
        wait_until(f"{keys} runs at rest", lambda: self.api.query(at_rest)[0]["n"] == keys, _RUN_TIMEOUT)
        return self.api.query(f"SELECT id, target_service_key {mine}")

    def remaining(self, service: str, *, unfinished: bool = False) -> int:
        """Count the invocations of a service, or those that are not completed."""
        more = " AND status != 'completed'" if unfinished else ""
        sql = f"SELECT COUNT(1) AS n FROM sys_invocation_status WHERE target_service_name = '{service}'{more}"
        return int(self.api.query(sql)[0]["n"])
