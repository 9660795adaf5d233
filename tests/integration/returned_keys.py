# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return in the whole suite, held against what their documentation says, both ways."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import yaml

Keys = dict[str, set[str]]

# Ansible's own, and what every task has.
_COMMON = {"changed", "failed", "msg", "diff", "invocation", "warnings", "exception", "deprecations"}
# Results whose entries are documented by a sample or field by field.
_WITH_ENTRIES = ("error", "results")

returned: Keys = {}


def keep(module: str, result: dict[str, Any]) -> None:
    """Keep the keys of a result, and refuse those that are not documented."""
    keys = {key for key in result if key not in _COMMON and not key.startswith("_ansible")}
    for name in _WITH_ENTRIES:
        content = result.get(name) or []
        for entry in content if isinstance(content, list) else [content]:
            keys |= {f"{name}.{key}" for key in entry}
    unknown = keys - documented(module)
    assert not unknown, f"{module} returns what is not documented: {sorted(unknown)}"
    returned.setdefault(module, set()).update(keys)


@functools.cache
def documented(module: str) -> frozenset[str]:
    """Return the keys that a module documents, those of entries with the name of what they are in."""
    plugin = importlib.import_module(f"ansible_collections.dalp.restate.plugins.modules.{module}")
    docs = yaml.safe_load(plugin.RETURN)
    keys = set(docs)
    for name in _WITH_ENTRIES:
        entry = docs.get(name, {})
        sample = entry.get("sample")
        fields = entry.get("contains") or (sample[0] if isinstance(sample, list) else sample) or {}
        keys |= {f"{name}.{key}" for key in fields}
    return frozenset(keys)


def never_returned() -> list[str]:
    """Return what is documented and that no task of the suite has returned."""
    return sorted(
        f"{module}: {key}" for module, keys in returned.items() for key in documented(module) - keys
    )
