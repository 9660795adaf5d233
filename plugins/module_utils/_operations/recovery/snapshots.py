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
import datetime
import hashlib
import json
import os
import re
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ... import _timestamps as instants
from ..._errors import OperatorError

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
    admin_url: str
    service: str
    key: str
    run_id: str
    created_at: str
    taken_at: datetime.datetime
    input: Input
    was_sent: bool

    @classmethod
    def read(cls, path: Path) -> Owed:
        """Return it; raise OSError, ValueError, KeyError or TypeError for what is no whole snapshot of ours."""
        content = json.loads(path.read_bytes())
        names = ("admin_url", "service_name", "service_key", "run_id", "created_at", "taken_at")
        admin_url, service, key, run_id, created_at, taken_at = (str(content[name]) for name in names)
        payload, headers = content["input"]["payload"], content["input"]["headers"]
        if not all(isinstance(text, str) for pair in headers.items() for text in pair):
            raise TypeError("headers")
        data = Input(base64.b64decode(payload, validate=True), headers)
        return cls(
            path=path,
            admin_url=admin_url,
            service=service,
            key=key,
            run_id=run_id,
            created_at=created_at,
            taken_at=instants.parse(taken_at),
            input=data,
            was_sent=path.name.endswith(SUBMITTING),
        )


class Snapshots:
    """The snapshots in a folder.

    O(admin_url) tells the Restate that they are of from another that shares the folder; O(foreign) are the snapshots
    whose resubmission is owed to another.
    """

    def __init__(self, folder: str, *, admin_url: str, check_mode: bool) -> None:
        self._folder = Path(folder)
        self._admin_url = admin_url
        self.foreign: list[Path] = []
        self._check_writable(check_mode)

    def _check_writable(self, check_mode: bool) -> None:
        try:
            nearest = next(path for path in (self._folder, *self._folder.parents) if path.exists())
            if not nearest.is_dir() or not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
                raise NotADirectoryError(f"{nearest} is no folder that can be written to")
            if not check_mode:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", f"snapshot_dir cannot be used, so nothing was touched: {exc}."
            ) from exc

    def path(self, service: str, key: str, created_at: str, suffix: str = CLOSED) -> Path:
        """Return where the snapshot of a run is kept; O(created_at) tells runs of one key apart."""
        return self._folder / f"{_stem(service, key)}.{re.sub('[^0-9A-Za-z]', '', created_at)}{suffix}"

    def existing(self, service: str, key: str, created_at: str) -> Path:
        """Return the path that the snapshot of a run has now, or would have."""
        paths = [self.path(service, key, created_at, suffix) for suffix in (SUBMITTING, OPEN, CLOSED)]
        return next((path for path in paths if path.exists()), paths[-1])

    def write(self, content: dict[str, t.Any], created_at: str, *, owes_resubmission: bool) -> None:
        """Keep a snapshot. Raises OSError where it cannot be kept whole."""
        suffix = OPEN if owes_resubmission else CLOSED
        service, key = content["service_name"], content["service_key"]
        whole = {"format": _FORMAT, "admin_url": self._admin_url, **content}
        self._write(self.path(service, key, created_at, suffix), whole)

    def submitting(self, service: str, key: str, created_at: str) -> None:
        """Note that the resubmission is about to be sent. Raises OSError where that cannot be noted."""
        self._rename(self.path(service, key, created_at, OPEN), SUBMITTING, OPEN)

    def unsent(self, service: str, key: str, created_at: str) -> None:
        """Note that the resubmission certainly was not taken, and is still owed."""
        self._rename(self.path(service, key, created_at, SUBMITTING), OPEN, SUBMITTING)

    def forgive(self, service: str, key: str, created_at: str) -> None:
        """Note that nothing is owed, since the run was left."""
        self._rename(self.path(service, key, created_at, OPEN), CLOSED, OPEN)

    def _rename(self, path: Path, suffix: str, old_suffix: str) -> None:
        if path.exists():
            path.rename(path.with_name(path.name.removesuffix(old_suffix) + suffix))

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
        """Return, by service and key, the newest snapshot whose resubmission is owed to this Restate.

        Raises RESTATE_INVALID_ARGUMENT for one that cannot be read: what it owes would be forgotten.
        """
        found: dict[tuple[str, str], Owed] = {}
        for path in sorted(self._folder.glob("*.json")) if self._folder.exists() else []:
            if not path.name.endswith((OPEN, SUBMITTING)):
                continue
            try:
                entry = Owed.read(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT",
                    f"The snapshot {path} owes a resubmission but cannot be read ({type(exc).__name__}).",
                    remedy="Look at the file; move it elsewhere when what it owes is settled.",
                ) from exc
            if entry.admin_url != self._admin_url:
                self.foreign.append(path)
                continue
            name = (entry.service, entry.key)
            # Of one run, what may have been sent is what is true; of several, the newest.
            if name not in found or _age(entry) > _age(found[name]):
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


def digest(content: t.Any) -> str:
    """Return what tells contents apart, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _age(entry: Owed) -> tuple[str, bool]:
    return entry.created_at, entry.was_sent


def _stem(service: str, key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", f"{service}.{key}")[:80]
    return f"{readable}.{digest([service, key])}"
