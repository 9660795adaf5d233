# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends the processes of a sandbox when their owner is gone: a guard, and a step before each command.

`end_with_owner.py clean-up-after-owner DIRECTORY` is the guard. It reads lines `+PID` and `-PID`; at the end of its
input it kills what was not taken back, and removes DIRECTORY and the files it read as `=FILE`.
`end_with_owner.py run background|foreground PARENT COMMAND...` becomes COMMAND, which dies with PARENT (Linux).
This file imports little, since each child runs it first.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_REMOVAL_TIMEOUT = 10.0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # What is dead but not reaped has an entry until its new parent gets to it, which may take a while.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def _clean_up_after_owner(directory: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    children, files = _read_until_owner_ends()
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _REMOVAL_TIMEOUT
    while time.monotonic() < deadline and (directory.exists() or any(map(_alive, children))):
        # Repeated, since a process that is being killed can still create files.
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.02)
    for file in files:
        file.unlink(missing_ok=True)


def _read_until_owner_ends() -> tuple[set[int], list[Path]]:
    """Return the owner's children that were not taken back, and the files to remove."""
    children: set[int] = set()
    files: list[Path] = []
    for line in sys.stdin:
        # A line without its end was cut off by the owner's death.
        if not line.endswith("\n"):
            break
        kind, rest = line[0], line[1:-1]
        if kind == "=":
            files.append(Path(rest))
        elif kind == "+":
            children.add(int(rest))
        else:
            children.discard(int(rest))
    return children, files


def _run_bound_to(parent: int, mode: str, command: Sequence[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # The parent died before it could be asked about.
        sys.exit(1)
    if mode == "background":
        os.setpgid(0, 0)
    # Python ignores SIGPIPE, and what is ignored stays ignored over exec: `yes | head -1` would never end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    if sys.argv[1] == "clean-up-after-owner":
        _clean_up_after_owner(Path(sys.argv[2]))
    else:
        _run_bound_to(int(sys.argv[3]), sys.argv[2], sys.argv[4:])
