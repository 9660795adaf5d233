# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tells that a result and its documentation differ, either way."""

from __future__ import annotations

import pytest

from tests.integration import returned_keys

DOCTOR = {"healthy": True, "deployments": {"status": "ok", "items": [{"id": "dp_1", "state": "active"}]}}


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returned_keys, "returned", {})


def test_what_is_documented_is_kept_with_what_is_in_it() -> None:
    returned_keys.keep("restate_doctor", {**DOCTOR, "msg": "", "changed": False, "_ansible_no_log": False})
    assert returned_keys.returned == {
        "restate_doctor": {
            "healthy",
            "deployments",
            "deployments.status",
            "deployments.items",
            "deployments.items.id",
            "deployments.items.state",
        }
    }


@pytest.mark.parametrize(
    ("result", "key"),
    [
        ({"odd": 1}, "odd"),
        ({"ingress": {"odd": 1}}, "ingress.odd"),
        ({"deployments": {"items": [{"id": "dp_1"}, {"odd": 1}]}}, "deployments.items.odd"),
        ({"error": {"odd": 1}}, "error.odd"),
    ],
)
def test_a_key_that_is_returned_and_not_documented_is_named(result: dict, key: str) -> None:
    with pytest.raises(AssertionError, match=f"restate_doctor returns what is not documented: \\['{key}'\\]"):
        returned_keys.keep("restate_doctor", result)


@pytest.mark.parametrize(
    "result",
    [
        {"invocations": {"by_status": {"completed": 1}}},
        {"audit": {"specversion": "1.0", "linehash": "0"}},
        {"error": {"http": {"status": 500}}},
    ],
)
def test_what_is_documented_without_its_content_may_have_any(result: dict) -> None:
    returned_keys.keep("restate_doctor", result)


def test_a_key_that_is_documented_and_never_returned_is_named() -> None:
    found = {name: set(returned_keys.documented(name)) for name in returned_keys.MODULES}
    assert returned_keys.never_returned(found) == []
    found["restate_doctor"] -= {"healthy", "deployments.items.state"}
    del found["restate_audit_info"]
    missing = returned_keys.never_returned(found)
    assert {"restate_doctor: healthy", "restate_doctor: deployments.items.state"} <= set(missing)
    assert "restate_audit_info: verified" in missing


def test_a_field_of_an_error_is_returned_where_any_module_returns_it() -> None:
    found = {name: set(returned_keys.documented(name)) for name in returned_keys.MODULES}
    found["restate_doctor"] -= {"error.deployment_ids"}
    assert returned_keys.never_returned(found) == []
    for keys in found.values():
        keys.discard("error.deployment_ids")
    assert "restate_doctor: error.deployment_ids" in returned_keys.never_returned(found)


@pytest.mark.parametrize("module", returned_keys.MODULES)
def test_a_sample_is_of_the_type_that_is_told(module: str) -> None:
    types: dict[str, set[str]] = {}
    for name, kind in returned_keys.documented_types(module):
        types.setdefault(name, set()).add(kind)
    assert {name: kinds for name, kinds in types.items() if len(kinds - {"NoneType"}) > 1} == {}


@pytest.mark.parametrize(
    ("result", "name", "kind"),
    [
        ({"healthy": "yes"}, "healthy", "str"),
        ({"ingress": {"status": 1}}, "ingress.status", "int"),
        ({"findings": [{"subjects": "order-1001"}]}, "findings.subjects", "str"),
        ({"error": {"code": 5}}, "error.code", "int"),
    ],
)
def test_what_is_returned_as_another_type_than_is_told_is_named(result: dict, name: str, kind: str) -> None:
    with pytest.raises(AssertionError, match=f"another type: \\[\\('{name}', '{kind}'\\)\\]"):
        returned_keys.keep("restate_doctor", result)


def test_null_is_returned_where_nothing_is_known() -> None:
    returned_keys.keep("restate_doctor", {"ingress": {"status": None}})
