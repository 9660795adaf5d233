# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DALP's operator routes: what is sent, and what each answer is taken for. An instance of DALP cannot be had here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._dalp.client import DalpClient
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES, OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, answer

KEY = "sm_dalp_0123456789"
PREFIX = "/api/v2/admin/operator/restate"
ACK = answer(200, {"acknowledged": True})
HEALTH: dict[str, Any] = {
    "ingress": {"status": "ok", "latencyMs": 12},
    "admin": {"status": "ok", "latencyMs": 9, "version": "1.4.0"},
    "deployments": {
        "status": "ok",
        "items": [
            {"id": "dp_01j", "serviceUrl": "http://ddwf:9080", "createdAt": "2026-05-09T10:00:00.000Z"}
        ],
        "error": None,
    },
    "services": {
        "status": "ok",
        "items": [{"name": "IdentityRecoveryWorkflow", "revision": 3}],
        "error": None,
    },
    "invocations": {
        "status": "ok",
        "byStatus": {"invoked": 2, "suspended": 1},
        "recentFailures": [],
        "error": None,
    },
}
"""The example of DALP's documentation."""

Call = Callable[[DalpClient], object]
DOCTOR: Call = lambda dalp: dalp.doctor()  # noqa: E731
REDEPLOY: Call = lambda dalp: dalp.force_redeploy("http://ddwf:9080", force=True)  # noqa: E731
CLEANUP: Call = lambda dalp: dalp.cleanup_stale_deployments("http://ddwf:9080", force_drain=False)  # noqa: E731
RECOVER: Call = lambda dalp: dalp.recover_stuck_workflow("InvitationWorkflow", "invitation_1")  # noqa: E731
WRITES = [
    pytest.param(REDEPLOY, id="force-redeploy"),
    pytest.param(CLEANUP, id="cleanup-stale-deployments"),
    pytest.param(RECOVER, id="recover-stuck-workflow"),
]
ROUTES = [pytest.param(DOCTOR, id="doctor"), *WRITES]


def client(
    url: str,
    clock: FakeClock | None = None,
    *,
    check_mode: bool = False,
    prefix: str = PREFIX,
    **options: Any,
) -> DalpClient:
    connection = Connection(url=url, headers={"X-Api-Key": KEY}, **{"request_timeout": 2.0, **options})
    return DalpClient(connection, prefix, WriteGuard(check_mode=check_mode), clock or FakeClock())


