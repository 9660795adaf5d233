# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No file of code is long, the documentation blocks of the modules aside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIRECTORIES = ("plugins", "roles", "scripts", "tests")
MAX_LINES = 300
DOCUMENTATION_BLOCKS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for directory in DIRECTORIES
    for path in (ROOT / directory).rglob("*.py")
    if "output" not in path.parts
)


def lines_of_code(path: Path) -> int:
    """Return the number of lines, without those of documentation blocks."""
    text = path.read_text()
    documentation = 0
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTATION_BLOCKS:
            documentation += (node.end_lineno or node.lineno) - node.lineno + 1
    return len(text.splitlines()) - documentation


@pytest.mark.parametrize("name", FILES)
def test_no_file_of_code_is_long(name: str) -> None:
    assert lines_of_code(ROOT / name) <= MAX_LINES


def test_all_directories_are_looked_at() -> None:
    assert {name.split("/")[0] for name in FILES} == set(DIRECTORIES)
