# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent to DALP's operator routes, what is sent again, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteInCheckModeError
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.dalp_answers import HEALTH
from ansible_collections.dalp.restate.tests.unit.dalp_routes import (
    ACK,
    CLEANUP,
    DOCTOR,
    KEY,
    PREFIX,
    RECOVER,
    REDEPLOY,
    ROUTES,
    WRITES,
    Call,
    client,
    failure,
)
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, RESET, answer

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


def test_the_id_of_a_registration_may_be_untold(serve: Serve) -> None:
    assert REDEPLOY(client(serve(answer(200, {"acknowledged": True, "deploymentId": "dp_1"})).url)) == "dp_1"
    assert REDEPLOY(client(serve(ACK).url)) is None
