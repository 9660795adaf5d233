# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The `restate` command, which ends many invocations."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import npm
import restate_server
from restate_sandbox import Sandbox
from waiting import SandboxError

from tests.benchmark.run_submitter import RunSubmitter


class RestateCli:
    """The `restate` command, for one server."""

    def __init__(self, submitter: RunSubmitter, binary: Path, directory: Path, admin_url: str) -> None:
        self._submitter = submitter
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
        remaining = -1
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
            before, remaining = remaining, self._submitter.remaining(service, unfinished=verb == "kill")
            if remaining == 0:
                return
            if remaining == before:
                raise SandboxError(f"restate invocations {verb} {service} leaves {remaining}")


def install_cli(sandbox: Sandbox) -> Path:
    """Give the binary of the `restate` command of the server's version, installed beside it unless it is there."""
    cache = restate_server.default_cache().absolute()
    return npm.install("restate", sandbox.version, cache / f"cli-{sandbox.version}", cache, sandbox.processes)
