# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each option of each module is read in every form in which people and AWX give it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._task.options import argument_spec
from ansible_collections.dalp.restate.plugins.plugin_utils.option_values import read_option
from ansible_collections.dalp.restate.plugins.plugin_utils.options import (
    OPERATIONS,
    check_old_names,
    known_variables,
    misspelt,
    operation_of,
    options_of,
    sub_options_of,
)

SPECS = {name: argument_spec(operation_of(f"restate_{name}")) for name in OPERATIONS}
OPTIONS = [
    pytest.param(name, option, id=f"{operation}.{name}")
    for operation, spec in SPECS.items()
    for name, option in spec.items()
]


def value_for(name: str, option: dict[str, Any]) -> Any:
    """Return a value that an option can have."""
    kind = option.get("type", "str")
    if "choices" in option:
        return option["choices"][:1] if kind == "list" else option["choices"][0]
    if kind == "dict":
        return {each: value_for(each, sub) for each, sub in option.get("options", {}).items()} or {"a": "b"}
    if kind == "list":
        is_dict = option.get("elements") == "dict"
        return (
            [value_for(name, {"type": "dict", "options": option["options"]})]
            if is_dict
            else ["http://a", "http://b"]
        )
    return {"bool": True, "int": 7, "float": 1.5, "path": "/var/lib/x"}.get(kind, "http://text")


def forms(value: Any) -> list[Any]:
    """Return the forms in which a value may be given."""
    if isinstance(value, bool):
        return [value, "true", "True", " yes ", "1", 1]
    if isinstance(value, (int, float)):
        return [value, str(value), f" {value} "]
    if isinstance(value, list) and isinstance(value[0], str):
        return [value, ",".join(value), ", ".join(value), "\n".join(value), json.dumps(value), [*value, ""]]
    if isinstance(value, (list, dict)):
        return [
            value,
            json.dumps(value),
            yaml.safe_dump(value),
            yaml.safe_dump(value, default_flow_style=True),
        ]
    return [value]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_is_read_in_every_form(name: str, option: dict[str, Any]) -> None:
    value = value_for(name, option)
    for form in forms(value):
        assert read_option(f"restate_{name}", form, option) == value, form


@pytest.mark.parametrize("empty", ["", "  ", "\n", None], ids=repr)
@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_empty_means_unset(empty: Any, name: str, option: dict[str, Any]) -> None:
    assert read_option(f"restate_{name}", empty, option) is None


@pytest.mark.parametrize("module", OPERATIONS)
def test_questions_that_nobody_answered_change_nothing(module: str) -> None:
    needed: dict[str, Any] = {
        "restate_service_url": "http://a",
        "restate_invocation_ids": "inv_1",
        "restate_workflows": [{}],
    }
    empty: dict[str, Any] = dict.fromkeys(known_variables(), "")
    assert options(module, **{**empty, **needed}) == options(module, **needed)


def test_empty_means_unset_within_a_selection_too() -> None:
    option = SPECS["recover_workflow"]["select"]
    given = {"kinds": "failed", "limit": "5", "service_name": " ", "unknown": ""}
    read = read_option("restate_select", given, option)
    assert read == {"kinds": ["failed"], "limit": 5, "unknown": ""}


@pytest.mark.parametrize("value", [[], {}], ids=repr)
def test_an_empty_list_or_dictionary_is_a_value(value: Any) -> None:
    option = {"type": "list", "elements": "str"} if value == [] else {"type": "dict"}
    assert read_option("restate_x", value, option) == value


WRONG = {"bool": "perhaps", "int": "five", "float": "fast", "dict": "[1]", "list": {"a": 1}, "path": [1]}


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_what_cannot_be_read_is_refused_with_the_name_and_an_example(
    name: str, option: dict[str, Any]
) -> None:
    is_dicts = option.get("elements") == "dict"
    wrong = (
        "other"
        if "choices" in option or is_dicts
        else WRONG.get(option.get("type", "str"), {"a": "hunter22"})
    )
    with pytest.raises(OperatorError) as raised:
        read_option(f"restate_{name}", wrong, option)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert raised.value.message.startswith(f"restate_{name} must be ")
    assert f"-e restate_{name}=" in raised.value.remedy
    if option.get("no_log"):
        assert "hunter22" not in raised.value.message


@pytest.mark.parametrize(("kind", "wrong"), [
    ("int", 1.5), ("int", True), ("int", "1e99999"), ("float", "nan"), ("float", True), ("str", True), ("str", ["a"]),
    ("bool", 7), ("bool", []), ("dict", "{"), ("dict", "text"),
])  # fmt: skip
def test_odd_values_are_refused(kind: str, wrong: Any) -> None:
    with pytest.raises(OperatorError):
        read_option("restate_x", wrong, {"type": kind})


@pytest.mark.parametrize(("text", "read"), [
    (r"\d{1,3},secret", [r"\d{1,3}", "secret"]),
    ("[a-z]{2,},x", ["[a-z]{2,}", "x"]),
    ("a,,b,", ["a", "b"]),
    ("a,b\nc", ["a,b", "c"]),
    (5, ["5"]),
    ([1, "b", None], ["1", "b"]),
])  # fmt: skip
def test_lists_at_their_edges(text: Any, read: list[str]) -> None:
    assert read_option("restate_redact_patterns", text, {"type": "list", "elements": "str"}) == read


