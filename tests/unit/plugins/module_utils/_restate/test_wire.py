# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What three real servers answer is understood, and what they will add or leave out does no harm.

capture_answers.py writes the answers.
"""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._http.transport import server_message
from ansible_collections.dalp.restate.plugins.module_utils._restate import wire
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import columns
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import (
    RELEASES,
    capabilities_of,
)
from ansible_collections.dalp.restate.tests.unit.capture_answers import questions_of
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer
from pydantic import ValidationError
from restate_server import VERSIONS

ANSWERS = Path(__file__).resolve().parents[3] / "answers"
SECRET = "a-secret-header-value"
EACH = pytest.mark.parametrize("version", VERSIONS)

MODELS: dict[str, type[wire.Wire]] = {
    "version": wire.Version,
    "deployments": wire.Deployments,
    "deployments_with_headers": wire.Deployments,
    "deployment_drained": wire.DeploymentDetail,
    "deployment_release-1": wire.DeploymentDetail,
    "deployment_release-2": wire.DeploymentDetail,
    "deployment_with_headers": wire.DeploymentDetail,
    "services": wire.Services,
    "service": wire.Service,
    "service_patched": wire.Service,
    "service_patched_again": wire.Service,
    "registration": wire.Registration,
    "registration_dry_run": wire.Registration,
    "registration_again": wire.Registration,
    "registration_again_dry_run": wire.Registration,
}


def captured(version: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ANSWERS / version / f"{name}.json").read_text())
    return content


def parsed(version: str, name: str) -> Any:
    return MODELS[name].model_validate(captured(version, name)["body"])


def rows_of(version: str, question: str) -> list[dict[str, Any]]:
    return wire.Rows.model_validate(captured(version, f"query_{question}")["body"]).rows


def typed_rows_of(version: str, answer: str) -> list[Any]:
    """Return the rows of an answer, of the type that their question says."""
    asked = captured(version, f"query_{answer}")["question"]
    row = getattr(questions_of(version), asked["name"])(**asked["arguments"]).row
    return [row(**columns) for columns in rows_of(version, answer)]


def with_more(value: Any) -> Any:
    """Add a field to each object, as a later server might."""
    if isinstance(value, dict):
        return {**{key: with_more(item) for key, item in value.items()}, "added_later": {"x": [1]}}
    return [with_more(item) for item in value] if isinstance(value, list) else value


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


# Rows: a column that is NULL is absent


QUESTIONS = sorted(path.stem.removeprefix("query_") for path in (ANSWERS / VERSIONS[0]).glob("query_*.json"))


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_with_rows(version: str, question: str) -> None:
    assert captured(version, f"query_{question}")["status"] == 200
    assert all(None not in row.values() for row in rows_of(version, question))


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_to_the_question_that_is_asked_today(version: str, question: str) -> None:
    # Where this fails, the question was changed: capture_answers.py asks the servers again.
    kept = captured(version, f"query_{question}")["question"]
    asked = getattr(questions_of(version), kept["name"])(**kept["arguments"])
    assert asked.sql == kept["sql"]


@EACH
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_row_has_the_columns_that_its_type_says_and_no_other(version: str, question: str) -> None:
    assert [columns(row) for row in typed_rows_of(version, question)] == rows_of(version, question)


@EACH
def test_columns_that_are_null_are_absent(version: str) -> None:
    rows = {row["target"]: row for row in rows_of(version, "invocations")}
    assert rows["OrderWorkflow/order-1001/run"]["completion_result"] == "failure"
    assert "completion_result" not in rows["OrderWorkflow/order-1004/run"]
    assert "completion_failure" not in rows["OrderWorkflow/order-1005/run"]
    assert "retry_count" not in rows["PaymentWorkflow/payment-2001/run"]


@EACH
def test_the_zombie_is_found_and_nothing_else(version: str) -> None:
    assert [row["target"] for row in rows_of(version, "zombies")] == ["OrderWorkflow/order-1007/run"]


@EACH
def test_values_of_state_are_hexadecimal(version: str) -> None:
    assert {row["key"]: bytes.fromhex(row["value"]) for row in rows_of(version, "state_values")} == {
        "step": b'"started"'
    }


@EACH
def test_a_hostile_key_is_a_key_that_is_not_there(version: str) -> None:
    assert rows_of(version, "hostile_key") == []


@EACH
def test_why_something_paused_is_in_the_events(version: str) -> None:
    paused = next(row for row in typed_rows_of(version, "latest_unsettled") if row.status == "paused")
    events = [row for row in typed_rows_of(version, "last_events") if row.id == paused.id]
    assert paused.last_failure is None
    assert "bank gateway timed out" in events[-1].failure.message
