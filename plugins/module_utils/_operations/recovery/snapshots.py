# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workflow key held before it was given a fresh start, kept in files.

A file is written whole or not at all, readable by its owner alone. While a resubmission is pending its name ends in
C(.open.json), while one is being sent in C(.submitting.json), and when none is pending in C(.json): a task that is run
again after a crash finds from the names what is still to be done.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ... import _timestamps
from ..._errors import OperatorError
from ..._http.clock import Clock
from ..open_actions import is_own_file
from ..report import digest
from ..waiting import wait_until
from .cluster import Cluster
from .inputs import Input
from .trust import distrust_of_file, distrust_of_folder
from .vanishing import vanishes

OPEN, SUBMITTING, CLOSED = ".open.json", ".submitting.json", ".json"
_FORMAT = 1
_DIGITS = 16
_LOCK_SECONDS = 60
"""How long one task waits for another that submits: some seconds for 500 keys."""


class TakenUpError(Exception):
    """Another task has taken up a resubmission, whose snapshot is now at `path`."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True)
class PendingResubmission:
    """A snapshot whose resubmission is pending; O(was_sent) says that it may have been sent."""

    path: Path
    cluster: Cluster
    service: str
    key: str
    run_id: str
    created_at: str
    taken_at: datetime.datetime
    input: Input
    was_sent: bool

    @classmethod
    def read(cls, path: Path) -> PendingResubmission:
        """Return it; raise OSError, ValueError, KeyError or TypeError for what is no whole snapshot of ours."""
        content = json.loads(path.read_bytes())
        names = ("service_name", "service_key", "run_id", "created_at", "taken_at")
        service, key, run_id, created_at, taken_at = (str(content[name]) for name in names)
        return cls(
            path=path,
            cluster=Cluster.from_json(content),
            service=service,
            key=key,
            run_id=run_id,
            created_at=created_at,
            taken_at=_timestamps.parse(taken_at),
            input=Input.from_json(content["input"]),
            was_sent=path.name.endswith(SUBMITTING),
        )


@dataclass(frozen=True)
class SnapshotNames:
    """Where snapshots are kept in a folder."""

    folder: Path

    def path(self, service: str, key: str, created_at: str, suffix: str) -> Path:
        """Return where the snapshot of a run is kept; O(created_at) tells runs of one key apart."""
        readable = re.sub(r"[^A-Za-z0-9_-]", "_", f"{service}.{key}")[:80]
        moment = re.sub("[^0-9A-Za-z]", "", created_at)
        return self.folder / f"{readable}.{digest([service, key])[:_DIGITS]}.{moment}{suffix}"

    def closed(self, service: str, key: str, created_at: str) -> Path:
        """Return where the snapshot of a run is kept in the end."""
        return self.path(service, key, created_at, CLOSED)


class Snapshots:
    """The snapshots in a folder.

    O(cluster) is the Restate that is asked; O(foreign) are the snapshots whose resubmission another one that shares the
    folder is waiting for. With O(takes_unknown) those that may be of either are taken to be of this one.
    """

    def __init__(self, folder: str, *, cluster: Cluster, takes_unknown: bool = False) -> None:
        self.folder = Path(folder)
        self.foreign: list[PendingResubmission] = []
        self._cluster = cluster
        self._takes_unknown = takes_unknown
        self._names = SnapshotNames(self.folder)

    def check_usable(self) -> None:
        """Raise RESTATE_INVALID_ARGUMENT where nothing can be kept in the folder, or not for long."""
        try:
            nearest = next(path for path in (self.folder, *self.folder.parents) if path.exists())
            if not nearest.is_dir() or not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
                raise NotADirectoryError(f"{nearest} is no folder that can be written to")
        except OSError as exc:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", f"snapshot_dir cannot be used, so nothing was touched: {exc}."
            ) from exc
        self._check_trusted()
        if vanishes(self.folder):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"snapshot_dir {self.folder} vanishes with this job's container, and what would be kept there with it. "
                "Nothing was touched.",
                reason="snapshot_dir_vanishes",
                remedy="Give a folder on a volume that is mounted into the jobs; docs/awx.md says how.",
            )

    def _check_trusted(self) -> None:
        why = distrust_of_folder(self.folder)
        if why:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"snapshot_dir cannot be trusted, since others may write into it: {why}. Nothing was touched.",
                reason="snapshot_dir_not_trusted",
                remedy="Give a folder of your own that only you can write to, such as ~/restate-snapshots.",
            )

    def make_folder(self) -> None:
        """Make the folder; raise RESTATE_INVALID_ARGUMENT where that cannot be done."""
        try:
            # Its parents, too, whatever the umask is.
            for path in (*reversed(self.folder.parents), self.folder):
                path.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", f"snapshot_dir cannot be used, so nothing was touched: {exc}."
            ) from exc
        # Somebody else may have made it first.
        self._check_trusted()

    def write(self, content: dict[str, t.Any], created_at: str, *, is_pending: bool) -> Path:
        """Keep a snapshot, and return where. Raises OSError where it cannot be kept whole."""
        service, key = content["service_name"], content["service_key"]
        path = self._names.path(service, key, created_at, OPEN if is_pending else CLOSED)
        self._write(path, {"format": _FORMAT, **self._cluster.to_json(), **content})
        return path

    @contextlib.contextmanager
    def alone(self, clock: Clock) -> t.Iterator[bool]:
        """Keep other tasks from submitting what this folder owes; yield whether that was possible in time.

        The lock goes with the process. A file system without locks has none.
        """
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield wait_until(lambda: _is_locked(handle), clock=clock, seconds=_LOCK_SECONDS, growth=1.2)
        finally:
            os.close(handle)

    def claim(self, service: str, key: str, created_at: str, *, was_sent: bool) -> Path:
        """Take up a resubmission before it is sent; `was_sent` says that it may have been sent before, as is known.

        Raises OSError where that cannot be noted, and `TakenUpError` where another task has taken it up meanwhile.
        """
        opened, submitting, closed = (
            self._names.path(service, key, created_at, suffix) for suffix in (OPEN, SUBMITTING, CLOSED)
        )
        if _was_resubmitted(closed):
            opened.unlink(missing_ok=True)
            raise TakenUpError("another task has submitted it again meanwhile", closed)
        if submitting.exists() and not was_sent:
            opened.unlink(missing_ok=True)
            raise TakenUpError("another task may have submitted it again meanwhile", submitting)
        if not (opened.exists() or submitting.exists()):
            raise TakenUpError("another task has taken up its snapshot meanwhile", closed)
        return self.mark_submitting(service, key, created_at)

    def mark_submitting(self, service: str, key: str, created_at: str) -> Path:
        """Note that the resubmission is about to be sent. Raises OSError where that cannot be noted."""
        return self._rename(service, key, created_at, OPEN, SUBMITTING)

    def mark_not_submitted(self, service: str, key: str, created_at: str) -> Path:
        """Note that the resubmission certainly was not taken, and is still pending."""
        return self._rename(service, key, created_at, SUBMITTING, OPEN)

    def cancel_resubmission(self, service: str, key: str, created_at: str) -> Path:
        """Note that none is pending, since the run was not destroyed."""
        return self._rename(service, key, created_at, OPEN, CLOSED)

    def _rename(self, service: str, key: str, created_at: str, old: str, new: str) -> Path:
        """Return where the snapshot is now: under its new name, or where it was already."""
        path = self._names.path(service, key, created_at, old)
        renamed = self._names.path(service, key, created_at, new)
        if path.exists():
            path.rename(renamed)
            self._sync_folder()
        return renamed

    def close(self, service: str, key: str, created_at: str, resubmitted: dict[str, t.Any]) -> Path:
        """Note what was submitted, and that nothing is pending any more; return where the snapshot is now."""
        closed = self._names.closed(service, key, created_at)
        for suffix in (SUBMITTING, OPEN):
            pending = self._names.path(service, key, created_at, suffix)
            try:
                content = json.loads(pending.read_bytes())
            except FileNotFoundError:
                continue
            self._write(closed, {**content, "resubmitted": resubmitted})
            pending.unlink(missing_ok=True)
        return closed

    def pending(self) -> dict[tuple[str, str], PendingResubmission]:
        """Return, by service and key, the newest snapshot whose resubmission to this Restate is pending.

        Raises RESTATE_INVALID_ARGUMENT for one that cannot be read, or of which it cannot be told whether it is of this
        Restate: its resubmission would be forgotten.
        """
        found: dict[tuple[str, str], PendingResubmission] = {}
        for path in sorted(self.folder.glob("*.json")) if self.folder.exists() else []:
            if not path.name.endswith((OPEN, SUBMITTING)):
                continue
            entry = _read_pending(path)
            if entry is None:
                continue
            if not self._is_of_this_cluster(entry):
                self.foreign.append(entry)
                continue
            name = (entry.service, entry.key)
            # Of one run, what may have been sent is what is true; of several, the newest.
            if name not in found or _age(entry) > _age(found[name]):
                found[name] = entry
        return found

    def _is_of_this_cluster(self, entry: PendingResubmission) -> bool:
        is_same = entry.cluster.is_same_as(self._cluster)
        if is_same is None and not self._takes_unknown:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"The snapshot {entry.path} owes a resubmission to {entry.cluster.shown}. Whether that is this cluster "
                "cannot be told: no deployment that was registered then is registered here. Nothing was touched.",
                reason="snapshot_cluster_unknown",
                remedy="Set snapshot_cluster: this where it is this one; else use another snapshot_dir.",
            )
        return is_same is not False

    def _write(self, path: Path, content: dict[str, t.Any]) -> None:
        # mkstemp makes the file 0600; the rename shows it whole or not at all.
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._sync_folder()

    def _sync_folder(self) -> None:
        """Let the names of the files outlive a crash of the machine."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        except OSError as exc:
            # Some network file systems cannot do that.
            if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(handle)