def test_a_comma_within_a_url_does_not_part_it() -> None:
    option = SPECS["doctor"]["admin_url"]
    assert read_option("restate_admin_url", "http://a/x,y,http://b", option) == ["http://a/x,y", "http://b"]


def test_a_relative_path_is_one_from_where_ansible_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    option = {"type": "path"}
    assert read_option("restate_audit_log", "log/a.jsonl", option) == str(tmp_path / "log" / "a.jsonl")
    assert read_option("restate_audit_log", "~/a.jsonl", option) == "~/a.jsonl"
    assert read_option("restate_audit_log", "/a.jsonl", option) == "/a.jsonl"


def options(module: str, environment: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
    defaults = variables.pop("defaults", {})
    return options_of(f"restate_{module}", variables.get, environment or {}, defaults)


def test_a_variable_goes_before_the_environment_and_that_before_a_default() -> None:
    environment = {"RESTATE_ADMIN_URL": "http://env"}
    defaults = {"admin_url": ["http://default"]}
    assert options("doctor", environment, defaults=defaults)["admin_url"] == ["http://env"]
    assert options("doctor", {"RESTATE_ADMIN_URL": " "}, defaults=defaults) == defaults
    given = options("doctor", environment, defaults=defaults, restate_admin_url="http://given")
    assert given["admin_url"] == ["http://given"]


def test_what_awx_tells_of_its_job_is_kept_beside_what_the_user_says() -> None:
    found = options(
        "doctor",
        awx_job_id=4711,
        awx_user_name="ops",
        awx_workflow_job_id="",
        restate_audit_context='{"card": "C-1"}',
    )
    assert found == {
        "actor": "ops",
        "audit_context": {"awx_job_id": "4711", "awx_user_name": "ops", "card": "C-1"},
    }


A, B = f"redeploy,1,{'a' * 32}", f"cleanup,1,{'b' * 32}"


@pytest.mark.parametrize(("module", "given", "handed"), [
    ("redeploy", {"redeploy": A, "cleanup": B}, A),
    ("cleanup", f'{{"redeploy": "{A}", "cleanup": "{B}"}}', B),
    ("cleanup", {"redeploy": A}, "cleanup,1,"),
    ("cleanup", {"redeploy": A, "cleanup": ""}, "cleanup,1,"),
    ("cleanup", {}, None),
    ("cleanup", "", None),
    ("doctor", {"doctor": "doctor,1,a", "cleanup": B}, None),
])  # fmt: skip
def test_each_step_is_handed_the_digest_of_its_own_plan(module: str, given: Any, handed: str | None) -> None:
    found = options(module, restate_service_url="http://a", restate_plan_digests=given)
    assert found.get("plan_digest") == handed


@pytest.mark.parametrize(
    "given", ["yes", ["cleanup,1,b"], {"cleanup": {"a": "b"}}, {"cleanup": A}, {"cleanup": "x"}]
)
def test_digests_that_cannot_be_read_are_refused(given: Any) -> None:
    with pytest.raises(OperatorError, match="restate_plan_digests"):
        options("cleanup", restate_service_url="http://a", restate_plan_digests=given)


@pytest.mark.parametrize(("module", "said"), [
    ("redeploy", "restate_service_url is not set; restate_redeploy needs it."),
    ("resume", "restate_invocation_ids or restate_workflows or restate_select is not set; restate_resume needs it."),
])  # fmt: skip
def test_what_a_module_needs_is_asked_for_by_the_name_of_its_variable(module: str, said: str) -> None:
    with pytest.raises(OperatorError) as raised:
        options(module, restate_service_url="")
    assert raised.value.message.startswith(said)
    assert "-e restate_" in raised.value.remedy


def test_what_a_selection_holds_comes_from_variables_of_its_own() -> None:
    variables = {"restate_kinds": "failed\npaused", "restate_limit": "5", "restate_service_name": ""}
    found = sub_options_of("restate_recover_workflow", "select", variables.get, {"kinds": ["failed"]})
    assert found == {"kinds": ["failed", "paused"], "limit": 5}
    with pytest.raises(OperatorError, match="restate_limit is not set"):
        sub_options_of("restate_recover_workflow", "select", lambda _name: None, {})


@pytest.mark.parametrize(("name", "new"), [
    ("cleanup_keep", "restate_keep"),
    ("resume_connection", "resume_options"),
    ("recover_failed_limit", "restate_limit"),
])  # fmt: skip
def test_a_variable_of_the_roles_as_they_were_is_refused_and_its_new_name_told(name: str, new: str) -> None:
    with pytest.raises(OperatorError) as raised:
        check_old_names([name])
    assert name in raised.value.message
    assert new in raised.value.remedy


def test_results_and_options_of_the_roles_are_no_old_names() -> None:
    check_old_names([*(f"{name}_{what}" for name in OPERATIONS for what in ("options", "result")), "my_keep"])


def test_a_mistyped_variable_is_told_with_the_nearest_one() -> None:
    [warning] = misspelt(["restate_servce_url", "restate_service_url", "service_url", *known_variables()])
    assert warning.endswith("Did you mean restate_service_url?")


@pytest.mark.parametrize(
    "text", [" http://orders-v2:9080", "http://orders-v2:9080\n", "\thttp://orders-v2:9080 "]
)
def test_blanks_around_a_url_are_left_out(text: str) -> None:
    assert read_option("restate_service_url", text, {"type": "str"}) == "http://orders-v2:9080"
    assert read_option("restate_service_key", "a key ", {"type": "str"}) == "a key "
