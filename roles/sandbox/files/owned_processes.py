# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes and a temporary directory that cannot outlive the process that made them.

Three things see to it, since each alone has a gap:

- `OwnedProcesses.close` stops everything in order; it does not run when the owner gets a SIGKILL.
- A guard process, in a session of its own, reads a pipe from the owner. When the pipe ends, for whatever
  reason, it kills what is left and removes the directory. It works on every platform.
- On Linux, each child asks the kernel for a SIGKILL at the death of its parent, which covers the moment
  between a child's start and the guard's learning of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from waiting import SandboxError

# The kernel sends PR_SET_PDEATHSIG when the *thread* that forked ends, not the process. So all children are
# forked by one thread that lives as long as this process, whichever thread asks for them.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

_END_WITH_OWNER = str(Path(__file__).with_name("end_with_owner.py"))


class OwnedProcesses:
    """Owner of child processes and of one temporary directory; both are gone after `close`, or when the owner is."""

    def __init__(self, prefix: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=prefix))
        self._children: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(
            [sys.executable, "-I", _END_WITH_OWNER, "clean-up-after-owner", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def spawn(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path | None = None,
        foreground: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start `command` and return it.

        With `log`, its output is appended there. A `foreground` command shares the terminal and its signals;
        any other gets a process group of its own, so that Ctrl-C reaches the owner alone, which then stops
        the rest in order.
        """
        mode = "foreground" if foreground else "background"
        bound = [sys.executable, "-I", _END_WITH_OWNER, "run", mode, str(os.getpid()), *command]
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("ab")) if log else None

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    bound,
                    env=dict(env),
                    stdin=None if foreground else subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT if output else None,
                )

            child = _spawner.submit(start).result()
        self._children.append(child)
        self._tell(f"+{child.pid}")
        return child

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Kill `child` and wait for its end.

        What runs here is thrown away afterwards: a graceful end would only cost time.
        """
        child.kill()
        child.wait()
        if child in self._children:
            self._children.remove(child)
            self._tell(f"-{child.pid}")

    def also_remove(self, file: Path) -> None:
        """Remove this file, too, when everything else is gone. Its path must be absolute and of one line."""
        self._tell(f"={file}")

    def close(self) -> None:
        """Stop the children, the last one first, and remove the directory. Does nothing the second time."""
        for child in reversed(list(self._children)):
            self.stop(child)
        if self._guard.stdin and not self._guard.stdin.closed:
            # The guard may have been killed by somebody; the directory is removed below in that case.
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self, line: str) -> None:
        if self._guard.stdin is None or self._guard.stdin.closed:
            raise SandboxError("the sandbox is closed already")
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