def failure(call: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value


# What is sent


@pytest.mark.parametrize(("call", "route", "body"), [
    (DOCTOR, "doctor", {}),
    (REDEPLOY, "force-redeploy", {"serviceUrl": "http://ddwf:9080", "force": True}),
    (CLEANUP, "cleanup-stale-deployments", {"serviceUrl": "http://ddwf:9080", "forceDrain": False}),
    (RECOVER, "recover-stuck-workflow", {"serviceName": "InvitationWorkflow", "serviceKey": "invitation_1"}),
])  # fmt: skip
def test_a_request_is_the_documented_one(call: Call, route: str, body: Any, serve: Serve) -> None:
    server = serve(answer(200, {**HEALTH, "acknowledged": True}))
    call(client(server.url))
    [request] = server.requests
    assert (request.method, request.target) == ("POST", f"{PREFIX}/{route}")
    assert request.json == body
    assert request.headers["x-api-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("prefix", ["/api/v2/admin/operator/workflow-engine", "operator/", "/"])
def test_the_path_of_the_routes_can_be_another(prefix: str, serve: Serve) -> None:
    server = serve(answer(200, HEALTH))
    client(server.url + "/base", prefix=prefix).doctor()
    assert server.calls == [f"POST /base/{prefix.strip('/')}/doctor".replace("//", "/")]


@pytest.mark.parametrize("prefix", ["/operator?x=1", "/operator#x", "/opera tor", "/a\nb"])
def test_what_is_no_path_is_refused(prefix: str) -> None:
    error = failure(lambda: client("http://h", prefix=prefix))
    assert error.code == "RESTATE_INVALID_ARGUMENT"
    assert "dalp_route_prefix" in error.message


@pytest.mark.parametrize("call", WRITES)
def test_a_write_is_not_sent_in_check_mode(call: Call, serve: Serve) -> None:
    server = serve(ACK)
    with pytest.raises(WriteInCheckModeError):
        call(client(server.url, check_mode=True))
    assert server.requests == []


# What is sent again, and what never is


@pytest.mark.parametrize("first", [RESET, answer(503), answer(200, b"{}", missing=9)])
def test_the_doctor_is_asked_again(first: bytes, serve: Serve) -> None:
    server = serve(first, answer(200, HEALTH))
    client(server.url).doctor()
    assert len(server.requests) == 2


@pytest.mark.parametrize("first", [
    pytest.param(RESET, id="a reset"),
    pytest.param(answer(500, {"code": "INTERNAL_SERVER_ERROR", "message": "Oh.", "data": {}}), id="500"),
    pytest.param(answer(502, b"<html>bad gateway</html>"), id="502"),
    pytest.param(answer(503), id="503"),
    pytest.param(answer(408), id="a gateway that did not wait"),
    pytest.param(answer(504, {"code": "CONFIRMATION_TIMEOUT", "message": "Late."}), id="504"),
    pytest.param(answer(503, {"code": "RESTATE_ADMIN_UNREACHABLE", "message": "No."}), id="no Restate"),
    pytest.param(answer(200, b"{}", missing=9), id="half a body"),
    pytest.param(answer(200, b"<html>welcome</html>"), id="a page"),
    pytest.param(answer(200, []), id="a list"),
    pytest.param(answer(200, {"acknowledged": False}), id="no acknowledgement"),
    pytest.param(answer(200, {}), id="nothing"),
])  # fmt: skip
@pytest.mark.parametrize("call", WRITES)
def test_a_write_that_may_have_happened_is_not_sent_again(
    call: Call, first: bytes, serve: Serve, clock: FakeClock
) -> None:
    server = serve(first, ACK)
    error = failure(lambda: call(client(server.url, clock)))
    assert len(server.requests) == 1
    assert clock.sleeps == []
    assert error.outcome_unknown
    assert "is unknown" in error.message
    assert "restate_doctor" in error.remedy


@pytest.mark.parametrize("call", WRITES)
def test_a_write_that_is_not_answered_in_time_says_to_look_first(call: Call, serve: Serve) -> None:
    server = serve(HANG)
    error = failure(lambda: call(client(server.url, request_timeout=0.1)))
    assert len(server.requests) == 1
    assert (error.code, error.reason, error.outcome_unknown) == ("RESTATE_ADMIN_UNREACHABLE", "timeout", True)
    assert "unknown" in error.message
    assert error.remedy == "Run restate_doctor to see what has happened, before you run the task again."


@pytest.mark.parametrize("call", ROUTES)
def test_a_limit_of_the_rate_is_waited_out(call: Call, serve: Serve, clock: FakeClock) -> None:
    server = serve(
        answer(429, {"code": "RATE_LIMITED", "message": "Slow."}, {"Retry-After": "1.5"}),
        answer(200, {**HEALTH, "acknowledged": True}),
    )
    call(client(server.url, clock))
    assert len(server.requests) == 2
    assert clock.sleeps == [1.5]


@pytest.mark.parametrize("call", ROUTES)
def test_a_limit_that_lasts_longer_than_one_waits_is_told(call: Call, serve: Serve) -> None:
    server = serve(answer(429, {"message": "Slow."}, {"Retry-After": "60"}))
    error = failure(lambda: call(client(server.url)))
    assert (error.code, error.reason, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", "rate_limited", 429)
    assert "Slow." in error.message
    assert "in 60 s" in error.remedy
    assert not error.outcome_unknown
    assert len(server.requests) == 1


@pytest.mark.parametrize(("headers", "words"), [
    ({}, "Run the task again later."),
    ({"Retry-After": "soon"}, "Run the task again later."),
    ({"Retry-After": "-5"}, "Run the task again later."),
    ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "Run the task again later."),
    ({"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, "or raise request_timeout"),
])  # fmt: skip
def test_when_to_try_again_is_said_where_it_is_told(
    headers: dict[str, str], words: str, serve: Serve, clock: FakeClock
) -> None:
    error = failure(
        lambda: RECOVER(client(serve(answer(429, {"message": "Slow."}, headers)).url, clock, retries=1))
    )
    assert words in error.remedy
    assert len(clock.sleeps) == (0 if "2099" in str(headers) else 1)


@pytest.mark.parametrize("call", ROUTES)
def test_a_dalp_that_cannot_be_reached_did_nothing(call: Call) -> None:
    error = failure(lambda: call(client("http://127.0.0.1:9", retries=1)))
    assert (error.code, error.outcome_unknown) == ("RESTATE_ADMIN_UNREACHABLE", False)
    assert "dalp_url" in error.remedy


# Errors, in three envelopes


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


# The doctor's components, each by itself


COMPONENTS = ["ingress", "admin", "deployments", "services", "invocations"]


def health(serve: Serve, **components: Any) -> Any:
    return client(serve(answer(200, {**HEALTH, **components})).url).doctor()


def test_the_documented_answer_is_read_whole(serve: Serve) -> None:
    seen = health(serve)
    assert (seen.ingress.latency_ms, seen.admin.latency_ms, seen.admin.version) == (12, 9, "1.4.0")
    [deployment] = seen.deployments.items
    assert (deployment.id, deployment.service_url) == ("dp_01j", "http://ddwf:9080")
    assert deployment.created_at == "2026-05-09T10:00:00.000Z"
    assert [(one.name, one.revision) for one in seen.services.items] == [("IdentityRecoveryWorkflow", 3)]
    assert seen.invocations.by_status == {"invoked": 2, "suspended": 1}
    assert seen.invocations.recent_failures == ()


def test_what_is_not_known_yet_is_no_error(serve: Serve) -> None:
    more = {**HEALTH["deployments"], "next": 1, "items": [{"id": "dp_1", "shard": 3}]}
    seen = health(serve, deployments=more, mesh={"status": "ok"})
    [deployment] = seen.deployments.items
    assert (deployment.id, deployment.service_url, deployment.created) == ("dp_1", None, None)
    assert not deployment.is_at("http://ddwf:9080")


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize(("content", "code"), [
    ({"status": "unreachable", "error": "connect refused"}, "RESTATE_ADMIN_UNREACHABLE"),
    ({"status": "unreachable"}, "RESTATE_ADMIN_UNREACHABLE"),
    ({"status": "degraded", "error": {"message": "odd"}, "items": []}, "RESTATE_UNEXPECTED_RESPONSE"),
    ({"status": "warming-up"}, "RESTATE_UNEXPECTED_RESPONSE"),
    ({"latencyMs": 3}, "RESTATE_UNEXPECTED_RESPONSE"),
    ("ok", "RESTATE_UNEXPECTED_RESPONSE"),
    (None, "RESTATE_UNEXPECTED_RESPONSE"),
])  # fmt: skip
def test_a_bad_component_is_told_and_hides_no_other(name: str, content: Any, code: str, serve: Serve) -> None:
    seen = health(serve, **{name: content})
    error = failure(lambda: getattr(seen, name))
    assert error.code == code
    assert name in error.message
    for other in COMPONENTS:
        if other != name:
            getattr(seen, other)


@pytest.mark.parametrize("name", ["deployments", "services", "invocations"])
def test_a_list_of_another_kind_is_told(name: str, serve: Serve) -> None:
    seen = health(serve, **{name: {"status": "ok", "items": 7, "byStatus": 7}})
    assert failure(lambda: getattr(seen, name)).reason == "unexpected_shape"


@pytest.mark.parametrize(("name", "content"), [
    ("ingress", {"latencyMs": 9.4}), ("ingress", {"latencyMs": "12ms"}), ("admin", {"version": 1.7}),
    ("ingress", {"latencyMs": None}), ("invocations", {"recentFailures": None}),
    ("deployments", {"items": [{"id": "dp_1", "serviceUrl": "http://h", "createdAt": 1778320800000}]}),
])  # fmt: skip
def test_a_harmless_variation_degrades_nothing(name: str, content: dict[str, Any], serve: Serve) -> None:
    getattr(health(serve, **{name: {**HEALTH[name], **content}}), name)


def test_an_ok_list_without_its_items_is_not_an_empty_list(serve: Serve) -> None:
    for name in ("deployments", "services", "invocations"):
        seen = health(serve, **{name: {"status": "ok"}})
        with pytest.raises(OperatorError, match=f"tells nothing of {name}"):
            getattr(seen, name)


def test_the_id_of_a_registration_may_be_untold(serve: Serve) -> None:
    assert REDEPLOY(client(serve(answer(200, {"acknowledged": True, "deploymentId": "dp_1"})).url)) == "dp_1"
    assert REDEPLOY(client(serve(ACK).url)) is None
