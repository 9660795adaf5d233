# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in of DALP keeps its word on a real Restate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.dalp.errors import Envelope
from tests.integration.dalp.server import OPERATOR_KEY, USER_KEY, AuditRow, DalpServer
from tests.integration.proxy import Proxy, answer, changed, lose
from tests.integration.server import Server

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(dalp: DalpServer) -> Iterator[Ask]:
    with httpx.Client(base_url=f"{dalp.url}/api/v2/admin/operator", trust_env=False, timeout=30) as client:

        def post(
            route: str, *, segment: str = "restate", key: str = OPERATOR_KEY, **body: Any
        ) -> httpx.Response:
            return client.post(f"/{segment}/{route}", json=body, headers={"X-Api-Key": key})

        yield post


def recover(ask: Ask, key: str, service: str = "OrderWorkflow") -> httpx.Response:
    return ask("recover-stuck-workflow", serviceName=service, serviceKey=key)


@pytest.mark.parametrize("segment", ["restate", "workflow-engine"])
def test_the_documented_requests_work(server: Server, dalp: DalpServer, ask: Ask, segment: str) -> None:
    first = server.release("release-1")
    failed = server.order("order-1", "fail")
    url = server.serve("release-2", "release-2")

    redeployed = ask("force-redeploy", segment=segment, serviceUrl=url, force=True).json()
    report = ask("doctor", segment=segment).json()
    cleaned = ask("cleanup-stale-deployments", segment=segment, serviceUrl=url, forceDrain=False).json()
    recovered = ask(
        "recover-stuck-workflow", segment=segment, serviceName="OrderWorkflow", serviceKey="order-1"
    ).json()

    assert redeployed == {"acknowledged": True, "deploymentId": redeployed["deploymentId"]}
    assert {component["status"] for component in report.values()} == {"ok"}
    assert report["admin"]["version"] == server.version
    assert {one["id"]: one["serviceUrl"] for one in report["deployments"]["items"]} == {
        first.id: first.url,
        redeployed["deploymentId"]: url,
    }
    assert {"name": "OrderWorkflow", "revision": 2} in report["services"]["items"]
    assert report["invocations"]["byStatus"] == {"completed": 1}
    [failure] = report["invocations"]["recentFailures"]
    assert failure == {
        "id": failed,
        "target": "OrderWorkflow/order-1/run",
        "serviceName": "OrderWorkflow",
        "serviceKey": "order-1",
        "status": "completed",
        "failure": "[500] payment provider refused the card",
        "failedAt": failure["failedAt"],
    }
    assert cleaned == recovered == {"acknowledged": True}
    assert server.deployment_ids() == {redeployed["deploymentId"]}
    assert set(server.count_rows_of_key("order-1").values()) == {0}
    assert [request.route for request in dalp.requests] == [
        "force-redeploy",
        "doctor",
        "cleanup-stale-deployments",
        "recover-stuck-workflow",
    ]
    assert [(row.route, row.arguments, row.outcome) for row in dalp.rows] == [
        (f"/api/v2/admin/operator/{segment}/{route}", body, "succeeded") for route, body in dalp.requests
    ]


def test_a_cleanup_leaves_what_is_pending_unless_it_is_forced(server: Server, ask: Ask) -> None:
    first = server.release("release-1")
    waiting = server.order("order-1", "wait")
    second = server.release("release-2")
    before = server.snapshot()

    inexact = ask("cleanup-stale-deployments", serviceUrl=f"{second.url}/")
    left = ask("cleanup-stale-deployments", serviceUrl=second.url)

    assert (inexact.status_code, inexact.json()["code"]) == (404, "RESTATE_DEPLOYMENT_NOT_FOUND")
    assert left.json() == {"acknowledged": True}
    assert server.snapshot() == before

    ask("cleanup-stale-deployments", serviceUrl=second.url, forceDrain=True).raise_for_status()

    assert server.deployment_ids() == {second.id} != {first.id}
    assert server.completed(waiting)["completion_result"] == "failure"


def test_a_service_that_does_not_answer_is_not_registered(server: Server, ask: Ask) -> None:
    refused = ask("force-redeploy", serviceUrl=server.serve("nothing", None))
    assert (refused.status_code, refused.json()["code"]) == (404, "RESTATE_DEPLOYMENT_NOT_FOUND")
    assert "META0003" in refused.json()["message"]


def test_a_key_is_cleared_only_if_all_of_its_runs_have_failed(server: Server, ask: Ask) -> None:
    server.release("release-1")
    active, done = server.order("active", "wait"), server.order("done", "ok")
    for key in ("done", "failed"):
        server.completed(server.submit("OrderWorkflow", key, "status"))
    server.order("failed", "fail")

    told = {key: recover(ask, key).json() for key in ("active", "done", "failed", "unknown")}

    assert told["active"]["data"] == {"reason": "active_invocation", "invocationIds": [active]}
    assert told["done"]["data"] == {"reason": "already_succeeded", "invocationIds": [done]}
    assert told["failed"] == told["unknown"] == {"acknowledged": True}
    assert set(server.count_rows_of_key("failed").values()) == {0}


