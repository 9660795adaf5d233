# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a page goes: an HTML file, and its Markdown beside it."""

from __future__ import annotations

import os
import re
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


def check_report_path(given: t.Any) -> None:
    """Raise RESTATE_INVALID_ARGUMENT where a page could not be written: before anything is done, not after it."""
    path = report_path(given, "", ())
    if path is None:
        return
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    files = [each for each in files_of(path) if each.exists()]
    wrong = next((each for each in files if not each.is_file() or not os.access(each, os.W_OK)), None)
    if wrong is None and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        wrong = folder
    if wrong:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{VARIABLE} is {path}.html, and {wrong} cannot be written to. Nothing was touched.",
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

    Raises OSError where it cannot be written.
    """
    files = files_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = [
        _write(file, text.encode())
        for file, text in zip(files, (as_html(page), as_markdown(page)), strict=True)
    ]
    return list(files), any(changed)


def _write(file: Path, content: bytes) -> bool:
    """Write a file that only its owner may read, unless it is there already and may be read by others."""
    if file.exists() and file.read_bytes() == content:
        return False
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as stream:
        stream.write(content)
    return True
