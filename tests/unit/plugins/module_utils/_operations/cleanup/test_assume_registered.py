# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deployment that a dry run of a cleanup is told to assume."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin
from ansible_collections.dalp.restate.tests.unit.scripted_cleanup import cleaned

ASSUMED = {
    "service_url": "http://dp_new:9080/",
    "services": [{"name": "Flow", "type": "Workflow", "handlers": [{"name": "run", "type": "Workflow"}]}],
}


def service(**changes: Any) -> dict[str, Any]:
    return {**ASSUMED, "services": [{**ASSUMED["services"][0], **changes}]}  # type: ignore[dict-item]


NO_TEXT: list[Any] = [None, 5, [], {}]
NO_LIST: list[Any] = [None, 5, "Flow", {"Flow": 1}, [None], ["Flow"], [{}]]
MALFORMED: dict[str, list[dict[str, Any]]] = {
    "no URL": [{"services": []}],
    "no services": [{"service_url": "http://dp_new:9080/"}],
    "URL": [
        {**ASSUMED, "service_url": odd} for odd in (*NO_TEXT, "", "::::", "http://[", "http://other:9080")
    ],
    "services": [{**ASSUMED, "services": odd} for odd in NO_LIST],
    "name": [service(name=odd) for odd in (*NO_TEXT, ["Flow"], {"a": 1}, True)],
    "type": [service(type=odd) for odd in NO_TEXT],
    "handlers": [service(handlers=odd) for odd in (*NO_LIST, [{"name": "run"}])],
    "handler": [service(handlers=[{"name": odd, "type": None}]) for odd in NO_TEXT],
    "its type": [service(handlers=[{"name": "run", "type": 5}])],
}


@pytest.mark.parametrize(
    "assumed",
    [
        pytest.param(one, id=f"{what} {number}")
        for what, of in MALFORMED.items()
        for number, one in enumerate(of)
    ],
)
def test_what_is_no_deployment_is_an_invalid_argument(assumed: dict[str, Any], serve: Serve) -> None:
    with pytest.raises(OperatorError) as raised:
        cleaned(serve, ScriptedAdmin(), check_mode=True, assume_registered=assumed)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "assume_registered" in raised.value.message


def test_what_a_dry_run_returned_is_assumed(serve: Serve) -> None:
    report = cleaned(serve, ScriptedAdmin(), check_mode=True, assume_registered=ASSUMED)
    assert report.error is None
    assert report.details["removed"] == ["dp_1", "dp_2"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_given_is_nothing_assumed(check_mode: bool, serve: Serve) -> None:
    assert cleaned(serve, ScriptedAdmin(), check_mode=check_mode, assume_registered={}).error is None