def _read_pending(path: Path) -> PendingResubmission | None:
    """Return it, under the name that another task has given it meanwhile; None where it is settled by now."""
    stem = path.name.removesuffix(OPEN).removesuffix(SUBMITTING)
    if _was_resubmitted(path.with_name(stem + CLOSED)):
        return None
    names = (path, path.with_name(stem + SUBMITTING), path.with_name(stem + OPEN))
    path = next((name for name in names if os.path.lexists(name)), path)
    try:
        _check_own(path)
        return PendingResubmission.read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        if isinstance(exc, FileNotFoundError) and path.with_name(stem + CLOSED).exists():
            return None
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"The snapshot {path} owes a resubmission but cannot be read ({type(exc).__name__}).",
            remedy="Look at the file; move it elsewhere when what it owes is settled.",
        ) from exc


def _was_resubmitted(closed: Path) -> bool:
    """Whether a snapshot of ours says that its input was submitted again: it never is a second time."""
    try:
        return is_own_file(closed.lstat()) and "resubmitted" in json.loads(closed.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _is_locked(handle: int) -> bool:
    """Lock an open folder, and return whether nobody else has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.EBADF):
            raise
    return True


def _check_own(path: Path) -> None:
    """Raise RESTATE_INVALID_ARGUMENT for a snapshot that somebody else may have planted."""
    why = distrust_of_file(path.lstat())
    if why:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"The snapshot {path} cannot be trusted: it {why}. Nothing was touched.",
            reason="snapshot_not_trusted",
            remedy="Find out who wrote it. If it is yours, run the task as its owner and take all rights from others "
            "(chmod 600); else remove it.",
        )


def _age(entry: PendingResubmission) -> tuple[str, bool]:
    return entry.created_at, entry.was_sent
