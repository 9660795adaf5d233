# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return in the whole suite, held against what their documentation says, both ways.

A key is named with those that it is in, as in C(deployments.items.id); the entries of a list count together.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

Keys = dict[str, set[str]]

COLLECTION = "dalp.restate."
_FOLDER = Path(__file__).resolve().parents[2] / "plugins" / "modules"
MODULES = sorted(path.stem for path in _FOLDER.glob("restate_*.py"))
# Ansible's own, and what every task has.
_COMMON = {"changed", "failed", "msg", "diff", "invocation"}
_COMMON |= {"warnings", "deprecations", "exception", "timedout"}
# These are not looked into: a schema holds the record, and the keys of the others are values of Restate.
_WHOLE = {"audit", "impact", "invocations.by_status", "invocations.by_activity"}
# What DALP tells besides is documented as an example in words.
_TOLD_BY_DALP = {"invocations.recent_failures.status"}
_NULL = "NoneType"

returned: Keys = {}


def keep(module: str, result: dict[str, Any]) -> None:
    """Keep the keys of a result, and refuse those that are not documented."""
    own = {
        key: value for key, value in result.items() if key not in _COMMON and not key.startswith("_ansible")
    }
    keys = set(keys_of(own))
    unknown = undocumented(keys - _TOLD_BY_DALP, documented(module))
    assert not unknown, f"{module} returns what is not documented: {unknown}"
    misfits = of_another_type(set(types_of(own)), documented_types(module))
    assert not misfits, f"{module} returns what is documented as another type: {misfits}"
    returned.setdefault(module, set()).update(keys)


def keys_of(content: Any) -> Iterator[str]:
    """Yield the keys of a result, and those of what is in it."""
    yield from (name for name, _ in types_of(content))


def types_of(content: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys of a result, and those of what is in it, each with the type of its value."""
    if isinstance(content, list):
        for entry in content:
            yield from types_of(entry, place)
    elif isinstance(content, dict) and place not in _WHOLE:
        for key, value in content.items():
            name = f"{place}.{key}" if place else key
            yield name, type(value).__name__
            yield from types_of(value, name)


@functools.cache
def documented(module: str) -> frozenset[str]:
    """Return the keys that a module documents."""
    return frozenset(name for name, _ in documented_types(module))


@functools.cache
def documented_types(module: str) -> frozenset[tuple[str, str]]:
    """Return the keys that a module documents, each with the types that are told and that samples have."""
    return frozenset(_told(yaml.safe_load(block(module, "RETURN"))))


def block(module: str, name: str) -> str:
    """Return a block of a module's documentation."""
    # It is not imported: Ansible must be the first to import the collection.
    source = ast.parse((_FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    [text] = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return str(text)


def _told(fields: dict[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys and types of documented fields; what is in one its own fields tell, or else its sample."""
    for key, field in fields.items():
        name = f"{place}.{key}" if place else key
        yield name, field["type"]
        if "sample" in field:
            yield from types_of({name: field["sample"]})
        yield from _told(field.get("contains", {}), name)


def of_another_type(
    found: Iterable[tuple[str, str]], known: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the keys whose values are of a type that is not known of them; any value may be null."""
    types: Keys = {}
    for name, kind in known:
        types.setdefault(name, set()).add(kind)
    allowed = {name: kinds - {_NULL} for name, kinds in types.items()}
    return sorted(
        (name, kind) for name, kind in found if kind != _NULL and kind not in (allowed.get(name) or {kind})
    )


def undocumented(keys: set[str], known: frozenset[str]) -> list[str]:
    """Return the keys that are not known; what is documented without its content may have any."""
    with_content = {_place(key) for key in known}
    return sorted(key for key in keys - known if _place(key) in with_content)


def _place(key: str) -> str:
    """Return the key that a key is in, or an empty text."""
    return key.rpartition(".")[0]


def never_returned(found: Keys) -> list[str]:
    """Return what is documented and what no task has returned; the error is one object, whichever module has it."""
    of_errors = {key for keys in found.values() for key in keys if key.startswith("error.")}
    return [
        f"{module}: {key}"
        for module in MODULES
        for key in sorted(documented(module) - found.get(module, set()) - of_errors)
    ]
