# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time of a module's process goes, from what `python_probe.py` reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)$")
_PACKAGES = ("httpx", "pydantic", "ansible_collections", "ansible")

_START = "start of the interpreter"
_UNPACK = "unpacking of what ansible-core sent"
_OPTIONS = "reading of the options, making of the client"
_ASK = "from the first request to the end"
_IMPORTS = {
    "ansible": "import of ansible.module_utils",
    "httpx": "import of httpx",
    "pydantic": "import of pydantic",
    "ansible_collections": "import of the collection (compiled each time)",
}


def stages(process: dict[str, Any]) -> dict[str, float]:
    """Give the milliseconds of each stage, in the order in which they begin.

    What a package imports counts as its own where it is the first to do so.
    """
    marks, imports = process["marks"], imports_by_package(process["imports"])
    before_asking = _ms(marks["unpacked"], marks["asked"])
    return {
        _START: _ms(process["started"], marks["alive"]),
        _UNPACK: _ms(marks["alive"], marks["unpacked"]),
        **{text: imports[package] for package, text in _IMPORTS.items()},
        _OPTIONS: before_asking - sum(imports[package] for package in _IMPORTS),
        _ASK: _ms(marks["asked"], marks["done"]),
        "end of the process": _ms(marks["done"], process["ended"]),
    }


def imports_by_package(lines: Sequence[str]) -> dict[str, float]:
    """Give the milliseconds of imports by the innermost package of `_PACKAGES` that asked for them.

    `lines` are those of `-X importtime`, in which what is imported comes before what imports it, indented deeper.
    """
    sums = dict.fromkeys((*_PACKAGES, "other"), 0.0)
    parents: list[tuple[int, str]] = []
    for line in reversed(lines):
        match = _LINE.match(line)
        if not match:
            continue
        depth, name = len(match[3]), match[4]
        while parents and parents[-1][0] >= depth:
            parents.pop()
        asking = parents[-1][1] if parents else "other"
        own = next((each for each in _PACKAGES if name == each or name.startswith(f"{each}.")), asking)
        parents.append((depth, own))
        sums[own] += int(match[1]) / 1000
    return sums


def _ms(start: float, end: float) -> float:
    return (end - start) * 1000
