# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each error of DALP's operator routes is taken for, in each of the envelopes that they come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.dalp_routes import (
    CLEANUP,
    PREFIX,
    RECOVER,
    ROUTES,
    WRITES,
    Call,
    client,
    failure,
)
from ansible_collections.dalp.restate.tests.unit.loopback import answer


def old(code: str, status: int, **data: Any) -> bytes:
    return answer(status, {"code": code, "status": status, "message": "In its words.", "data": data})


def direct(code: str, status: int, **data: Any) -> bytes:
    return answer(status, {"error": inner(code, status, **data)})


def orpc(code: str, status: int, **data: Any) -> bytes:
    dalp = {"dapiError": inner("", status, **data), "dalpCode": code, "retryable": False}
    return answer(status, {"code": "CONFLICT", "message": "Conflict", "status": status, "data": dalp})


def json_rpc(code: str, status: int, **data: Any) -> bytes:
    return answer(status, {"error": {"code": -32000, "data": {"dapiError": inner(code, status, **data)}}})


def inner(code: str, status: int, **data: Any) -> dict[str, Any]:
    return {
        "id": "DALP-0006",
        "category": "conflict",
        "status": status,
        "retryable": False,
        "message": "In its words.",
        "why": "Because.",
        "fix": "Do this.",
        "details": {**({"code": code} if code else {}), **data},
    }


ENVELOPES = [old, direct, orpc, json_rpc]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("prefix", ["RESTATE", "WORKFLOW_ENGINE"])
@pytest.mark.parametrize(("end", "status"), [
    ("ADMIN_UNREACHABLE", 503), ("DEPLOYMENT_NOT_FOUND", 404), ("WORKFLOW_RETRY_BLOCKED", 409),
])  # fmt: skip
def test_a_documented_code_keeps_its_meaning_and_dalps_words(
    end: str, status: int, prefix: str, envelope: Callable[..., bytes], serve: Serve
) -> None:
    server = serve(envelope(f"{prefix}_{end}", status))
    error = failure(lambda: RECOVER(client(server.url)))
    assert error.code == f"RESTATE_{end}"
    assert "In its words." in error.message
    assert error.http == {
        "method": "POST",
        "url": f"{server.url}{PREFIX}/recover-stuck-workflow",
        "status": status,
        "dalp_code": f"{prefix}_{end}",
    }


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_why_a_key_is_blocked_is_told_with_the_invocations(
    envelope: Callable[..., bytes], serve: Serve
) -> None:
    data = {"reason": "already_succeeded", "invocationIds": ["inv_1", "inv_2"]}
    error = failure(
        lambda: RECOVER(client(serve(envelope("RESTATE_WORKFLOW_RETRY_BLOCKED", 409, **data)).url))
    )
    assert (error.reason, error.invocation_ids) == ("already_succeeded", ["inv_1", "inv_2"])
    assert not error.outcome_unknown


@pytest.mark.parametrize(("told", "reason"), [
    ({"kind": "active_invocation", "count": 1}, "active_invocation"), ({"code": "A", "type": "B"}, "A"),
    ({"why": 1}, '{"why": 1}'), ({}, None), (["a"], None), (7, None),
])  # fmt: skip
def test_a_structured_reason_is_told_as_a_text(told: Any, reason: str | None, serve: Serve) -> None:
    blocked = old("RESTATE_WORKFLOW_RETRY_BLOCKED", 409, reason=told)
    assert failure(lambda: RECOVER(client(serve(blocked).url))).reason == reason


@pytest.mark.parametrize("status", [500, 503])
def test_a_code_that_is_known_decides_and_not_its_status(status: int, serve: Serve) -> None:
    for code in ("RESTATE_WORKFLOW_RETRY_BLOCKED", "RESTATE_DEPLOYMENT_NOT_FOUND"):
        error = failure(lambda code=code: RECOVER(client(serve(old(code, status)).url)))  # type: ignore[misc]
        assert (error.code, error.outcome_unknown) == (code, False)


@pytest.mark.parametrize("call", ROUTES)
def test_an_error_is_one_whatever_its_status(call: Call, serve: Serve) -> None:
    error = failure(lambda: call(client(serve(json_rpc("OFFCHAIN_USER_PERMISSION_REQUIRED", 200)).url)))
    assert (error.code, error.outcome_unknown) == ("OFFCHAIN_USER_PERMISSION_REQUIRED", False)