def test_a_query_or_a_purge_that_fails_blocks(
    server: Server, dalp: DalpServer, ask: Ask, proxy: Proxy
) -> None:
    server.release("release-1")
    failed = server.order("order-1", "fail")
    dalp.point_at(proxy.url)

    proxy.once("POST", "/query", answer(500))
    assert recover(ask, "order-1").json()["data"] == {"reason": "query_failed", "invocationIds": []}
    proxy.once("POST", "/purge$", lose)
    assert recover(ask, "order-1").json()["data"] == {"reason": "purge_failed", "invocationIds": [failed]}


def test_every_attempt_is_recorded_without_the_user_information_of_urls(dalp: DalpServer, ask: Ask) -> None:
    ask("doctor")
    ask("doctor", key=USER_KEY)
    ask("doctor", key="nobody's")
    ask("cleanup-stale-deployments", serviceUrl="http://me:pass@word@orders:9080/")

    base = "/api/v2/admin/operator/restate"
    hidden = "http://***@orders:9080/"
    assert dalp.rows == [
        AuditRow("operator@example.com", f"{base}/doctor", {}, None, "succeeded", None),
        AuditRow(
            "user@example.com",
            f"{base}/doctor",
            {},
            None,
            "failed",
            "user@example.com may not operate the system",
        ),
        AuditRow(None, f"{base}/doctor", {}, None, "failed", "the API key is missing or unknown"),
        AuditRow(
            "operator@example.com",
            f"{base}/cleanup-stale-deployments",
            {"serviceUrl": hidden},
            None,
            "failed",
            f"no deployment is registered as {hidden}",
        ),
    ]


ENVELOPES: dict[Envelope, Callable[[Any], tuple[str, Any]]] = {
    "old": lambda body: (body["code"], body["data"]),
    "direct": lambda body: (body["error"]["details"]["code"], body["error"]["details"]),
    "orpc": lambda body: (body["data"]["dalpCode"], body["data"]["dapiError"]["details"]),
}


def test_an_error_can_be_read_in_every_envelope(server: Server, dalp: DalpServer, ask: Ask) -> None:
    server.release("release-1")
    blocked = {"reason": "active_invocation", "invocationIds": [server.order("order-1", "wait")]}
    for envelope, read in ENVELOPES.items():
        dalp.envelope = envelope
        dalp.point_at()
        refused = [
            (401, "UNAUTHORIZED", ask("doctor", key="nobody's")),
            (403, "OFFCHAIN_USER_PERMISSION_REQUIRED", ask("doctor", key=USER_KEY)),
            (
                404,
                "RESTATE_DEPLOYMENT_NOT_FOUND",
                ask("cleanup-stale-deployments", serviceUrl="http://nowhere/"),
            ),
            (409, "RESTATE_WORKFLOW_RETRY_BLOCKED", recover(ask, "order-1")),
        ]
        dalp.point_at("http://127.0.0.1:9")
        refused.append((503, "RESTATE_ADMIN_UNREACHABLE", recover(ask, "order-1")))

        for status, code, told in refused:
            found, data = read(told.json())
            assert (told.status_code, found) == (status, code), envelope
            if status == 409:
                assert data.items() >= blocked.items(), envelope


def test_the_doctor_tells_of_twenty_failures_the_latest_first(server: Server, ask: Ask) -> None:
    server.release("release-1")
    failed = [server.order(f"order-{number}", "fail") for number in range(21)]
    paused = server.payment("payment-1")

    told = ask("doctor").json()["invocations"]

    assert told["byStatus"] == {"completed": 21, "paused": 1}
    assert [one["id"] for one in told["recentFailures"]] == [paused, *reversed(failed[2:])]
    assert told["recentFailures"][0]["status"] == "paused"
    assert "bank gateway timed out" in told["recentFailures"][0]["failure"]


def test_a_component_fails_by_itself(dalp: DalpServer, ask: Ask, proxy: Proxy) -> None:
    proxy.once("GET", "/services", answer(500))
    proxy.once("GET", "/deployments", answer(200, {"what": "else"}))
    dalp.point_at(proxy.url, ingress_url="http://127.0.0.1:9")

    told = ask("doctor").json()

    assert {name: one["status"] for name, one in told.items()} == {
        "ingress": "unreachable",
        "admin": "ok",
        "deployments": "degraded",
        "services": "degraded",
        "invocations": "ok",
    }
    assert told["services"]["error"] == "/services answered 500"


def test_a_request_that_is_not_in_the_document_is_refused_and_noted(dalp: DalpServer, ask: Ask) -> None:
    refused = [
        ask("doctor", verbose=True),
        recover(ask, "order 1"),
        ask("restart"),
        ask("doctor", segment="other"),
    ]
    assert [told.status_code for told in refused] == [422, 422, 404, 404]
    assert refused[0].json()["code"] == "INPUT_VALIDATION_FAILED"
    assert len(dalp.take_violations()) == 4
    assert len(dalp.requests) == 4


def test_an_answer_that_is_not_in_the_document_is_noted(dalp: DalpServer, ask: Ask, proxy: Proxy) -> None:
    proxy.once("GET", "/services", changed(lambda _told: {"services": [{"name": 1, "revision": 1}]}))
    dalp.point_at(proxy.url)
    ask("doctor")
    [violation] = dalp.take_violations()
    assert "1 is not of type 'string'" in violation
