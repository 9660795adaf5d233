# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that a task left open, kept in files for the tasks that follow.

Two kinds matter after the end of a task: a write whose answer never came, which a frozen node or a stalled proxy may
deliver late, and a pause that the task made for a move and could not end.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import secrets
import stat
import tempfile
import typing as t
from pathlib import Path

from .. import _timestamps
from .._errors import OperatorError
from .journal import DONE, UNKNOWN, Journal

DESTRUCTIVE = ("kill", "purge", "remove")
"""The actions whose late delivery destroys what has taken the place of their subject."""
PAUSE = "pause"

_FORMAT = 1
_SUFFIX = ".open-actions.json"
_KEPT = datetime.timedelta(days=7)


class _Server(t.Protocol):
    @property
    def node_urls(self) -> list[str]: ...

    @property
    def known_deployments(self) -> t.Collection[str]: ...

    def list_deployments(self) -> None: ...


class OpenAction(t.NamedTuple):
    """An action of an earlier task on a subject (the ID of an invocation or a deployment), and when it was sent.

    `key` is the workflow key that it is about. If the subject is gone before `retained_until`, the action was carried
    out; None if its absence proves nothing.
    """

    action: str
    subject: str
    sent_at: datetime.datetime
    key: str = ""
    retained_until: datetime.datetime | None = None

    def to_json(self) -> list[str | None]:
        """Return it as a file keeps it."""
        until = _timestamps.write(self.retained_until) if self.retained_until else None
        return [self.action, self.subject, _timestamps.write(self.sent_at), self.key, until]

    @classmethod
    def from_json(cls, content: list[t.Any]) -> OpenAction:
        """Return it from a file; raise `ValueError` or `TypeError` for what is none."""
        action, subject, sent_at, key, until = content
        return cls(
            str(action),
            str(subject),
            _timestamps.parse(sent_at),
            str(key),
            _timestamps.parse(until) if until else None,
        )


def open_actions_of(journal: Journal) -> list[OpenAction]:
    """Return what a task leaves open: destructive writes in doubt, and pauses that it did not end."""
    left = [(action, subject) for action in DESTRUCTIVE for subject in journal.subjects(action, UNKNOWN)]
    left += [(PAUSE, subject) for state in (DONE, UNKNOWN) for subject in journal.subjects(PAUSE, state)]
    return [_open_action(journal, action, subject) for action, subject in left]


def _open_action(journal: Journal, action: str, subject: str) -> OpenAction:
    # Of several deliveries, only one was seen.
    until = None if journal.learned(subject, "sent_again") else journal.learned(subject, "retained_until")
    return OpenAction(
        action, subject, journal.sent_at(action, subject), journal.learned(subject, "key") or "", until
    )


