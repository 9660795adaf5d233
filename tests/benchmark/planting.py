# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planting many invocations quickly, and the `restate` command that ends them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import restate_server
from restate_api import RestateApi
from restate_sandbox import Sandbox
from waiting import SandboxError, wait_until

_SOWER = str(Path(__file__).with_name("sower.py"))
_AT_ONCE = 500
_PATIENCE = 900.0
_SETTLED = ("completed", "paused", "scheduled")


class Field:
    """A server with release 1 of the services, on which invocations are planted by the thousand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._numbers = itertools.count()
        self.api: RestateApi = sandbox.api()
        self.api.register(sandbox.serve("release-1").url)
        port = restate_server.free_ports(1)[0]
        log = sandbox.processes.directory / "sower.log"
        sandbox.processes.spawn([sys.executable, _SOWER, str(port)], env=os.environ, log=log)

        def registered() -> str | None:
            try:
                return self.api.register(f"http://127.0.0.1:{port}")
            except SandboxError:
                return None

        wait_until("sower registered", registered, seen=lambda: restate_server.log_tail(log))

    def plant(self, service: str, keys: int, argument: object, delay: int = 0) -> list[dict[str, Any]]:
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
            self.api.submit("Sower", f"{first}-{start}", "sow", order)
        mine = (
            f"FROM sys_invocation_status WHERE target_service_name = '{service}' "
            f"AND target_service_key LIKE 'order-{first:04}-%'"
        )
        rest = ", ".join(f"'{status}'" for status in _SETTLED)
        at_rest = f"SELECT COUNT(1) AS n {mine} AND status IN ({rest})"
        wait_until(f"{keys} runs at rest", lambda: self.api.query(at_rest)[0]["n"] == keys, _PATIENCE)
        return self.api.query(f"SELECT id, target_service_key {mine}")

    def left(self, service: str, *, unfinished: bool = False) -> int:
        """Count the invocations of a service, or those that are not completed."""
        more = " AND status != 'completed'" if unfinished else ""
        sql = f"SELECT COUNT(1) AS n FROM sys_invocation_status WHERE target_service_name = '{service}'{more}"
        return int(self.api.query(sql)[0]["n"])


class Cli:
    """The `restate` command, for one server."""

    def __init__(self, field: Field, binary: Path, directory: Path, admin_url: str) -> None:
        self._field = field
        self._binary = binary
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "RESTATE_CLI_CONFIG_HOME": str(directory),
            "RESTATE_ADMIN_URL": admin_url,
            "CI": "1",
        }

    def kill_and_purge(self, service: str, limit: int | None = None) -> tuple[float, int]:
        """Kill and purge all of a service, in as many calls as that takes.

        Gives the seconds that all calls took, one after another, and their number. `limit` is what one call ends
        at the most; the command's own default is 500.
        """
        calls = [seconds for verb in ("kill", "purge") for seconds in self._until_none(verb, service, limit)]
        return sum(calls), len(calls)

    def _until_none(self, verb: str, service: str, limit: int | None) -> Iterator[float]:
        more = ["--limit", str(limit)] if limit else []
        left = -1
        while True:
            started = time.monotonic()
            # It fails where it finds none, as a kill does where all are completed already.
            subprocess.run(
                [self._binary, "invocations", verb, service, "--yes", *more],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            yield time.monotonic() - started
            before, left = left, self._field.left(service, unfinished=verb == "kill")
            if left == 0:
                return
            if left == before:
                raise SandboxError(f"restate invocations {verb} {service} leaves {left}")


def install_cli(sandbox: Sandbox) -> Path:
    """Give the binary of the `restate` command of the server's version, installed beside it unless it is there."""
    cache = restate_server.default_cache().absolute()
    package = restate_server._platform_package().replace("restate-server", "restate")
    home = cache / f"cli-{sandbox.version}"
    binary = home / "node_modules" / package / "bin" / "restate"
    with restate_server._locked(cache):
        if not binary.exists():
            restate_server._install_with_npm(f"{package}@{sandbox.version}", home, cache, sandbox.processes)
    return binary
