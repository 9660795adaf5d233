# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operations promise whichever backend does the work: Restate's admin API, or DALP in front of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.server import Deployment, Server
from tests.integration.three_runs import compared, reason, run_three_times

KEY = "order-1"
NOTHING = {"sys_invocation_status": 0, "state": 0, "sys_promise": 0}

pytestmark = pytest.mark.usefixtures("backend")


def superseded(server: Server) -> tuple[Deployment, Deployment]:
    return server.release("release-1"), server.release("release-2")


def of_orders(*keys: str) -> list[dict[str, str]]:
    return [{"service_name": "OrderWorkflow", "service_key": key} for key in keys]


# See


def test_the_doctor_tells_of_five_components_and_the_same_in_check_mode(server: Server) -> None:
    old = server.release("release-1")
    failed = server.order(KEY, "fail")
    paused = server.payment("payment-1")
    new = server.release("release-2")

    seen = server.task("doctor")
    foreseen = server.task("doctor", check=True)

    assert not seen["failed"], seen["msg"]
    assert (seen["changed"], seen["healthy"]) == (False, True)
    components = {name: seen[name] for name in ("ingress", "admin", "deployments", "services", "invocations")}
    assert {component["status"] for component in components.values()} == {"ok"}
    assert {component["error"] for component in components.values()} == {None}
    assert seen["admin"]["version"] == server.version
    assert [item["id"] for item in seen["deployments"]["items"]] == [old.id, new.id]
    assert [item["service_url"].rstrip("/") for item in seen["deployments"]["items"]] == [old.url, new.url]
    revisions = {item["name"]: item["revision"] for item in seen["services"]["items"]}
    assert revisions == {"Counter": 2, "Ledger": 2, "OrderWorkflow": 2, "PaymentWorkflow": 2}
    assert seen["invocations"]["by_status"] == {"completed": 1, "paused": 1}
    assert {failure["id"] for failure in seen["invocations"]["recent_failures"]} == {failed, paused}
    assert {"PAUSED_INVOCATIONS"} <= {finding["code"] for finding in seen["findings"]}
    for result in (seen, foreseen):
        for name in ("ingress", "admin"):
            assert isinstance(result[name].pop("latency_ms"), int)
    assert compared(seen) == compared(foreseen)


@pytest.mark.parametrize(
    ("fail_on", "fails"), [([], False), (["unreachable"], True), (["degraded"], True), (["critical"], True)]
)
def test_a_silent_ingress_hides_nothing_else(
    server: Server, backend: str, request: pytest.FixtureRequest, fail_on: list[str], fails: bool
) -> None:
    silent = "http://127.0.0.1:9"
    args: dict[str, Any] = {"ingress_url": silent, "retries": 0}
    if backend == "dalp":
        request.getfixturevalue("dalp").point_at(ingress_url=silent)
        args = {}

    seen = server.task("doctor", fail_on=fail_on, **args)

    assert seen["failed"] == fails
    assert not fails or seen["error"]["code"] in ("RESTATE_ADMIN_UNREACHABLE", "RESTATE_UNHEALTHY")
    assert seen["ingress"]["status"] == "unreachable"
    assert seen["ingress"]["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert {seen[name]["status"] for name in ("admin", "deployments", "services", "invocations")} == {"ok"}
    assert not seen["healthy"]
    assert [(finding["code"], finding["severity"]) for finding in seen["findings"]] == [
        ("INGRESS_UNREACHABLE", "critical"),
        ("NOTHING_REGISTERED", "info"),
    ]


# Register


def test_a_new_url_is_registered_and_a_second_time_nothing_is_to_be_done(server: Server) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")

    told = run_three_times(server, "redeploy", unknown=("deployment_id",), service_url=url, force=False)

    assert told.real["changed"]
    assert told.predicted["changed"]
    assert "deployment_id" not in told.predicted
    assert told.real["deployment"]["service_url"] == url
    assert server.service("OrderWorkflow")["deployment_id"] == told.real["deployment_id"]
    assert told.again["deployment_id"] == told.real["deployment_id"]


def test_giving_an_older_url_makes_it_the_latest_again(server: Server) -> None:
    older, newer = superseded(server)
    before = server.snapshot()

    predicted = server.task("redeploy", check=True, service_url=older.url)
    assert server.snapshot() == before
    real = server.task("redeploy", service_url=older.url)

    assert compared(predicted) == compared(real)
    assert real["changed"]
    assert real["deployment_id"] == older.id
    assert server.service("OrderWorkflow")["deployment_id"] == older.id
    assert server.deployment_ids() == {older.id, newer.id}


def test_a_service_that_does_not_answer_is_not_registered(server: Server) -> None:
    told = server.task("redeploy", service_url=server.serve("nothing", None), wait_timeout=1)

    assert told["failed"]
    assert not told["changed"]
    assert told["error"]["code"] in ("RESTATE_SERVICE_UNREACHABLE", "RESTATE_DEPLOYMENT_NOT_FOUND")
    assert "META0003" in told["msg"]
    assert server.deployment_ids() == set()


# Remove


def test_a_drained_deployment_goes_and_completed_work_never_holds_it(server: Server) -> None:
    old = server.release("release-1")
    server.order(KEY, "ok")
    new = server.release("release-2")

    # Without the slash with which it is registered.
    told = run_three_times(server, "cleanup", service_url=new.url)

    assert told.real["changed"]
    assert told.real["removed"] == [old.id]
    assert told.real["kept"]["deployment_id"] == new.id
    assert told.real["remaining"] == []
    assert [step["action"] for step in told.real["steps"]] == ["remove"]
    assert server.deployment_ids() == {new.id}


def test_an_unregistered_url_touches_nothing(server: Server) -> None:
    superseded(server)

    told = run_three_times(server, "cleanup", service_url=server.services.url("elsewhere"))

    assert reason(told.real)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"


def test_more_than_max_removed_refuses_the_whole_plan(server: Server) -> None:
    server.release("a", "release-1")
    server.release("b", "release-1")
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, max_removed=1)

    assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "max_removed")