class OpenActions:
    """The open actions of one Restate, which is known by any of its admin URLs, and by any of its deployments.

    A task that follows may go round the node or the proxy that failed, by a URL that the first one did not have. They
    are kept in a folder of the user, and in a folder that the operator named, which outlives the container of a job.
    """

    def __init__(
        self, admin_urls: t.Iterable[str], *folders: str | None, server: _Server | None = None
    ) -> None:
        self._admin_urls = sorted(admin_urls)
        self._server = server
        self._folders = [Path(folder) for folder in folders if folder] + [user_folder()]

    @classmethod
    def of(cls, server: _Server, folder: str | None = None) -> OpenActions:
        """Return the open actions of a server; `folder` is one that the operator named."""
        return cls(server.node_urls, folder, server=server)

    def in_doubt(self, *, grace: float, now: datetime.datetime) -> dict[str, datetime.datetime]:
        """Return, by subject, from when it can be taken up again; `grace` is in seconds."""
        until: dict[str, datetime.datetime] = {}
        for each in self.writes():
            end = each.sent_at + datetime.timedelta(seconds=grace)
            if end > now:
                until[each.subject] = max(end, until.get(each.subject, end))
        return until

    def writes(self) -> list[OpenAction]:
        """Return the destructive writes that were not answered, whatever their age."""
        return [each for each in self._read() if each.action in DESTRUCTIVE]

    def paused(self) -> set[str]:
        """Return the invocations that an earlier task paused for a move and may have left paused."""
        return {each.subject for each in self._read() if each.action == PAUSE}

    def keep(self, actions: t.Sequence[OpenAction]) -> None:
        """Keep actions for later tasks. Raises `OSError` if that is not possible."""
        if not actions:
            return
        folder = self._folders[0]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(folder)
        self._write(self._new_path(), actions)

    @contextlib.contextmanager
    def noted(
        self, actions: t.Sequence[OpenAction], is_open: t.Callable[[OpenAction], bool]
    ) -> t.Iterator[None]:
        """Note actions while the block sends them: a task that is ended by SIGKILL cannot note them any more.

        Those that are open at the end of the block stay noted. If nothing can be noted here, the end of the task tells.
        """
        path = self._new_path()
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, actions)
        try:
            yield
        finally:
            left = [each for each in actions if is_open(each)]
            with contextlib.suppress(OSError):
                if left:
                    self._write(path, left)
                else:
                    path.unlink(missing_ok=True)

    def _new_path(self) -> Path:
        name = f"{_timestamps.write(_timestamps.now()).replace(':', '')}-{secrets.token_hex(4)}{_SUFFIX}"
        return self._folders[0] / name

    def settle(self, action: str, subjects: t.Collection[str]) -> None:
        """Forget an action on subjects, since it is no longer open."""
        if subjects:
            self._change(lambda each: None if (each.action == action and each.subject in subjects) else each)

    def send_again(self, subjects: t.Collection[str]) -> None:
        """Note that a task destroys subjects once more: that they are gone no longer proves anything."""
        if subjects:
            self._change(
                lambda each: each._replace(retained_until=None) if each.subject in subjects else each
            )

    def _change(self, change: t.Callable[[OpenAction], OpenAction | None]) -> None:
        for path in self._paths():
            kept = list(self._actions_in(path))
            left = [each for each in map(change, kept) if each]
            if left == kept:
                continue
            # A later task reads what cannot be changed here once more, which does no harm.
            with contextlib.suppress(OSError):
                if left:
                    self._write(path, left)
                else:
                    path.unlink()

    def _read(self) -> list[OpenAction]:
        return [each for path in self._paths() for each in self._actions_in(path)]

    def _paths(self) -> list[Path]:
        return [path for folder in self._folders for path in sorted(folder.glob(f"*{_SUFFIX}"))]

    def _actions_in(self, path: Path) -> t.Iterator[OpenAction]:
        """Yield the actions in a file, if they are of this Restate; nobody else's file counts."""
        try:
            if not is_own_file(path.lstat()):
                return
            content = json.loads(path.read_bytes())
            if content["format"] != _FORMAT or not self._is_of_this(content):
                return
            yield from [OpenAction.from_json(each) for each in content["actions"]]
        except (OSError, ValueError, KeyError, TypeError):
            return

    def _is_of_this(self, content: dict[str, t.Any]) -> bool:
        if set(content["admin_urls"]) & set(self._admin_urls):
            return True
        if not content.get("deployment_ids"):
            return False
        self._list_deployments()
        return bool(self._known_deployments() & set(content["deployment_ids"]))

    def _known_deployments(self) -> set[str]:
        return set(self._server.known_deployments) if self._server else set()

    def _list_deployments(self) -> None:
        if self._server:
            # Without a list, the URLs alone tell.
            with contextlib.suppress(OperatorError):
                self._server.list_deployments()

    def _write(self, path: Path, actions: t.Iterable[OpenAction]) -> None:
        known = {"admin_urls": set(self._admin_urls), "deployment_ids": self._known_deployments()}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            # What another task wrote stays known by its URLs and deployments.
            earlier = json.loads(path.read_bytes())
            for name, values in known.items():
                values.update(earlier[name])
        content = {
            "format": _FORMAT,
            **{name: sorted(values) for name, values in known.items()},
            "actions": [each.to_json() for each in actions],
        }
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def user_folder() -> Path:
    """Return the folder of the user in which open actions are kept: below Ansible's own."""
    return Path(os.environ.get("ANSIBLE_HOME") or "~/.ansible").expanduser() / "dalp.restate"


def is_own_file(status: os.stat_result) -> bool:
    """Whether a file is a regular one that only this user can have written."""
    is_private = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return (
        stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1 and is_private
    )


def _remove_old(folder: Path) -> None:
    oldest = (_timestamps.now() - _KEPT).timestamp()
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < oldest:
                path.unlink()
