# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written of the modules is what they do."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dalp.restate.plugins.doc_fragments import attributes, audit, connection, plan
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES, OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._task.options import (
    AUDIT_SPEC,
    CONNECTION_SPEC,
    PLAN_SPEC,
    argument_spec,
)

ROOT = Path(__file__).resolve().parents[4]
ALL_MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("restate_*.py"))
# It reads a file: without a connection, a record of its own, or the defaults of the action group.
LOG_READER = "restate_audit_info"
MODULES = [name for name in ALL_MODULES if name != LOG_READER]
FRAGMENTS = {"attributes": attributes, "connection": connection, "audit": audit, "plan": plan}
# Restate itself can do all of them.
THROUGH_DALP = [name for name in MODULES if name != "restate_resume"]
# What the documentation must say of an option exactly as the argument spec does.
SAID = ("type", "required", "default", "choices", "elements")


def module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.dalp.restate.plugins.modules.{name}")


def request_of(name: str, backend: str) -> Any:
    """Return the type of what a module asks of a backend."""
    return module(name).OPERATION.backend(backend).request


def documented(name: str) -> dict[str, Any]:
    """Return the options of a module with those of its fragments."""
    content = yaml.safe_load(module(name).DOCUMENTATION)
    options: dict[str, Any] = {}
    for fragment in content.get("extends_documentation_fragment", []):
        text = FRAGMENTS[fragment.removeprefix("dalp.restate.")].ModuleDocFragment.DOCUMENTATION
        options |= yaml.safe_load(text)["options"]
    return {**options, **content["options"]}


def facts(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {fact: one[fact] for fact in SAID if fact in one} for name, one in options.items()}


def whole_spec(name: str) -> dict[str, Any]:
    """Return all options that a module takes."""
    return module(name).ARGUMENT_SPEC if name == LOG_READER else argument_spec(module(name).OPERATION)


@pytest.mark.parametrize("name", ALL_MODULES)
def test_the_documented_options_are_those_of_the_argument_spec(name: str) -> None:
    spec = whole_spec(name)
    assert facts(documented(name)) == facts(spec)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_no_option_of_the_connection_or_of_the_audit_itself(name: str) -> None:
    own = module(name).ARGUMENT_SPEC.keys()
    assert not own & (CONNECTION_SPEC.keys() | AUDIT_SPEC.keys() | PLAN_SPEC.keys())


@pytest.mark.parametrize("name", MODULES)
def test_a_request_has_a_field_for_each_option_and_no_other(name: str) -> None:
    fields = {field.name for field in dataclasses.fields(request_of(name, "restate"))}
    assert fields == module(name).ARGUMENT_SPEC.keys()


@pytest.mark.parametrize("name", THROUGH_DALP)
def test_what_dalp_honours_are_options_of_the_module(name: str) -> None:
    spec = module(name).ARGUMENT_SPEC
    fields = {field.name: field for field in dataclasses.fields(request_of(name, "dalp"))}
    assert fields.keys() <= spec.keys()
    # What was not set is told from what was by having no default.
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    assert needed == {name for name in fields if "default" in spec[name] or spec[name].get("required")}


def test_a_release_through_dalp_refuses_before_its_first_write_what_its_cleanup_would_refuse() -> None:
    [play] = yaml.safe_load((ROOT / "playbooks" / "release.yml").read_text())
    honoured = {field.name for field in dataclasses.fields(request_of("restate_cleanup", "dalp"))}
    refused = {name for name in module("restate_cleanup").ARGUMENT_SPEC if name not in honoured}
    for name in refused | {"allow_service_removal"}:
        assert repr(name) in play["vars"]["release_not_honoured"]


@pytest.mark.parametrize("name", ALL_MODULES)
def test_an_environment_variable_that_is_read_is_documented_and_no_other(name: str) -> None:
    spec = whole_spec(name)
    for option, content in documented(name).items():
        _fallback, variables = spec[option].get("fallback", (None, []))
        assert re.findall(r"E\((\w+)\)", str(content["description"])) == variables, option


@pytest.mark.parametrize("name", ALL_MODULES)
def test_examples_use_options_that_exist(name: str) -> None:
    for task in yaml.safe_load(module(name).EXAMPLES):
        assert task[f"dalp.restate.{name}"].keys() <= documented(name).keys()


