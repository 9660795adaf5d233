# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI document of DALP's operator routes is valid, and so are its own examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

ROOT = Path(__file__).resolve().parents[5]
DOCUMENT: dict[str, Any] = yaml.safe_load(
    (ROOT / "docs" / "dalp-operator-api.openapi.yaml").read_text(encoding="utf-8")
)
HOST = "https://dalp.example.com"
BASE = "/api/v2/admin/operator/restate"
ROUTES = ["/doctor", "/force-redeploy", "/cleanup-stale-deployments", "/recover-stuck-workflow"]


@pytest.fixture(scope="module")
def api() -> OpenAPI:
    return OpenAPI.from_dict({**DOCUMENT, "servers": [{"url": HOST + BASE}]})


def request(route: str, body: Any, **headers: str) -> MockRequest:
    return MockRequest(HOST, "post", BASE + route, headers=headers, data=json.dumps(body).encode())


def example_of(route: str) -> Any:
    content = DOCUMENT["paths"][route]["post"]["requestBody"]["content"]["application/json"]
    return content["examples"]["documented"]["value"]


def answers() -> Iterator[tuple[str, int, Any]]:
    """All examples of answers, with their route and status."""
    for route, operations in DOCUMENT["paths"].items():
        for status, answer in operations["post"]["responses"].items():
            if "$ref" in answer:
                answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            for example in answer["content"]["application/json"].get("examples", {}).values():
                yield route, int(status), example["value"]


def test_the_document_is_valid() -> None:
    openapi_spec_validator.validate(DOCUMENT)
    assert list(DOCUMENT["paths"]) == ROUTES


@pytest.mark.parametrize("route", ROUTES)
def test_the_documented_requests_are_valid_with_a_key_and_with_nothing_else(api: OpenAPI, route: str) -> None:
    key = {"X-Api-Key": "sm_dalp_x"}
    api.validate_request(request(route, example_of(route), **key))
    with pytest.raises(OpenAPIError):
        api.validate_request(request(route, example_of(route)))
    with pytest.raises(OpenAPIError):
        api.validate_request(request(route, {**example_of(route), "more": 1}, **key))


def test_the_defaults_are_those_of_the_documentation(api: OpenAPI) -> None:
    key = {"X-Api-Key": "sm_dalp_x"}
    asked = {"serviceUrl": "http://ddwf:9080"}
    for route, name, default in (
        ("/force-redeploy", "force", True),
        ("/cleanup-stale-deployments", "forceDrain", False),
    ):
        result = api.unmarshal_request(request(route, asked, **key))
        assert not result.errors
        assert result.body == {**asked, name: default}


@pytest.mark.parametrize(("route", "status", "body"), list(answers()))
def test_the_examples_of_answers_are_valid(api: OpenAPI, route: str, status: int, body: Any) -> None:
    api.validate_response(
        request(route, example_of(route)), MockResponse(json.dumps(body).encode(), status_code=status)
    )


@pytest.mark.parametrize(
    "body",
    [
        {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "status": 409, "message": "m"},
        {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "status": 409, "message": "m", "data": {"reason": "r"}},
        {"error": {"id": "DALP-0006", "message": "m"}},
        {"acknowledged": True},
    ],
)
def test_an_answer_that_does_not_say_what_blocks_is_not_valid(api: OpenAPI, body: Any) -> None:
    route = "/recover-stuck-workflow"
    told = MockResponse(json.dumps(body).encode(), status_code=409)
    with pytest.raises(OpenAPIError):
        api.validate_response(request(route, example_of(route)), told)
