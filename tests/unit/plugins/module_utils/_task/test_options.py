# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options become the typed request of an operation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.errors import AnsibleFallbackNotFound
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.plan import CleanupRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy.plan import RedeployRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.resume.plan import ResumeRequest
from ansible_collections.dalp.restate.plugins.module_utils._task.options import set_in_environment, typed
from ansible_collections.dalp.restate.plugins.modules import restate_cleanup, restate_redeploy, restate_resume

ODD: list[Any] = [True, False, None, [], ["a"], {}, {"a": "b"}, ("a",), b"a"]


def given(module: Any, **options: Any) -> dict[str, Any]:
    """Return the options as Ansible gives them: those that are not set are None, or have their default."""
    return {**{name: spec.get("default") for name, spec in module.ARGUMENT_SPEC.items()}, **options}


@pytest.mark.parametrize("option", ["additional_headers", "metadata"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_value_of_a_deployment_that_could_be_meant_otherwise_is_refused_by_its_name(
    option: str, value: Any
) -> None:
    with pytest.raises(OperatorError) as raised:
        typed(RedeployRequest, given(restate_redeploy, service_url="http://h", **{option: {"x": value}}))
    assert f"{option}.x" in raised.value.message


def test_an_option_that_is_not_set_has_the_requests_own_default() -> None:
    request = typed(CleanupRequest, given(restate_cleanup, service_url="http://h"))
    assert (request.pending, request.migrate_paused, request.min_age) == ("migrate", False, 0)


def test_a_duration_is_in_seconds() -> None:
    assert typed(CleanupRequest, given(restate_cleanup, service_url="http://h", min_age="2h")).min_age == 7200


def test_an_option_of_a_dictionary_is_named_with_it() -> None:
    select = {"limit": 1, "kinds": ["failed"], "service_name": None, "failed_before": "yesterday"}
    select |= {"failed_after": None, "failure_matches": None}
    with pytest.raises(OperatorError, match=r"select\.failed_before must be a time"):
        typed(ResumeRequest, given(restate_resume, select=select))


@pytest.mark.parametrize("text", ["", "  "])
def test_an_environment_variable_that_is_empty_is_not_set(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTATE_CLIENT_KEY", text)
    with pytest.raises(AnsibleFallbackNotFound):
        set_in_environment("RESTATE_CLIENT_KEY")
    monkeypatch.setenv("RESTATE_CLIENT_KEY", "/run/key.pem")
    assert set_in_environment("RESTATE_CLIENT_KEY") == "/run/key.pem"
