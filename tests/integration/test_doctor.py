# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_doctor: what it sees, what it finds, and when it fails."""

from __future__ import annotations

from typing import Any

import pytest
from waiting import wait_until

from tests.integration.proxy import answer, proxy_of
from tests.integration.server import Server
from tests.integration.three_runs import compared, reason
from tests.integration.versions import on, on_all_versions

COMPONENTS = ("ingress", "admin", "deployments", "services", "invocations")


def codes(result: dict[str, Any]) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in result["findings"]}


def one_of_each_kind(server: Server) -> dict[str, str]:
    """Make one of each kind of problem, and give its id by name."""
    gone = server.release("gone", "release-1")
    ids = {"zombie": server.order("zombie", "retry")}
    server.delete(gone.id)
    ids["drained"] = server.release("drained", "release-1").id
    ids["stale"] = server.release("release-1").id
    ids["failed"] = server.order("failed", "fail")
    ids["retrying"] = server.order("retrying", "retry")
    ids["waiting"] = server.order("waiting", "wait")
    ids["paused"] = server.payment("paused")
    server.order("succeeded", "ok")
    ids["active"] = server.release("release-2").id
    server.wait_for_row(ids["retrying"], lambda row: row.get("retry_count", 0) >= 10)
    return ids


@on_all_versions
def test_a_blank_server_is_told_as_such_and_check_mode_sees_the_same(server: Server) -> None:
    seen = server.task("doctor", fail_on=["warning", "degraded"])
    foreseen = server.task("doctor", check=True, fail_on=["warning", "degraded"])

    assert not seen["failed"]
    assert (seen["healthy"], seen["changed"]) == (True, False)
    assert codes(seen) == {"NOTHING_REGISTERED": "info"}
    assert seen["msg"] == f"Restate {server.version} answers, and nothing is registered there."
    assert {seen[name]["status"] for name in COMPONENTS} == {"ok"}
    assert seen["admin"]["version"] == server.version
    for result in (seen, foreseen):
        for name in ("ingress", "admin"):
            assert isinstance(result[name].pop("latency_ms"), int)
    assert compared(seen) == compared(foreseen)


@on_all_versions
def test_each_trouble_is_found_counted_and_shown(server: Server) -> None:
    ids = one_of_each_kind(server)
    before = server.snapshot()

    seen = server.task("doctor")

    assert codes(seen) == {
        "ZOMBIE_INVOCATIONS": "warning",
        "PAUSED_INVOCATIONS": "warning",
        "RETRYING_INVOCATIONS": "warning",
        "FAILED_WORKFLOWS": "warning",
        "STALE_DEPLOYMENTS": "warning",
        "DRAINED_DEPLOYMENTS": "info",
    }
    assert seen["healthy"]
    subjects = {finding["code"]: finding["subjects"] for finding in seen["findings"]}
    assert subjects["ZOMBIE_INVOCATIONS"] == [ids["zombie"]]
    assert subjects["PAUSED_INVOCATIONS"] == [ids["paused"]]
    assert ids["retrying"] in subjects["RETRYING_INVOCATIONS"]
    assert subjects["FAILED_WORKFLOWS"] == ["OrderWorkflow/failed"]
    assert subjects["STALE_DEPLOYMENTS"] == [ids["stale"]]
    assert subjects["DRAINED_DEPLOYMENTS"] == [ids["drained"]]
    states = {
        item["id"]: (item["state"], item["pending_invocations"]) for item in seen["deployments"]["items"]
    }
    assert states == {
        ids["active"]: ("active", 0),
        ids["drained"]: ("drained", 0),
        ids["stale"]: ("draining", 3),
    }
    counts = server.query("SELECT status, count(1) AS n FROM sys_invocation_status GROUP BY status")
    assert sum(seen["invocations"]["by_status"].values()) == sum(row["n"] for row in counts) == 6
    assert seen["invocations"]["by_status"]["completed"] == 2
    assert seen["invocations"]["by_status"]["paused"] == seen["invocations"]["by_activity"]["paused"] == 1
    assert sum(seen["invocations"]["by_activity"].values()) == 4
    failures = {failure["id"]: failure for failure in seen["invocations"]["recent_failures"]}
    kinds = {name: failures[ids[name]]["kind"] for name in ("failed", "retrying", "paused")}
    assert kinds == {"failed": "terminal", "retrying": "retrying", "paused": "paused"}
    texts = {"failed": "refused the card", "retrying": "database is down", "paused": "bank gateway timed out"}
    for name, text in texts.items():
        assert text in failures[ids[name]]["failure"]
    assert server.snapshot() == before


@pytest.mark.parametrize(
    ("fail_on", "fails"),
    [([], False), (["unreachable", "degraded", "critical"], False), (["warning"], True)],
    ids=str,
)
def test_warnings_fail_the_gate_only_where_it_names_them(
    server: Server, fail_on: list[str], fails: bool
) -> None:
    server.release("release-1")
    server.order("order-1", "fail")

    seen = server.task("doctor", fail_on=fail_on)

    assert seen["failed"] is fails
    assert codes(seen) == {"FAILED_WORKFLOWS": "warning"}
    if fails:
        assert reason(seen) == ("RESTATE_UNHEALTHY", "failed_workflows")


