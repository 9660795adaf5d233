# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server leaves out, what it can do, and how it words an error."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.answers import server_message
from ansible_collections.dalp.restate.plugins.module_utils._restate import wire
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import (
    RELEASES,
    capabilities_of,
)
from ansible_collections.dalp.restate.tests.unit.captured_answers import (
    EACH,
    captured,
)
from pydantic import ValidationError
from restate_server import VERSIONS

# What a server leaves out


@pytest.mark.parametrize(("model", "body"), [
    (wire.Version, {"version": "1.1.0"}),
    (wire.Deployment, {"id": "dp_1", "uri": "http://h/", "created_at": "2026-01-01T00:00:00Z"}),
    (wire.Deployment, {"id": "dp_1", "arn": "arn:aws:lambda:x:1:function:f", "created_at": "2026-01-01T00:00:00Z"}),
    (wire.Deployment, {"id": "dp_1", "uri": None, "http_version": None, "sdk_version": None, "auth": None, "created_at": "2026-01-01T00:00:00Z"}),
    (wire.DeploymentDetail, {"id": "dp_1", "uri": "http://h/", "created_at": "2026-01-01T00:00:00Z"}),
    (wire.Service, {"name": "A", "ty": "Service", "deployment_id": "dp_1", "revision": 1}),
    (wire.Handler, {"name": "run"}),
    (wire.Registration, {"id": "dp_1"}),
    (wire.Rows, {"rows": []}),
])  # fmt: skip
def test_what_is_optional_may_be_absent(model: type[wire.Wire], body: dict[str, Any]) -> None:
    assert isinstance(model.model_validate(body), model)


def test_absent_settings_are_no_settings() -> None:
    body = {
        "name": "A",
        "ty": "Service",
        "deployment_id": "dp_1",
        "revision": 1,
        "public": False,
        "abort_timeout": None,
    }
    assert wire.Service.model_validate(body).settings == {"public": False}


@pytest.mark.parametrize(("model", "body"), [
    (wire.Version, {}),
    (wire.Deployments, {}),
    (wire.Deployments, {"deployments": [{"uri": "http://h/"}]}),
    (wire.Services, {"services": None}),
    (wire.Service, {"name": "A"}),
    (wire.Registration, {}),
    (wire.Rows, {"rows": None}),
])  # fmt: skip
def test_what_is_needed_may_not(model: type[wire.Wire], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


@pytest.mark.parametrize(("text", "expected"), [
    ("1.7.12", (1, 7, 12)), ("1.8.0-rc.1", (1, 8, 0)), ("2.0.0", (2, 0, 0)), ("1.7", (1, 7)),
])  # fmt: skip
def test_version_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert wire.Version(version=text).numbers == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("1.5.3", False), ("1.6.0", True), ("1.6.0-rc.1", True), ("1.10.0", True), ("2.0.0", True), ("0.9.9", False), ("2", True),
])  # fmt: skip
def test_what_a_server_can_do_follows_from_its_release(text: str, expected: bool) -> None:
    assert capabilities_of(wire.Version(version=text).release).can_pause is expected


@EACH
def test_each_version_that_is_tested_has_a_release_of_its_own(version: str) -> None:
    assert wire.Version(version=version).release in RELEASES
    assert len(RELEASES) == len(VERSIONS)


# Errors, as each version words them


@EACH
@pytest.mark.parametrize(("name", "status", "words", "code"), [
    pytest.param("error_no_deployment", 404, "does not exist", None, id="no such deployment"),
    pytest.param("error_no_service", 404, "does not exist", None, id="no such service"),
    pytest.param("error_bad_deployment_id", 400, "Invalid URL", None, id="no deployment id"),
    pytest.param("error_unreachable", 500, "unable to reach|Connection refused", "META0003", id="the service is down"),
    pytest.param("error_type_change", 409, "Service type cannot be changed", "META0006", id="a change of type"),
    pytest.param("error_bad_uri", 422, "Failed to deserialize", None, id="no URL"),
    pytest.param("error_bad_body", 422, "Failed to deserialize", None, id="a number as a header"),
    pytest.param("error_not_forced", 501, "Not Implemented", None, id="a delete without force"),
    pytest.param("error_purge_unfinished", 409, "is not yet completed", None, id="a purge of what is not completed"),
    pytest.param("error_bad_sql", 500, "Error during planning", None, id="bad SQL"),
])  # fmt: skip
def test_the_words_of_an_error(version: str, name: str, status: int, words: str, code: str | None) -> None:
    seen = captured(version, name)
    assert seen["status"] == status
    shown, restate_code = server_message(_response(seen))
    assert any(word in shown for word in words.split("|"))
    assert restate_code == code


@pytest.mark.parametrize(("version", "status"), [("1.5.3", 409), ("1.6.2", 200), ("1.7.12", 200)])
def test_a_known_url_without_force_is_a_conflict_before_1_6_and_unchanged_from_then_on(
    version: str, status: int
) -> None:
    assert captured(version, "known_not_forced")["status"] == status


@EACH
def test_a_delete_is_accepted_and_then_not_found(version: str) -> None:
    assert [captured(version, name)["status"] for name in ("deletion", "deletion_again")] == [202, 404]


def _response(seen: dict[str, Any]) -> httpx.Response:
    body = seen["body"]
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(seen["status"], content=content.encode())