def test_a_release_that_is_newer_than_what_is_kept_does_not_go(server: Server) -> None:
    older, newer = superseded(server)

    told = run_three_times(server, "cleanup", service_url=older.url)

    assert reason(told.real)[0] == "RESTATE_SERVICE_REMOVAL_REFUSED"
    assert told.real["error"]["deployment_ids"] == [newer.id]


def test_what_does_not_drain_stays_and_the_rest_goes(server: Server) -> None:
    drained = server.release("drained", "release-1")
    pending = server.release("release-1")
    waiting = server.order(KEY, "wait")
    new = server.release("release-2")
    before = server.snapshot()

    predicted = server.task("cleanup", check=True, service_url=new.url, drain_timeout=1)
    assert server.snapshot() == before
    real = server.task("cleanup", service_url=new.url, drain_timeout=1)

    assert not predicted["failed"]
    assert [step["deployment_id"] for step in predicted["steps"]] == [drained.id, pending.id]
    assert "RESTATE_DRAIN_TIMEOUT" in str(predicted["warnings"])
    assert reason(real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert real["removed"] == [drained.id]
    assert [(entry["deployment_id"], entry["reason"]) for entry in real["remaining"]] == [
        (pending.id, "drain_timeout")
    ]
    assert server.deployment_ids() == {pending.id, new.id}
    assert (server.row(waiting) or {})["pinned_deployment_id"] == pending.id


def test_what_does_not_drain_is_ended_where_that_is_asked_for(server: Server, backend: str) -> None:
    old = server.release("release-1")
    waiting = server.order(KEY, "wait")
    new = server.release("release-2")
    args: dict[str, Any] = {"force_drain": True, "drain_timeout": 0}
    if backend == "restate":
        args["pending"] = "kill"
    before = server.snapshot()

    predicted = server.task("cleanup", check=True, service_url=new.url, **args)
    assert server.snapshot() == before
    real = server.task("cleanup", service_url=new.url, **args)

    assert not real["failed"], real["msg"]
    assert predicted["removed"] == real["removed"] == [old.id]
    assert server.deployment_ids() == {new.id}
    assert (server.row(waiting) or {"status": "completed"})["status"] == "completed"


# Give a fresh start


def test_a_failed_run_is_cleared_and_its_key_starts_from_nothing(server: Server, backend: str) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    other = server.order("order-2", "fail")

    told = run_three_times(
        server,
        "recover_workflow",
        conditional=backend == "dalp",
        service_name="OrderWorkflow",
        service_key=KEY,
    )

    assert told.real["changed"]
    assert told.real["outcome"] == "recovered"
    assert server.count_rows_of_key(KEY) == NOTHING
    assert server.order(KEY, "ok") == run
    assert (server.row(other) or {})["completion_result"] == "failure"


@pytest.mark.parametrize(
    ("mode", "why"), [("wait", "active_invocation"), ("ok", "already_succeeded")], ids=["active", "succeeded"]
)
def test_what_is_active_or_has_succeeded_is_left(server: Server, backend: str, mode: str, why: str) -> None:
    server.release("release-1")
    run = server.order(KEY, mode)
    before = server.snapshot()

    told = server.task("recover_workflow", service_name="OrderWorkflow", service_key=KEY)

    assert reason(told) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", why)
    assert told["error"]["invocation_ids"] == [run]
    assert (told["outcome"], told["changed"]) == ("blocked", False)
    assert told["summary"] == {"blank": 0, "recovered": 0, "blocked": 1, "failed": 0}
    assert server.snapshot() == before


def test_of_a_list_what_is_blocked_does_not_keep_the_others(server: Server) -> None:
    server.release("release-1")
    server.order("failed-1", "fail")
    succeeded = server.order("succeeded", "ok")
    server.order("failed-2", "fail")
    workflows = of_orders("failed-1", "succeeded", "failed-2", "failed-1")

    real = server.task("recover_workflow", workflows=workflows)
    again = server.task("recover_workflow", workflows=workflows[1:2], skip_blocked=True)

    assert reason(real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "already_succeeded")
    assert real["error"]["invocation_ids"] == [succeeded]
    assert [(result["service_key"], result["outcome"]) for result in real["results"]] == [
        ("failed-1", "recovered"),
        ("succeeded", "blocked"),
        ("failed-2", "recovered"),
    ]
    assert real["summary"] == {"blank": 0, "recovered": 2, "blocked": 1, "failed": 0}
    assert real["changed"]
    assert server.count_rows_of_key("failed-1") == server.count_rows_of_key("failed-2") == NOTHING
    assert (again["failed"], again["changed"], again["acknowledged"]) == (False, False, True)
    assert [result["reason"] for result in again["results"]] == ["already_succeeded"]
