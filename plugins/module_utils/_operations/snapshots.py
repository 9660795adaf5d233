# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workflow key held before it was given a fresh start, kept in files.

A file is written whole or not at all, readable by its owner alone. While a resubmission is still owed its name ends in
C(.open.json), while one is being sent in C(.submitting.json), and when nothing is owed in C(.json): a task that is run
again after a crash finds from the names what is left to do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError

OPEN, SUBMITTING, CLOSED = ".open.json", ".submitting.json", ".json"
_FORMAT = 1


@dataclass(frozen=True)
class Input:
    """What a run was submitted with."""

    payload: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Owed:
    """A snapshot whose resubmission is owed; O(was_sent) says that it may have been sent."""

    path: Path
    content: dict[str, t.Any]
    was_sent: bool

    @property
    def input(self) -> Input:
        """What is to be submitted."""
        return Input(base64.b64decode(self.content["input"]["payload"]), self.content["input"]["headers"])


class Snapshots:
    """The snapshots in a folder."""

    def __init__(self, folder: str, *, check_mode: bool) -> None:
        self._folder = Path(folder)
        self._check_writable(check_mode)

    def _check_writable(self, check_mode: bool) -> None:
        try:
            if not check_mode:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            nearest = next(path for path in (self._folder, *self._folder.parents) if path.exists())
            if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
                raise NotADirectoryError(f"{nearest} is no folder that can be written to")
        except OSError as exc:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", f"snapshot_dir cannot be used, so nothing was touched: {exc}."
            ) from exc

    def path(self, service: str, key: str, created_at: str, suffix: str = CLOSED) -> Path:
        """Return where the snapshot of a run is kept; O(created_at) tells runs of one key apart."""
        return self._folder / f"{_stem(service, key)}.{re.sub('[^0-9]', '', created_at) or 'none'}{suffix}"

    def write(self, content: dict[str, t.Any], created_at: str, *, owes_resubmission: bool) -> None:
        """Keep a snapshot. Raises OSError where it cannot be kept whole."""
        suffix = OPEN if owes_resubmission else CLOSED
        service, key = content["service_name"], content["service_key"]
        self._write(self.path(service, key, created_at, suffix), {"format": _FORMAT, **content})

    def submitting(self, service: str, key: str, created_at: str) -> None:
        """Note that the resubmission is about to be sent."""
        owed = self.path(service, key, created_at, OPEN)
        if owed.exists():
            owed.rename(self.path(service, key, created_at, SUBMITTING))

    def close(self, service: str, key: str, created_at: str, resubmitted: dict[str, t.Any]) -> None:
        """Note that nothing is owed any more, and what was submitted."""
        for suffix in (SUBMITTING, OPEN):
            owed = self.path(service, key, created_at, suffix)
            try:
                content = json.loads(owed.read_bytes())
            except FileNotFoundError:
                continue
            self._write(self.path(service, key, created_at), {**content, "resubmitted": resubmitted})
            owed.unlink(missing_ok=True)

    def owed(self) -> dict[tuple[str, str], Owed]:
        """Return, by service and key, the newest snapshot whose resubmission is owed.

        Raises RESTATE_INVALID_ARGUMENT for one that cannot be read: what it owes would be forgotten.
        """
        found: dict[tuple[str, str], Owed] = {}
        for path in sorted(self._folder.glob("*.json")) if self._folder.exists() else []:
            if not path.name.endswith((OPEN, SUBMITTING)):
                continue
            try:
                content = json.loads(path.read_bytes())
                entry = Owed(path, content, path.name.endswith(SUBMITTING))
                _ = entry.input
                name = (content["service_name"], content["service_key"])
            except (OSError, ValueError, KeyError, TypeError) as exc:
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT",
                    f"The snapshot {path} owes a resubmission but cannot be read ({type(exc).__name__}).",
                    remedy="Look at the file; move it elsewhere when what it owes is settled.",
                ) from exc
            found[name] = entry
        return found

    def _write(self, path: Path, content: dict[str, t.Any]) -> None:
        # mkstemp makes the file 0600; the rename shows it whole or not at all.
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _stem(service: str, key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", f"{service}.{key}")[:80]
    return f"{readable}.{hashlib.sha256(json.dumps([service, key]).encode()).hexdigest()[:16]}"