@pytest.mark.parametrize("call", WRITES)
def test_an_error_that_says_nothing_leaves_a_write_open(call: Call, serve: Serve) -> None:
    error = failure(lambda: call(client(serve(answer(200, {"error": "Oh."})).url)))
    assert (error.code, error.outcome_unknown) == ("RESTATE_UNEXPECTED_RESPONSE", True)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_no_time_is_made_up(value: str, serve: Serve) -> None:
    error = failure(lambda: RECOVER(client(serve(answer(429, headers={"Retry-After": value})).url)))
    assert error.remedy == "Run the task again later."


def test_fields_that_are_wrong_are_named(serve: Serve) -> None:
    refused = old("INPUT_VALIDATION_FAILED", 422, errors=[{"path": "serviceUrl", "message": "is no URL"}])
    assert '"serviceUrl"' in failure(lambda: CLEANUP(client(serve(refused).url))).message


def test_a_redirect_is_told(serve: Serve) -> None:
    redirect = answer(308, headers={"Location": "https://elsewhere"})
    assert "redirects" in failure(lambda: RECOVER(client(serve(redirect).url))).remedy


@pytest.mark.parametrize("given", [answer(302), answer(409), answer(418), old("CONFLICT", 409)])
def test_no_remedy_names_the_admin_api(given: bytes, serve: Serve) -> None:
    assert "admin_url" not in failure(lambda: RECOVER(client(serve(given).url))).remedy


@pytest.mark.parametrize("call", ROUTES)
@pytest.mark.parametrize("refusal", [
    *(pytest.param(one("OFFCHAIN_USER_PERMISSION_REQUIRED", 403), id=one.__name__) for one in ENVELOPES),
    pytest.param(old("USER_NOT_AUTHORIZED", 403, requiredRoles=["operator"]), id="another code"),
    pytest.param(old("UNAUTHORIZED", 401), id="401"),
    pytest.param(answer(403, b"<html>forbidden</html>"), id="a proxy's page"),
    pytest.param(answer(401), id="no body"),
])  # fmt: skip
def test_who_may_not_is_told_what_the_documentation_says(call: Call, refusal: bytes, serve: Serve) -> None:
    error = failure(lambda: call(client(serve(refusal).url)))
    assert error.code == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert error.remedy == ERROR_CODES[error.code].remedy
    assert error.remedy == "Use an operator account or update the caller's role before retrying."
    assert not error.outcome_unknown


@pytest.mark.parametrize(("given", "code", "reason"), [
    (old("INPUT_VALIDATION_FAILED", 422), "RESTATE_INVALID_ARGUMENT", "INPUT_VALIDATION_FAILED"),
    (old("BAD_REQUEST", 400), "RESTATE_INVALID_ARGUMENT", "BAD_REQUEST"),
    (old("NOT_FOUND", 404), "RESTATE_UNEXPECTED_RESPONSE", "NOT_FOUND"),
    (old("CONFLICT", 409), "RESTATE_UNEXPECTED_RESPONSE", "CONFLICT"),
    (answer(404, b"<html>nothing here</html>"), "RESTATE_UNEXPECTED_RESPONSE", None),
    (answer(302, b"", {"Location": "/login"}), "RESTATE_UNEXPECTED_RESPONSE", None),
])  # fmt: skip
def test_other_refusals_are_named_by_dalps_code(
    given: bytes, code: str, reason: str | None, serve: Serve
) -> None:
    error = failure(lambda: CLEANUP(client(serve(given).url)))
    assert (error.code, error.reason, error.outcome_unknown) == (code, reason, False)


def test_what_dalp_says_to_do_is_the_remedy(serve: Serve) -> None:
    error = failure(lambda: CLEANUP(client(serve(direct("SYSTEM_NOT_CREATED", 409)).url)))
    assert error.remedy == "Do this."


@pytest.mark.parametrize("body", [
    None, 7, "text", [], [{"code": "X"}], {}, {"error": "text"}, {"error": None, "data": 3},
    {"code": 7, "message": ["a"], "data": {"invocationIds": "inv_1", "reason": {}}},
])  # fmt: skip
def test_an_error_of_any_other_shape_is_still_an_error(body: Any, serve: Serve) -> None:
    error = failure(lambda: RECOVER(client(serve(answer(409, body)).url)))
    assert (error.code, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", 409)
    assert (error.reason, error.invocation_ids) == (None, None)
