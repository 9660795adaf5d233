# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a page goes: an HTML file, and its Markdown beside it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
import typing as t
from pathlib import Path

from ...module_utils._errors import OperatorError
from ..option_values import is_unset, read_option
from .html import as_html
from .markdown import as_markdown
from .page import Page

VARIABLE = "restate_report"
_MODE = 0o600
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def report_path(given: t.Any, host: str, hosts: t.Sequence[str]) -> Path | None:
    """Return where the page of a host goes, without its suffix; None where no page is asked for.

    Raises RESTATE_INVALID_ARGUMENT for what is no path of a file. Of several hosts, each has its own in the name.
    """
    if is_unset(given):
        return None
    read = str(read_option(VARIABLE, given, {"type": "path"}))
    path = Path(os.path.expandvars(read)).expanduser()
    if str(given).strip().endswith("/") or path.is_dir():
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{VARIABLE} must be a file's name; {path} is a folder. Nothing was touched.",
            remedy=f"For example: -e {VARIABLE}={path}/restate.html",
        )
    path = without_suffix(path)
    named = _NO_NAME.sub("_", host)
    is_shared = len(hosts) > 1 and named not in path.name
    return path.with_name(f"{path.name}-{named}") if is_shared else path


def check_report_path(given: t.Any, host: str, hosts: t.Sequence[str]) -> None:
    """Raise RESTATE_INVALID_ARGUMENT where a page could not be written: before anything is done, not after it."""
    path = report_path(given, host, hosts)
    if path is None:
        return
    folder = path.parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    reasons = [_foreign_link(folder), *(_not_replaceable(file) for file in files_of(path))]
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        reasons.append(f"{folder} cannot be written to")
    reason = next(filter(None, reasons), None)
    if reason:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{VARIABLE} is {path}.html, and {reason}. Nothing was touched.",
            remedy=f"Give a path that you can write to on the controller, such as -e {VARIABLE}=restate.html",
        )


def without_suffix(path: Path) -> Path:
    """Return a path without the suffix of a page."""
    return path.with_suffix("") if path.suffix.lower() in (".html", ".htm", ".md") else path


def files_of(path: Path) -> tuple[Path, Path]:
    """Return the HTML file and the Markdown file of a path without a suffix."""
    return path.with_name(f"{path.name}.html"), path.with_name(f"{path.name}.md")


def write_page(page: Page, path: Path) -> tuple[list[Path], bool]:
    """Write a page; return its files, and whether any of them is new or other than before.

    Raises OSError where it cannot be written, or would be written somewhere else.
    """
    files = files_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    reason = _foreign_link(path.parent) or next(filter(None, map(_not_replaceable, files)), None)
    if reason:
        raise OSError(reason)
    changed = [
        _write(file, text.encode())
        for file, text in zip(files, (as_html(page), as_markdown(page)), strict=True)
    ]
    return list(files), any(changed)


def _foreign_link(folder: Path) -> str | None:
    """Return why what is written into a folder could go elsewhere, or None; links of ours and of root's are meant."""
    for each in (folder, *folder.parents):
        if each.is_symlink() and each.lstat().st_uid not in (0, os.geteuid()):
            return f"{each} is a link of another user"
    return None


def _not_replaceable(file: Path) -> str | None:
    """Return why a file must not be replaced by a page, or None."""
    try:
        about = file.lstat()
    except OSError:
        return None
    if stat.S_ISLNK(about.st_mode):
        return f"{file} is a link"
    if not stat.S_ISREG(about.st_mode):
        return f"{file} cannot be written to"
    if about.st_nlink > 1:
        return f"{file} has other names (hard links)"
    return None


def _write(file: Path, content: bytes) -> bool:
    """Replace a file by a whole one that only its owner may read, unless that file is ours and may be read by others.

    What was put at its name meanwhile is replaced, too, and never written through.
    """
    mode = _MODE
    with contextlib.suppress(OSError), _opened(file) as stream:
        about = os.fstat(stream.fileno())
        if stream.read() == content:
            return False
        if about.st_uid == os.geteuid():
            mode = stat.S_IMODE(about.st_mode)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(handle, mode)
            stream.flush()
            os.fsync(handle)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise
    return True


def _opened(file: Path) -> t.BinaryIO:
    return os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
