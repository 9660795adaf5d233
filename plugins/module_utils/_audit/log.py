# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The append-only audit log: one record a line, each with the hash of the line before it."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import re
import stat
import typing as t
from pathlib import Path

from .._errors import OperatorError

_TAIL = 65536
_NUMBER_OR_DATE = re.compile(r"[.-]\d[\d._:T-]*Z?")
_LOOKED_AT = ("attempt", "operation", "actor", "outcome")
FIRST = ""
"""What the first line of a chain has for the hash of the line before it."""


def line_hash(line: bytes) -> str:
    """Return the SHA-256 of a line without its line break, in hexadecimal digits."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def as_json(record: t.Mapping[str, t.Any]) -> bytes:
    """Return a record as a line of JSON; half of a surrogate pair, which UTF-8 has not, as the escape that JSON has."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


class AuditLog:
    """A log that can be appended to, by many processes at once.

    Making it opens (and makes, mode 0600) the file, so that a log that cannot be kept is known before anything else.
    Both it and L(append) raise OperatorError RESTATE_AUDIT_UNAVAILABLE.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        handle = self._opened()
        os.close(handle)

    def append(self, record: dict[str, t.Any]) -> str:
        """Append a record and have it on disk; return the hash of its line.

        A half line that a crash left is kept as it is; the record goes on a line of its own after it.
        """
        handle = self._locked()
        try:
            last, is_torn = self._last_line(handle)
            previous = line_hash(last) if last else self._end_of_rotated()
            line = as_json({**record, "previoushash": previous})
            data = (b"\n" if is_torn else b"") + line + b"\n"
            written = os.write(handle, data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes could be written")
            os.fsync(handle)
        except OSError as exc:
            raise self._unavailable(str(exc)) from exc
        finally:
            os.close(handle)
        return line_hash(line)

    def _opened(self) -> int:
        try:
            is_new = not self._path.exists()
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise self._unavailable(exc.strerror or str(exc)) from exc
        try:
            self._check_ours(handle)
            if is_new:
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _check_ours(self, handle: int) -> None:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise self._unavailable("it is no regular file")
        if about.st_uid != os.geteuid():
            raise self._unavailable("it belongs to another user")
        if about.st_mode & 0o077:
            raise self._unavailable("others may read or write it; it must be of mode 0600")
        head = os.pread(handle, _TAIL, 0).split(b"\n", 1)
        if len(head) == 2 and not is_record(head[0]):
            raise self._unavailable("its first line is no audit record")

    def _locked(self) -> int:
        """Return the open file with the lock on it, and make sure that it was not rotated away meanwhile."""
        while True:
            handle = self._opened()
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(handle), self._path.stat()):
                    return handle
            except FileNotFoundError:
                pass
            os.close(handle)

    @staticmethod
    def _last_line(handle: int) -> tuple[bytes, bool]:
        """Return the last line, and whether it lacks its line break."""
        end = os.lseek(handle, 0, os.SEEK_END)
        tail, start = b"", end
        while start > 0 and tail.rstrip(b"\n").count(b"\n") == 0:
            start = max(0, start - _TAIL)
            tail = os.pread(handle, end - start, start)
        return tail.rstrip(b"\n").rpartition(b"\n")[2], bool(tail) and not tail.endswith(b"\n")

    def _end_of_rotated(self) -> str:
        """Return the hash of the last line of the file that this one follows, so that rotation keeps the chain."""
        older = rotated(self._path)
        if not older:
            return FIRST
        last = older[-1].read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
        return line_hash(last) if last else FIRST

    def _unavailable(self, why: str) -> OperatorError:
        return OperatorError(
            "RESTATE_AUDIT_UNAVAILABLE", f"The audit log {self._path} cannot be used: {why}."
        )


def is_record(line: bytes) -> bool:
    """Whether a line is an audit record of this collection, with all that its readers look at."""
    try:
        record = json.loads(line)
        return (
            record["type"].startswith("dalp.restate.")
            and isinstance(record["time"], str)
            and all(isinstance(record["data"][name], str) for name in _LOOKED_AT)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def rotated(path: Path) -> list[Path]:
    """Return the files that a log was rotated to (C(audit.log.1), C(audit.log-20261122)), the oldest first.

    A copy such as C(audit.log.bak) is none of them.
    """
    siblings = [
        each
        for each in path.parent.glob(f"{glob.escape(path.name)}[.-]*")
        if _NUMBER_OR_DATE.fullmatch(each.name.removeprefix(path.name))
        if each.is_file() and not each.is_symlink()
    ]
    return sorted(siblings, key=_first_time)


def _first_time(path: Path) -> str:
    with path.open("rb") as file:
        for line in file:
            if is_record(line):
                return str(json.loads(line)["time"])
    return ""
