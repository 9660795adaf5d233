# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What three real servers answer is understood, and what they will add or leave out does no harm.

capture_answers.py writes the answers.
"""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate import wire
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.captured_answers import (
    EACH,
    MODELS,
    SECRET,
    captured,
    parsed,
    with_more,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer

# Every answer, of every version


@EACH
@pytest.mark.parametrize("name", MODELS)
def test_an_answer_is_understood(version: str, name: str) -> None:
    assert captured(version, name)["status"] in (200, 201)
    assert parsed(version, name)


@EACH
@pytest.mark.parametrize("name", MODELS)
def test_unknown_fields_are_ignored(version: str, name: str) -> None:
    # headers and metadata are the operator's own names: nothing is unknown there
    body = captured(version, name)["body"]
    more = with_more(body)
    for one, other in _dictionaries_of_texts(more, body):
        one.clear()
        one.update(other)
    assert MODELS[name].model_validate(more) == MODELS[name].model_validate(body)


def _dictionaries_of_texts(more: Any, body: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = []
    if isinstance(body, dict):
        for key, item in body.items():
            if key in ("additional_headers", "metadata"):
                found.append((more[key], item))
            else:
                found += _dictionaries_of_texts(more[key], item)
    elif isinstance(body, list):
        for one, item in zip(more, body, strict=True):
            found += _dictionaries_of_texts(one, item)
    return found


@EACH
def test_a_version_is_read_as_numbers_and_the_advertised_ingress(version: str) -> None:
    seen = parsed(version, "version")
    assert seen.numbers == tuple(int(part) for part in version.split("."))
    assert seen.ingress_endpoint == "http://ingress.test:8080/"


@EACH
def test_what_was_planted_is_seen_in_the_lists(version: str) -> None:
    deployments = parsed(version, "deployments").deployments
    assert {one.shown_url for one in deployments} == {
        f"http://{name}.test:9080/" for name in ("drained", "release-1", "release-2")
    }
    services = {one.name: one for one in parsed(version, "services").services}
    assert {name: one.ty for name, one in services.items()} == {
        "OrderWorkflow": "Workflow", "PaymentWorkflow": "Workflow", "Ledger": "Service", "Counter": "VirtualObject",
    }  # fmt: skip
    latest = next(one for one in deployments if one.is_at("http://release-2.test:9080"))
    assert {one.deployment_id for one in services.values()} == {latest.id}
    assert services["OrderWorkflow"].run_handlers == {"run"}
    assert services["Counter"].run_handlers == frozenset()
    assert {handler.name for handler in services["OrderWorkflow"].handlers} == {
        "run",
        "status",
        "approve",
        "await_approval",
    }


@EACH
def test_a_deployment_tells_of_its_own_revisions(version: str) -> None:
    detail = parsed(version, "deployment_release-1")
    assert {one.deployment_id for one in detail.services} == {detail.id}
    assert {one.revision for one in detail.services} < {one.revision for one in detail.services} | {
        one.revision for one in parsed(version, "services").services
    }
    assert detail.http_version == "HTTP/2.0"
    assert detail.min_protocol_version <= detail.max_protocol_version
    assert "python" in detail.sdk_version


@EACH
def test_a_dry_run_tells_what_the_registration_then_tells_but_for_the_id(version: str) -> None:
    dry, real = parsed(version, "registration_dry_run"), parsed(version, "registration")
    assert dry.id != real.id
    assert (
        captured(version, "registration_dry_run")["status"],
        captured(version, "registration")["status"],
    ) == (201, 201)
    offers = [
        {(one.name, one.ty, frozenset(handler.name for handler in one.handlers)) for one in answer_.services}
        for answer_ in (dry, real)
    ]
    assert offers[0] == offers[1]
    assert (
        parsed(version, "registration_again_dry_run").id
        == parsed(version, "registration_again").id
        == real.id
    )


@EACH
def test_settings_are_patched_and_reset_by_an_overwrite(version: str) -> None:
    patched = parsed(version, "service_patched_again").settings
    assert {name: patched[name] for name in ("public", "idempotency_retention", "inactivity_timeout", "abort_timeout")} == {
        "public": False, "idempotency_retention": "2h", "inactivity_timeout": "5m", "abort_timeout": "6m",
    }  # fmt: skip
    again = {one.name: one for one in parsed(version, "registration_again").services}["Invoices"].settings
    assert patched.keys() == again.keys(), "a setting that is absent by default could not be kept"
    assert again["public"] is True


@EACH
def test_header_names_come_back_in_lower_case(version: str) -> None:
    # redeploy relies on it where it compares
    assert set(parsed(version, "deployment_with_headers").additional_headers) == {"x-api-key"}


# Secrets


@EACH
@pytest.mark.parametrize("name", ["deployment_with_headers", "deployments_with_headers"])
def test_the_value_of_a_header_is_in_no_text_of_a_model(version: str, name: str) -> None:
    assert SECRET in json.dumps(captured(version, name))
    model = parsed(version, name)
    for text in (repr(model), str(model), f"{model}", repr(model.model_dump()), model.model_dump_json()):
        assert SECRET not in text


@EACH
def test_the_value_of_a_header_is_in_no_error_about_its_answer(version: str, serve: Serve) -> None:
    body = captured(version, "deployment_with_headers")["body"]
    del body["id"]
    whole = json.dumps(body).encode()
    cut = whole[: whole.index(SECRET.encode()) + len(SECRET)]
    for content in (whole, cut):
        admin = AdminClient(
            Connection(url=serve(answer(200, content)).url), WriteGuard(check_mode=True), FakeClock()
        )
        with pytest.raises(OperatorError) as raised:
            admin.deployment("dp_1")
        assert raised.value.reason == "not_restate"
        assert SECRET not in f"{raised.value} {raised.value.to_result()}"


def test_the_userinfo_of_a_registered_url_is_not_shown() -> None:
    seen = wire.Deployment(
        id="dp_1", uri="http://u:hunter22@h:9080/x?token=1", created_at="2026-01-01T00:00:00Z"
    )
    assert seen.shown_url == "http://h:9080/x"
