# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of findings has each finding that the doctor can make, with its severity, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import COMPONENTS
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.failures import FAILURES

ROOT = Path(__file__).resolve().parents[2]
DOCTOR = ROOT / "plugins" / "module_utils" / "_operations" / "doctor"
# What the code puts together, by how it is written there.
MADE = {
    "f'{name.upper()}_{component.status.upper()}'": {
        f"{name.upper()}_{status}" for name in COMPONENTS for status in ("DEGRADED", "UNREACHABLE")
    },
    "f'{name.upper()}_NODE_{node.status.upper()}'": {
        f"{name}_NODE_{status}" for name in ("ADMIN", "INGRESS") for status in ("DEGRADED", "UNREACHABLE")
    },
    "failure.reason.upper()": {failure.reason.upper() for failure in FAILURES.values()},
}


def made_findings() -> Iterator[tuple[str, str]]:
    """Yield the code and the severity of each finding, as often as the code makes it."""
    for path in DOCTOR.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Finding":
                given = {keyword.arg: keyword.value for keyword in call.keywords}
                severities = [
                    node.value for node in ast.walk(given["severity"]) if isinstance(node, ast.Constant)
                ]
                code = ast.unparse(given["code"])
                for each in MADE.get(code) or {ast.literal_eval(code)}:
                    yield from ((each, str(severity)) for severity in severities)


def documented_findings() -> dict[str, set[str]]:
    """Return the severities of each finding, by its code."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs" / "findings.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    assert all(len(row) == 5 and all(row) for row in rows)
    return {code.strip(" `"): set(row[1].split(", ")) for row in rows for code in row[0].split(",")}


def test_the_table_of_findings_is_that_of_the_code() -> None:
    made: dict[str, set[str]] = {}
    for code, severity in made_findings():
        made.setdefault(code, set()).add(severity)
    documented = documented_findings()
    assert sorted(documented) == sorted(made)
    # Of a component, one code tells one severity, though the code decides between two.
    assert {code for code in made if not documented[code] <= made[code]} == set()
