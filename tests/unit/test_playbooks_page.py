# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of playbooks names the variables of each, no other, and what they are where they are not set."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._task.options import (
    AUDIT_SPEC,
    CONNECTION_SPEC,
    argument_spec,
)
from ansible_collections.dalp.restate.plugins.plugin_utils.options import (
    OPERATIONS,
    RUNBOOK_VARIABLES,
    known_variables,
    operation_of,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
SHARED = {*CONNECTION_SPEC, *AUDIT_SPEC}
# A runbook hands these from one step to the next; restate_plan_digests holds the digests.
HANDED_ON = {"plan_digest", "assume_registered"}
ROWS = dict(re.findall(r"^\| `dalp\.restate\.(\w+)` \|[^|]*\| (.*) \|$", PAGE, re.MULTILINE))
Defaults = dict[str, str]


def written(value: Any) -> str:
    """Return a value as the page writes it; empty where there is none."""
    if value in (None, [], {}, ""):
        return ""
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def own(options: dict[str, Any], documented: dict[str, Any]) -> Defaults:
    """Return the options that are not the same for all modules, each with what it is where it is not set."""
    found = {}
    for name in options.keys() - SHARED - HANDED_ON:
        told = re.search(
            r"By default\s+V\((\w+)\)|by\s+default V\((\w+)\)", str(documented[name]["description"])
        )
        found[name] = written(options[name].get("default")) or ((told[1] or told[2]) if told else "")
    return found


def of_operation(name: str) -> Defaults:
    source = (ROOT / "plugins" / "modules" / f"restate_{name}.py").read_text(encoding="utf-8")
    [block] = re.findall(r'^DOCUMENTATION = r"""(.*?)"""', source, re.MULTILINE | re.DOTALL)
    return own(argument_spec(operation_of(f"restate_{name}")), yaml.safe_load(block)["options"])


def of_selection() -> Defaults:
    spec = argument_spec(operation_of("restate_recover_workflow"))["select"]["options"]
    return {name: written(option.get("default")) for name, option in spec.items()}


def set_by_playbook(name: str) -> Defaults:
    """Return the defaults that a playbook, or its role, has of its own; empty text where they are computed."""
    found = {}
    paths = [ROOT / "playbooks" / f"{name}.yml", *ROOT.glob(f"roles/{name}/vars/main.yml")]
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    for call in re.findall(r"lookup\('dalp\.restate\.options', '[^\n]*?\)(?=[ .,}])", text):
        for keyword in ast.parse(call, mode="eval").body.keywords:
            is_literal = isinstance(keyword.value, ast.List | ast.Constant)
            found[keyword.arg] = written(ast.literal_eval(keyword.value)) if is_literal else ""
    return found


def expected(playbook: str) -> Defaults:
    """Return the variables of a runbook, without their prefix."""
    if playbook == "recover_failed":
        both = of_operation("recover_workflow") | of_operation("resume") | of_selection()
        variables = yaml.safe_load((ROOT / "roles/recover_failed/vars/main.yml").read_text(encoding="utf-8"))
        not_read = {"select", *variables["recover_failed_named"]} - of_selection().keys()
        chosen = set_by_playbook(playbook)
        return {name: default for name, default in (both | chosen).items() if name not in not_read}
    path = ROOT / "playbooks" / f"{playbook}.yml"
    roles = set(re.findall(r"name: dalp\.restate\.(\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    found: Defaults = {}
    for operation in sorted(roles & set(OPERATIONS)):
        found |= of_operation(operation)
    return found | set_by_playbook(playbook)


def named_in(row: str) -> Defaults:
    """Return the variables that a row names itself."""
    return dict(re.findall(r"`restate_(\w+)`(?: \(`([^`]*)`[^)]*\))?", row))


def told_of(playbook: str) -> Defaults:
    """Return the variables that the row of a playbook names, or another row that it refers to."""
    found: Defaults = {}
    for other in re.findall(r"(?:those|and) of `(\w+)`", ROWS[playbook]):
        found |= told_of(other)
    named = named_in(ROWS[playbook])
    return found | {name: default for name, default in named.items() if default or name not in found}


@pytest.mark.parametrize("playbook", [*OPERATIONS, "release", "rollback", "recover_failed"])
def test_a_runbook_has_the_variables_that_the_page_names_and_no_other(playbook: str) -> None:
    told, there = told_of(playbook), expected(playbook)
    assert sorted(told) == sorted(there)
    computed = {name for name, default in set_by_playbook(playbook).items() if not default}
    assert all(named_in(ROWS[playbook])[name] for name in computed)
    assert {**told, **dict.fromkeys(computed, "")} == {**there, **dict.fromkeys(computed, "")}


def test_every_variable_on_the_page_is_read_by_something() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    named = set(re.findall(r"`(restate_\w+)", PAGE)) - modules
    assert named <= known_variables()
    # What only the playbooks read, and what all modules have, is on the page, too.
    assert {f"restate_{name}" for name in (*RUNBOOK_VARIABLES, *SHARED)} <= named


def test_the_variables_of_the_sandbox_are_what_its_playbook_reads() -> None:
    playbook = (ROOT / "playbooks" / "sandbox.yml").read_text(encoding="utf-8")
    read = re.findall(
        r"^ {8}sandbox_\w+: \"\{\{ restate_(\w+) \| default\('?(.*?)'?(?:, true)?\)", playbook, re.MULTILINE
    )
    assert told_of("sandbox") == dict(read)


def test_the_variables_of_awx_are_those_of_its_role() -> None:
    specs = yaml.safe_load((ROOT / "roles/awx/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    named = dict(re.findall(r"`(awx_\w+)`(?: \(`([^`]*)`\))?", ROWS["awx"]))
    assert named
    assert {name: written(options[name].get("default")) for name in named} == named
