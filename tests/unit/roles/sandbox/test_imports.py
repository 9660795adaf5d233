# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's files import each other one way only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[4] / "roles" / "sandbox" / "files"
NAMES = sorted(path.stem for path in FILES.glob("*.py"))


def imported_by(name: str) -> set[str]:
    """Return which of the sandbox's files a file imports, at its top or within a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((FILES / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found & set(NAMES)


def reached_from(name: str) -> set[str]:
    """Return what a file imports, and what that imports, and so on."""
    reached: set[str] = set()
    to_visit = imported_by(name)
    while to_visit:
        visited = to_visit.pop()
        reached.add(visited)
        to_visit |= imported_by(visited) - reached
    return reached


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_imported_by_what_it_imports(name: str) -> None:
    assert name not in reached_from(name)


def test_the_command_line_reaches_the_server() -> None:
    assert {"restate_sandbox", "restate_server", "owned_processes"} <= reached_from("sandbox")