@pytest.mark.parametrize("name", MODULES)
def test_the_results_that_every_module_has_are_documented(name: str) -> None:
    returned = yaml.safe_load(module(name).RETURN)
    assert {"audit", "error"} <= returned.keys()
    shown = OperatorError(
        "RESTATE_QUERY_FAILED",
        "m",
        reason="r",
        invocation_ids=["i"],
        deployment_ids=["d"],
        http={"status": 1},
    ).to_result()
    assert returned["error"]["contains"].keys() == shown.keys()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_in_the_action_group(name: str) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert name in groups["restate"]
    assert set(groups["restate"]) == set(MODULES)


@pytest.mark.parametrize("option", ["auth_token", "headers", "dalp_api_key", "audit_webhook"])
def test_credentials_are_not_logged(option: str) -> None:
    assert {**CONNECTION_SPEC, **AUDIT_SPEC}[option]["no_log"] is True


def test_headers_of_services_are_not_logged() -> None:
    assert module("restate_redeploy").ARGUMENT_SPEC["additional_headers"]["no_log"] is True


sys.path.append(str(ROOT / "scripts"))
return_docs: Any = importlib.import_module("return_docs")


def test_every_module_has_its_common_results_written_by_the_script() -> None:
    assert {f"restate_{name}" for name in return_docs.RETURNS} == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_what_modules_have_in_common_is_written_alike(name: str) -> None:
    source = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    written = return_docs.with_shared_docs(name.removeprefix("restate_"), source)
    assert written == source, "run make docs-return"


# Errors


@pytest.mark.parametrize("code", ERROR_CODES)
def test_an_error_code_has_a_meaning_and_a_remedy(code: str) -> None:
    assert ERROR_CODES[code].meaning.endswith(".")
    assert ERROR_CODES[code].remedy.endswith(".")
    assert OperatorError(code, "m").to_result() == {
        "code": code,
        "message": "m",
        "remedy": ERROR_CODES[code].remedy,
    }


def test_a_remedy_that_is_known_better_takes_the_place_of_the_usual_one() -> None:
    assert OperatorError("RESTATE_QUERY_FAILED", "m", remedy="Wait.").remedy == "Wait."


def test_every_code_that_is_raised_is_in_the_table() -> None:
    text = "".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    raised = set(re.findall(r'"((?:RESTATE|OFFCHAIN)_[A-Z_]+)"', text))
    environment = {
        name
        for one in [*CONNECTION_SPEC.values(), *AUDIT_SPEC.values()]
        for name in one.get("fallback", (0, []))[1]
    }
    assert raised - environment == ERROR_CODES.keys()


# Without the libraries


@pytest.mark.parametrize("missing", ["httpx", "pydantic"])
def test_modules_describe_themselves_where_a_library_is_missing(missing: str) -> None:
    # ansible-test and ansible-doc run where neither is installed.
    program = "\n".join(
        [
            "import importlib, sys",
            f"sys.modules[{missing!r}] = None",
            f"sys.path.insert(0, {str(ROOT / '.build' / 'collections')!r})",
            f"for name in {ALL_MODULES}:",
            "    module = importlib.import_module(f'ansible_collections.dalp.restate.plugins.modules.{name}')",
            "    assert module.ARGUMENT_SPEC",
            "from ansible_collections.dalp.restate.plugins.module_utils import _thirdparty",
            "print(*[name for name, release in _thirdparty.INSTALLED.items() if not release])",
        ]
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == (f"{missing}\n", "")


@pytest.mark.parametrize("is_whole", [True, False], ids=["a log", "no log"])
def test_a_log_is_read_where_no_library_is_installed(is_whole: bool, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    if is_whole:
        log.touch()
    arguments = {"path": str(log)}
    program = "\n".join(
        [
            "import sys",
            "sys.modules['httpx'] = sys.modules['pydantic'] = None",
            f"sys.path.insert(0, {str(ROOT / '.build' / 'collections')!r})",
            "from ansible.module_utils.testing import patch_module_args",
            "from ansible_collections.dalp.restate.plugins.modules.restate_audit_info import main",
            f"with patch_module_args({arguments!r}):",
            "    main()",
        ]
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    result = json.loads(ended.stdout)
    if is_whole:
        assert (ended.returncode, result["verified"], result["lines"]) == (0, True, 0)
    else:
        assert (ended.returncode, result["error"]["code"]) == (1, "RESTATE_AUDIT_UNAVAILABLE")


def test_what_a_log_reader_returns_is_documented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.jsonl").touch()
    with patch_module_args({"path": str(tmp_path / "audit.jsonl")}), pytest.raises(SystemExit):
        module(LOG_READER).main()
    told = json.loads(capsys.readouterr().out).keys() - {"changed", "msg", "invocation"}
    assert told | {"error"} == yaml.safe_load(module(LOG_READER).RETURN).keys()
