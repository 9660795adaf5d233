# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether only this user can have written a snapshot: what another one plants would be submitted as if it were ours."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

from ..open_actions import is_own_file
from .vanishing import is_execution_environment

_ROOT = 0


def distrust_of_folder(folder: Path) -> str:
    """Return why others may write into the folder of the snapshots; empty if they may not.

    A folder that does not exist yet is judged by its parents. In an execution environment there are no other users, and
    a volume that is mounted there may have any owner and mode.
    """
    if is_execution_environment():
        return ""
    for path in (folder, *folder.parents):
        # A link is followed, and the place that it leads to is judged by the next lines.
        if path.is_symlink() and path.lstat().st_uid not in _trusted():
            return f"{path} is a link of another user"
    real = folder.resolve()
    there = [path for path in (real, *real.parents) if path.exists()]
    for path in there:
        why = _distrust(path.stat(), is_parent=path != real)
        if why:
            return f"{path} {why}"
    return ""


def distrust_of_file(status: os.stat_result) -> str:
    """Return why another user may have written or read a snapshot; empty if none can have."""
    if stat.S_ISLNK(status.st_mode):
        return "is a link"
    if status.st_uid != os.geteuid():
        return f"belongs to another user (uid {status.st_uid})"
    if not is_own_file(status):
        return "is no file of its own, or can be written by others"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "can be read by others"
    return ""


def _distrust(status: os.stat_result, *, is_parent: bool) -> str:
    if status.st_uid not in _trusted():
        return f"belongs to another user (uid {status.st_uid})"
    if is_parent and status.st_mode & stat.S_ISVTX:
        # Nobody can rename the folders of others there.
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "can be written by everyone"
    if status.st_mode & stat.S_IWGRP and status.st_gid not in _groups():
        return f"can be written by a group that this user is not in (gid {status.st_gid})"
    return ""


def _trusted() -> tuple[int, int]:
    return (os.geteuid(), _ROOT)


def _groups() -> t.Container[int]:
    return {os.getegid(), *os.getgroups()}
