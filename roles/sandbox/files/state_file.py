# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that tells where a detached sandbox is.

Its owner holds a lock on it as long as the sandbox lives, so that a file of one that was killed is told from
one that runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any, TextIO

from waiting import SandboxError


def read_running(file: Path) -> dict[str, Any] | None:
    """Give the description of the sandbox that runs, or None when none does."""
    try:
        with file.open() as opened:
            return read(opened)
    except FileNotFoundError:
        return None


def read(opened: TextIO) -> dict[str, Any] | None:
    """Give what `read_running` gives, of an open file: it tells of the same sandbox until the end of its process."""
    if not _locked(opened.fileno()):
        return None
    opened.seek(0)
    description: dict[str, Any] = json.load(opened)
    return description


def publish(file: Path, description: dict[str, Any]) -> None:
    """Write the description, readable by its owner alone, whole or not at all, and keep it locked until this
    process ends.

    Raises SandboxError when another sandbox holds the file.
    """
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    unpublished = Path(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, json.dumps(description, indent=2).encode() + b"\n")
        os.fsync(handle)
        if read_running(file) is None:
            file.unlink(missing_ok=True)
        # A link fails where a rename would replace the file of a sandbox that was quicker.
        file.hardlink_to(unpublished)
    except FileExistsError:
        raise SandboxError(f"{file} belongs to another sandbox that runs") from None
    finally:
        unpublished.unlink()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