def test_a_service_that_does_not_answer_is_critical_where_services_are_probed(server: Server) -> None:
    release = server.release("release-1")
    server.serve("release-1", None)

    assert codes(server.task("doctor")) == {}
    seen = server.task("doctor", probe_services=True)
    gated = server.task("doctor", probe_services=True, fail_on=["critical"])

    assert codes(seen) == {"SERVICE_UNREACHABLE": "critical"}
    assert not seen["healthy"]
    assert release.url in seen["findings"][0]["message"]
    assert reason(gated) == ("RESTATE_UNHEALTHY", "service_unreachable")


def test_a_service_that_demands_its_registered_header_is_probed_with_it(server: Server) -> None:
    url = server.serve("guarded", "release-1", header="x-key=the-value-of-the-key")
    server.register(url, additional_headers={"x-key": "the-value-of-the-key"})

    assert server.task("doctor", probe_services=True)["findings"] == []


def test_a_server_that_is_down_is_told_without_a_failure(server: Server) -> None:
    seen = server.task("doctor", admin_url="http://127.0.0.1:1", retries=0)

    assert not seen["failed"]
    assert not seen["healthy"]
    assert {name: seen[name]["status"] for name in COMPONENTS} == {
        **dict.fromkeys(COMPONENTS, "unreachable"),
        "ingress": "ok",
    }


@pytest.mark.parametrize(
    ("fail_on", "fails"), [(["unreachable", "critical"], False), (["degraded"], True)], ids=str
)
def test_refused_credentials_degrade_a_component(server: Server, fail_on: list[str], fails: bool) -> None:
    with proxy_of(server.admin_url) as proxy:
        proxy.once("GET", "^/services$", *[answer(403, {"message": "not you"})] * 4)
        seen = server.task("doctor", admin_url=proxy.url, fail_on=fail_on)

    assert seen["failed"] is fails
    assert seen["services"]["status"] == "degraded"
    assert seen["services"]["error"]["code"] == "RESTATE_PERMISSION_REQUIRED"
    assert {seen[name]["status"] for name in COMPONENTS if name != "services"} == {"ok"}


def test_at_most_twenty_failures_are_shown_and_all_are_counted(server: Server) -> None:
    server.release("release-1")
    for number in range(25):
        server.submit("OrderWorkflow", f"order-{number}", "run", {"mode": "fail"})
    wait_until(
        "25 runs failed",
        lambda: (
            server.query(
                "SELECT count(1) AS n FROM sys_invocation_status WHERE completion_result = 'failure'"
            )[0]["n"]
            == 25
        ),
    )

    seen = server.task("doctor")

    assert len(seen["invocations"]["recent_failures"]) == 20
    assert "25 workflow runs failed" in seen["findings"][0]["message"]


@on("1.7.12", "1.5.3")
def test_the_number_of_requests_does_not_grow_with_the_number_of_invocations(server: Server) -> None:
    server.release("release-1")
    requests = []
    for numbers in (range(2), range(2, 60)):
        for number in numbers:
            server.submit("PaymentWorkflow", f"payment-{number}", "run", {})
            server.submit("OrderWorkflow", f"order-{number}", "run", {"mode": "fail"})
        wait_until(
            "all paused or failed",
            lambda: (
                not server.query(
                    "SELECT id FROM sys_invocation_status WHERE status NOT IN ('paused', 'completed') LIMIT 1"
                )
            ),
        )
        with proxy_of(server.admin_url) as proxy:
            seen = server.task("doctor", admin_url=proxy.url)
            requests.append(len(proxy.requests))

    assert sum(seen["invocations"]["by_status"].values()) == 120
    assert requests[0] == requests[1]
    assert requests[0] <= 12


def test_a_service_whose_deployment_is_gone_is_critical(server: Server) -> None:
    server.release("release-1")
    with proxy_of(server.admin_url) as proxy:
        # A schema that is torn like this has been seen only by its report.
        proxy.once("GET", "^/deployments$", answer(200, {"deployments": []}))
        seen = server.task("doctor", admin_url=proxy.url)

    assert set(codes(seen)) == {"SERVICE_WITHOUT_DEPLOYMENT"}
    assert not seen["healthy"]


def test_a_version_that_was_not_tested_is_said(server: Server) -> None:
    server.release("release-1")
    with proxy_of(server.admin_url) as proxy:
        proxy.once("GET", "^/version$", answer(200, {"version": "1.9.0"}))
        seen = server.task("doctor", admin_url=proxy.url)

    assert codes(seen) == {"UNTESTED_VERSION": "info"}
    assert seen["healthy"]


def test_healthy_is_said_of_what_was_asked(server: Server) -> None:
    server.release("release-1")

    seen = server.task("doctor")
    probed = server.task("doctor", probe_services=True)

    healthy = f"Restate {server.version} is healthy."
    assert probed["msg"] == healthy
    assert seen["msg"] == f"{healthy} Services were not asked whether they answer (probe_services)."
