# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sandbox that runs on its own: started by `up`, stopped by `down`, its owner's end, or the end of its lifetime."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import state_file
from description import Planting, serve_releases
from restate_sandbox import Sandbox
from stop_signals import Stopped, StopSignals
from waiting import SandboxError, wait_until

_WATCH_INTERVAL = 0.5
_DOWN_TIMEOUT = 30.0


def up(file: Path, sandbox: Sandbox, planting: Planting, supervise: list[str]) -> tuple[dict[str, Any], bool]:
    """Make sure that a sandbox runs; give its description, and whether it was started now.

    `supervise` is the command that runs `supervise` below with the same options. Raises SandboxError when it
    does not come up, or when one of another kind runs with this file.
    """
    running = state_file.read_running(file)
    started = None
    if running is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        started, output = _start(supervise)
        running = state_file.read_running(file)
        if running is None:
            raise SandboxError(output.strip() or "the sandbox ended while it was starting")
    kind = (running["version"], running["planting"], len(running["nodes"]))
    if kind != (sandbox.version, planting, sandbox.node_count):
        raise SandboxError(
            f"a sandbox of Restate {running['version']} on {len(running['nodes'])} nodes with"
            f" {running['planting']} planted runs with {file}: stop it first"
        )
    return running, running["pid"] == started


def down(file: Path) -> bool:
    """Make sure that no sandbox runs with this file, and wait until all of it is gone; tell whether one ran."""
    try:
        opened = file.open()
    except FileNotFoundError:
        return False
    with opened:
        running = state_file.read(opened)
        if running is None:
            file.unlink(missing_ok=True)
            return False
        os.kill(running["pid"], signal.SIGTERM)
        wait_until(f"sandbox of {file} stopped", lambda: state_file.read(opened) is None, _DOWN_TIMEOUT)
    return True


def supervise(file: Path, sandbox: Sandbox, planting: Planting, owner: int | None, lifetime: float) -> None:
    """Run the sandbox until a signal, the end of the process `owner`, or `lifetime` seconds after it was ready.

    The file has what `serve_releases` gives, and `ends_at` (ISO 8601, UTC). Standard output and error are the caller's
    until the sandbox is ready.
    """
    with StopSignals() as signals, sandbox:
        try:
            description = serve_releases(sandbox, planting)
            end = datetime.now(UTC) + timedelta(seconds=lifetime)
            description["ends_at"] = end.isoformat(timespec="seconds")
            state_file.publish(file, description)
            # From here on, the file goes when the sandbox goes.
            sandbox.processes.also_remove(file)
            _detach_from_caller()
            _watch(sandbox, owner, time.monotonic() + lifetime)
        except Stopped:
            pass
        finally:
            signals.ignore()


def _start(command: list[str]) -> tuple[int, str]:
    """Start the supervisor and wait until it closes its output; give its process id and what it printed."""
    supervisor = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
        text=True,
    )
    assert supervisor.stdout is not None
    try:
        with StopSignals():
            return supervisor.pid, supervisor.stdout.read()
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _detach_from_caller() -> None:
    # Fails when the caller was killed in the meantime: then nobody knows of this sandbox, and it ends.
    print("ready", flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _watch(sandbox: Sandbox, owner: int | None, deadline: float) -> None:
    watched = _Owner(owner)
    while (
        time.monotonic() < deadline
        and any(node.is_running for node in sandbox.nodes)
        and not watched.ends_within(_WATCH_INTERVAL)
    ):
        pass


class _Owner:
    """The process whose end is the sandbox's end."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._handle: int | None = None
        if pid is not None and sys.platform == "linux":
            # Unlike a process id, the handle never means another process.
            try:
                self._handle = os.pidfd_open(pid)
            except ProcessLookupError:
                self._pid = -1

    def ends_within(self, seconds: float) -> bool:
        """Wait as long as that, less when it ends; tell whether it has ended."""
        if self._pid == -1:
            return True
        if self._handle is not None:
            return bool(select.select([self._handle], [], [], seconds)[0])
        time.sleep(seconds)
        if self._pid is None:
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
