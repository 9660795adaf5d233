# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports run one way: modules, then what knows Ansible, then operations, then Restate as it is, then errors."""

from __future__ import annotations

import ast
import functools
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
HERE = "ansible_collections.dalp.restate.plugins"

OPERATIONS = ("cleanup", "doctor", "recovery", "redeploy", "resume")
BELOW_OPERATIONS = ("_restate", "_dalp", "_http.clock", "_http.urls", "_timestamps", "_errors")
SHARED = ("_operations", *BELOW_OPERATIONS)

# Where a file is, and what it may import besides what is in the same place. The first place that fits is its own.
ARROWS: dict[str, tuple[str, ...]] = {
    "modules": ("_task", "_operations", *(f"_operations.{name}" for name in OPERATIONS)),
    "action": ("plugin_utils", "modules", "_task", "_redact", "_errors"),
    "lookup": ("plugin_utils", "_errors"),
    "plugin_utils": ("_task", "_operations", "_http.urls", "_redact", "_errors"),
    "doc_fragments": (),
    "_task": (
        "_audit",
        "_operations",
        "_restate",
        "_dalp",
        "_http",
        "_http.clock",
        "_http.urls",
        "_redact",
        "_thirdparty",
        "_timestamps",
        "_errors",
    ),
    "_audit": ("_http", "_http.clock", "_http.urls", "_timestamps", "_errors"),
    **{
        f"_operations.{name}": ("_operations.deployments", "_operations.invocations", *SHARED)
        for name in OPERATIONS
    },
    "_operations.invocations": ("_operations.deployments", *SHARED),
    "_operations.deployments": SHARED,
    "_operations": BELOW_OPERATIONS,
    "_restate": ("_http", "_http.clock", "_http.urls", "_thirdparty", "_timestamps", "_errors"),
    "_dalp": ("_http", "_http.clock", "_http.urls", "_thirdparty", "_timestamps", "_errors"),
    "_http.clock": (),
    "_http.urls": (),
    "_http": ("_http.clock", "_http.urls", "_redact", "_thirdparty", "_errors"),
    "_redact": (),
    "_timestamps": (),
    "_thirdparty": (),
    "_errors": (),
}
KNOWS_ANSIBLE = {"_task", "action", "lookup", "plugin_utils"}
# On the controller, where Ansible brings it along.
KNOWS_YAML = {"plugin_utils"}
KNOWS_JINJA = {"plugin_utils"}
KNOWS_LIBRARIES = {"_thirdparty"}
# httpx sends with httpcore.
LIBRARIES = {"httpcore", "httpx", "pydantic"}

FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")


def place(path: Path) -> str:
    """Return where a file is, as in C(_operations.cleanup.plan)."""
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts).removeprefix("module_utils.")


def room(name: str) -> str:
    """Return the place in ARROWS that a file, or what is imported from it, belongs to."""
    return next(one for one in ARROWS if name == one or name.startswith(f"{one}."))


def own_names(path: Path, tree: ast.AST) -> set[str]:
    """Return the full names that a tree imports; of C(from a import b) both a and a.b count as a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = [node.module] if node.module else []
            if node.level:
                folder = path.relative_to(PLUGINS).parent.parts
                parts = [HERE, *folder[: len(folder) + 1 - node.level], *parts]
            found |= {".".join([*parts, alias.name]) for alias in node.names}
    return found


def imports(path: Path) -> set[str]:
    """Return the full names that a file imports."""
    return own_names(path, ast.parse(path.read_text()))


def named(names: set[str]) -> set[str]:
    """Return those of this collection, named as L(place) does."""
    own = {name.removeprefix(f"{HERE}.") for name in names if name.startswith(f"{HERE}.")}
    return {name.removeprefix("module_utils.") for name in own}


def own_imports(path: Path) -> set[str]:
    """Return what a file imports of this collection, named as L(place) does."""
    return named(imports(path))


def test_every_place_has_a_file() -> None:
    assert {room(place(path)) for path in FILES} == set(ARROWS)


@pytest.mark.parametrize("path", FILES, ids=place)
def test_imports_run_one_way(path: Path) -> None:
    own = room(place(path))
    for name in own_imports(path):
        allowed = ARROWS[own] if own == "modules" else (own, *ARROWS[own])
        assert room(name) in allowed, f"{place(path)} imports {name}"


def runtime_imports(path: Path) -> set[str]:
    """Return the files that a file imports when it runs, by their place; what only types need is not."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "t.TYPE_CHECKING":
            node.body = []
    names = named(own_names(path, tree))
    places = {place(one) for one in FILES}
    return {one for one in places if any(name == one or name.startswith(f"{one}.") for name in names)}


@functools.cache
def imported() -> dict[str, set[str]]:
    """Return, by place, what each file imports when it runs."""
    return {place(path): runtime_imports(path) for path in FILES}


def reached_from(start: str) -> set[str]:
    """Return all that is imported when a file is."""
    reached: set[str] = set()
    coming = imported()[start]
    while coming:
        reached |= coming
        coming = {further for one in coming for further in imported()[one]} - reached
    return reached


@pytest.mark.parametrize("path", FILES, ids=place)
def test_no_file_is_imported_by_what_it_imports(path: Path) -> None:
    assert place(path) not in reached_from(place(path))


@pytest.mark.parametrize("path", FILES, ids=place)
def test_the_collection_imports_its_own_files_relatively(path: Path) -> None:
    assert "import ansible_collections" not in path.read_text()
    assert "from ansible_collections" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=place)
def test_only_one_place_imports_each_thing_from_outside(path: Path) -> None:
    own = room(place(path))
    for name in imports(path):
        package = name.split(".")[0]
        if package == "ansible":
            assert own in KNOWS_ANSIBLE, f"{place(path)} imports {name}"
        elif package == "yaml":
            assert own in KNOWS_YAML, f"{place(path)} imports {name}"
        elif package in ("jinja2", "markupsafe"):
            assert own in KNOWS_JINJA, f"{place(path)} imports {name}"
        elif package in LIBRARIES:
            assert own in KNOWS_LIBRARIES, f"{place(path)} imports {name}"
        else:
            known = package in ("ansible_collections", "__future__") or package in sys.stdlib_module_names
            assert known, f"{place(path)} imports {name}"


CLIENTS = ("_restate.admin", "_restate.ingress", "_restate.server", "_dalp.client")
PURE = [
    path
    for path in FILES
    if re.search(r"(plan|approval|report|prediction|results|findings|verdict)$", place(path))
]


@pytest.mark.parametrize("path", PURE, ids=place)
def test_plans_and_reports_import_no_client_neither_themselves_nor_by_what_they_import(path: Path) -> None:
    reached = reached_from(place(path))
    assert not [one for one in reached if one in CLIENTS]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_a_plan_a_report_and_a_file_for_each_backend(name: str) -> None:
    files = {path.stem for path in (PLUGINS / "module_utils" / "_operations" / name).glob("*.py")}
    assert {"plan", "report", "restate"} <= files
    assert "dalp" in files or name == "resume"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_annotations_are_not_evaluated(path: Path) -> None:
    assert "from __future__ import annotations" in path.read_text()


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("restate_*.py")), ids=place)
def test_a_module_is_documentation_and_a_main_of_a_few_lines(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert {node.name for node in functions} <= {"backend", "main"}
    assert all((node.end_lineno or 0) - node.lineno < 10 for node in functions)


PUBLIC = [
    (path, node.name)
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("__")
]
# Ansible calls or reads these, and pydantic the last.
ENTRIES = {"main", "ModuleDocFragment", "model_post_init", "ActionModule", "LookupModule", "run"}


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
