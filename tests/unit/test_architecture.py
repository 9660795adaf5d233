# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports run one way: modules, then what knows Ansible, then operations, then Restate as it is, then errors."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
HERE = "ansible_collections.dalp.restate.plugins"

# What a file may import of this collection besides its own layer: a prefix of its place, and those of the others.
# The first that fits a file is its own.
LAYERS: dict[str, tuple[str, ...]] = {
    "modules.restate_audit_info": ("module_utils._audit_info",),
    "modules": ("module_utils._ansible", "module_utils._operations"),
    "doc_fragments": (),
    "module_utils._ansible": (
        "module_utils._thirdparty",
        "module_utils._audit",
        "module_utils._audit_log",
        "module_utils._audit_webhook",
        "module_utils._connection",
        "module_utils._dalp",
        "module_utils._errors",
        "module_utils._operations.report",
        "module_utils._redaction",
        "module_utils._restate",
        "module_utils._http",
        "module_utils._http.urls",
    ),
    "module_utils._connection": (
        "module_utils._dalp",
        "module_utils._errors",
        "module_utils._http",
        "module_utils._operations",
        "module_utils._restate",
    ),
    "module_utils._audit_info": (
        "module_utils._audit_chain",
        "module_utils._errors",
        "module_utils._operations.report",
    ),
    "module_utils._audit_chain": ("module_utils._audit_log", "module_utils._errors"),
    "module_utils._audit_log": ("module_utils._errors",),
    "module_utils._audit_webhook": (
        "module_utils._audit_log",
        "module_utils._errors",
        "module_utils._http",
        "module_utils._http.urls",
    ),
    "module_utils._audit": ("module_utils._errors",),
    "module_utils._redaction": (),
    "module_utils._operations.report": ("module_utils._errors",),
    "module_utils._operations": (
        "module_utils._operations.report",
        "module_utils._dalp",
        "module_utils._restate",
        "module_utils._http.urls",
        "module_utils._errors",
        "module_utils._instants",
    ),
    "module_utils._dalp": (
        "module_utils._http",
        "module_utils._http.urls",
        "module_utils._errors",
        "module_utils._instants",
        "module_utils._thirdparty",
    ),
    "module_utils._restate": (
        "module_utils._http",
        "module_utils._http.urls",
        "module_utils._errors",
        "module_utils._instants",
        "module_utils._thirdparty",
    ),
    "module_utils._http.urls": (),
    "module_utils._http": (
        "module_utils._http.urls",
        "module_utils._errors",
        "module_utils._thirdparty",
    ),
    "module_utils._instants": (),
    "module_utils._thirdparty": (),
    "module_utils._errors": (),
}
KNOWS_ANSIBLE = {"module_utils._ansible", "module_utils._connection", "module_utils._audit_info"}
KNOWS_LIBRARIES = {"module_utils._thirdparty"}
LIBRARIES = {"httpx", "pydantic"}

FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")


def place(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


def layer(name: str) -> str:
    return next(one for one in LAYERS if name == one or name.startswith(f"{one}."))


def imports(path: Path) -> set[str]:
    """Return the full names that a file imports; of `from a import b` both a and a.b count as a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_file_belongs_to_a_layer() -> None:
    assert {layer(place(path)) for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=place)
def test_imports_run_one_way(path: Path) -> None:
    own = layer(place(path))
    for name in imports(path):
        if name.startswith(f"{HERE}."):
            other = layer(name.removeprefix(f"{HERE}."))
            allowed = LAYERS[own] if own.startswith("modules") else (own, *LAYERS[own])
            assert other in allowed, f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_only_one_file_imports_each_thing_from_outside(path: Path) -> None:
    own = layer(place(path))
    for name in imports(path):
        package = name.split(".")[0]
        if package == "ansible":
            assert own in KNOWS_ANSIBLE, f"{place(path)} imports {name}"
        elif package in LIBRARIES:
            assert own in KNOWS_LIBRARIES, f"{place(path)} imports {name}"
        else:
            known = package in ("ansible_collections", "__future__") or package in sys.stdlib_module_names
            assert known, f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_annotations_are_not_evaluated(path: Path) -> None:
    assert "from __future__ import annotations" in path.read_text()


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=place)
def test_a_module_is_documentation_and_a_main_of_a_few_lines(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions] == ["main"]
    assert (functions[0].end_lineno or 0) - functions[0].lineno < 12


PUBLIC = [
    (path, node.name)
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("__")
]
# Ansible calls or reads these, and pydantic the last.
ENTRIES = {"main", "ModuleDocFragment", "model_post_init"}


def test_there_is_no_code_that_nobody_uses() -> None:
    names = [
        name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [node.id]
            if isinstance(node, ast.Name)
            else [node.attr]
            if isinstance(node, ast.Attribute)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    used = set(names)
    assert not [f"{place(path)}: {name}" for path, name in PUBLIC if name not in used | ENTRIES]
