# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not fit a deployment is not moved there, and a dry run knows it."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import ThreeRuns, reason, run_three_times
from tests.integration.versions import on, on_all_versions

MOVING = on("1.7.12", "1.6.2")
CURE = "at a URL of its own"


def other_protocol(server: Server, invocation_id: str) -> tuple[int, int]:
    """Versions of the service protocol that the server speaks, and an invocation has not begun with."""
    began_with = int((server.row(invocation_id) or {})["pinned_service_protocol_version"])
    other = 6 if began_with == 5 else 5
    return other, other


def with_other_sdk(server: Server, name: str, variant: str, invocation_id: str, **body: Any) -> Deployment:
    """Register a variant whose SDK does not speak the version of an invocation."""
    url = server.serve(name, variant, protocols=other_protocol(server, invocation_id))
    return Deployment(server.register(url, **body), url)


def basket(server: Server, key: str = "basket-1") -> str:
    """Call Basket/run, and give the invocation's id once it has begun."""
    invocation_id = server.submit("Basket", key, "run", {})
    server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" in row)
    return invocation_id


def orders(server: Server) -> list[str]:
    return [row["id"] for row in server.query("SELECT id FROM sys_invocation_status ORDER BY created_at")]


def held(told: ThreeRuns, why: str, *ids: str) -> None:
    """The cleanup failed since these invocations do not fit, it says so, and what helps is none of what was given."""
    for result in (told.predicted, told.real):
        assert reason(result) == ("RESTATE_DRAIN_TIMEOUT", why)
        assert set(result["error"]["invocation_ids"]) == set(ids)
        assert all(any(each in warning for warning in result["warnings"]) for each in ids), result["warnings"]
        assert CURE in result["error"]["remedy"]
        assert "force_drain" not in result["error"]["remedy"]


# Cleanup


@MOVING
def test_work_is_not_moved_to_an_sdk_that_does_not_speak_its_protocol(server: Server) -> None:
    old = server.release("release-1")
    waiting, retrying = server.order("order-1", "wait"), server.order("order-2", "retry")
    new = with_other_sdk(server, "new", "release-2", waiting)

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    held(told, "protocol_not_supported", waiting, retrying)
    assert told.real["migrated"] == []
    assert remaining(told.real) == {old.id: "protocol_not_supported"}
    assert old.id in server.deployment_ids()
    assert (server.row(waiting) or {})["status"] != "paused"


@MOVING
def test_a_dry_run_of_a_release_knows_the_protocol_of_what_is_not_registered_yet(server: Server) -> None:
    server.release("release-1")
    waiting = server.order("order-1", "wait")
    other = other_protocol(server, waiting)
    url = server.serve("new", "release-2", protocols=other)

    offered = server.task("redeploy", check=True, service_url=url)["deployment"]
    predicted = server.task("cleanup", check=True, service_url=url, assume_registered=offered, **FORCED)
    server.task("redeploy", service_url=url)
    real = server.task("cleanup", service_url=url, **FORCED)

    assert (offered["min_protocol_version"], offered["max_protocol_version"]) == other
    assert reason(predicted) == reason(real) == ("RESTATE_DRAIN_TIMEOUT", "protocol_not_supported")
    assert predicted["error"] == real["error"]
    assert predicted["warnings"] == real["warnings"]
    assert predicted["migrated"] == real["migrated"] == []


@MOVING
def test_a_dry_run_that_would_wait_says_what_would_not_be_moved_at_the_end(server: Server) -> None:
    server.release("release-1")
    waiting = server.order("order-1", "wait")
    new = with_other_sdk(server, "new", "release-2", waiting)

    asked: dict[str, Any] = {**FORCED, "drain_timeout": 1}
    predicted = server.task("cleanup", check=True, service_url=new.url, **asked)
    real = server.task("cleanup", service_url=new.url, **asked)

    assert not predicted["failed"]
    assert reason(real) == ("RESTATE_DRAIN_TIMEOUT", "protocol_not_supported")
    assert [each for each in predicted["warnings"] if waiting in each] == real["warnings"]


@MOVING
def test_a_call_of_an_object_does_not_go_on_as_a_run_of_a_workflow(server: Server) -> None:
    old = server.release("old", "basket-object")
    ids = [basket(server, "basket-1"), basket(server, "basket-2")]
    url = server.serve("new", "basket-workflow")
    server.register(url, breaking=True)

    told = run_three_times(server, "cleanup", service_url=url, **FORCED)

    held(told, "service_type_changed", *ids)
    assert any("VirtualObject" in each and "Workflow" in each for each in told.real["warnings"])
    assert {(server.row(each) or {})["pinned_deployment_id"] for each in ids} == {old.id}


@MOVING
def test_a_call_that_has_its_key_to_itself_does_not_go_on_where_it_would_not(server: Server) -> None:
    server.release("old", "basket-object")
    call = basket(server)
    new = server.release("new", "basket-shared")

    told = run_three_times(server, "cleanup", service_url=new.url, **FORCED)

    held(told, "handler_type_changed", call)


@MOVING
def test_what_fits_is_moved_and_what_remains_for_several_reasons_is_told_each_remedy(server: Server) -> None:
    old = server.release("release-1")
    moved, left, paused = (
        server.order("order-1", "wait"),
        server.await_approval("order-2"),
        server.payment("payment-1"),
    )
    url = server.serve("new", "handler-removed")
    server.register(url, breaking=True)

    told = run_three_times(server, "cleanup", service_url=url, **FORCED)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "several")
    assert told.real["migrated"] == [moved]
    assert set(told.real["error"]["invocation_ids"]) == {left, paused}
    assert "migrate_paused" in told.real["error"]["remedy"]
    assert CURE in told.real["error"]["remedy"]
    assert remaining(told.real) == {old.id: "handler_not_served"}


# Resume


@on_all_versions
def test_an_invocation_is_not_resumed_on_an_sdk_that_does_not_speak_its_protocol(server: Server) -> None:
    server.release("release-1")
    paused = server.payment("payment-1")
    new = with_other_sdk(server, "new", "release-2", paused)

    for deployment in ("latest", new.id):
        told = run_three_times(server, "resume", invocation_ids=[paused], deployment=deployment)
        assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "protocol_not_supported")
        assert CURE in told.real["error"]["remedy"]


@on_all_versions
def test_an_older_sdk_at_the_same_url_is_foretold_and_blocks_a_resume(server: Server) -> None:
    old = server.release("release-1")
    paused = server.payment("payment-1")
    other = other_protocol(server, paused)
    server.serve("release-1", "release-2", protocols=other)

    overwritten = run_three_times(server, "redeploy", service_url=old.url, unknown=("deployment_id",))
    told = run_three_times(server, "resume", invocation_ids=[paused])

    (warning,) = (each for each in overwritten.predicted["warnings"] if "in-flight" in each)
    assert warning in overwritten.real["warnings"]
    assert "1 in-flight" in warning
    assert "RT0015" in warning
    assert paused in warning
    assert CURE in warning
    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "protocol_not_supported")


@MOVING
def test_the_cure_that_is_named_works(server: Server) -> None:
    old = server.release("release-1")
    paused = server.payment("payment-1")
    other = other_protocol(server, paused)
    server.serve("release-1", "release-2", protocols=other)
    server.task("redeploy", service_url=old.url)

    cure = server.task("redeploy", service_url=server.serve("cure", "release-2"))["deployment_id"]
    server.task("redeploy", service_url=old.url)
    told = run_three_times(server, "resume", invocation_ids=[paused], deployment=cure)

    assert told.real["summary"]["resumed"] == 1
    assert server.completed(paused)["completion_result"] == "success"
    assert server.service("PaymentWorkflow")["deployment_id"] == old.id


@MOVING
def test_a_zombie_is_not_resumed_as_what_it_is_not(server: Server) -> None:
    old = server.release("old", "basket-object")
    call = basket(server)
    server.register(server.serve("new", "basket-workflow"), breaking=True)
    server.delete(old.id)

    told = run_three_times(server, "resume", invocation_ids=[call], deployment="latest")

    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "service_type_changed")


@on_all_versions
def test_what_has_not_begun_is_not_resumed_where_nothing_serves_it(server: Server) -> None:
    extra = server.release("extra-service")
    server.release("release-2")
    server.serve("extra-service", None)
    waiting = server.send("/Invoices/issue/send", json="order-1")
    server.wait_for_row(waiting, lambda row: row.get("retry_count", 0) >= 1)
    server.delete(extra.id)

    for deployment in ("latest", "keep"):
        told = run_three_times(server, "resume", invocation_ids=[waiting], deployment=deployment)
        assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "service_not_registered")
        assert "Invoices" in told.real["results"][0]["message"]


@MOVING
def test_after_a_journal_mismatch_a_resume_says_what_cures_it(server: Server) -> None:
    server.release("release-1")
    run = server.order("order-1", "wait")
    server.serve("release-1", "journal-changed")
    server.wait_for_row(run, lambda row: row.get("last_failure_error_code") == "RT0016")
    server.http.patch(f"/invocations/{run}/pause")
    server.wait_for_row(run, lambda row: row["status"] == "paused")

    predicted = server.task("resume", check=True, invocation_ids=[run])
    real = server.task("resume", invocation_ids=[run])

    for told in (*predicted["warnings"], predicted["results"][0]["message"]):
        assert "RT0016" in told
        assert CURE in told
    assert predicted["warnings"] == real["warnings"]
    assert reason(real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "journal_mismatch")
    assert real["changed"]
    assert CURE in real["error"]["remedy"]

    cure = server.release("cure", "release-1")
    cured = server.task("resume", invocation_ids=[run], deployment=cure.id)
    assert cured["summary"]["resumed"] == 1, cured
    server.submit("OrderWorkflow", "order-1", "approve")
    assert server.completed(run)["completion_result"] == "success"


@MOVING
def test_after_a_journal_mismatch_the_old_code_at_the_same_url_is_a_cure_too(server: Server) -> None:
    server.release("release-1")
    run = server.order("order-1", "wait")
    server.serve("release-1", "journal-changed")
    server.wait_for_row(run, lambda row: row.get("last_failure_error_code") == "RT0016")
    server.http.patch(f"/invocations/{run}/pause")
    server.wait_for_row(run, lambda row: row["status"] == "paused")
    server.serve("release-1", "release-1")

    real = server.task("resume", invocation_ids=[run])

    assert not real["failed"], real
    assert real["results"][0]["outcome"] == "resumed"


# Redeploy


@MOVING
def test_overwriting_an_object_by_a_workflow_names_the_calls_that_do_not_fit(server: Server) -> None:
    old = server.release("old", "basket-object")
    call = basket(server)
    server.serve("old", "basket-workflow")

    told = run_three_times(server, "redeploy", service_url=old.url, breaking=True)

    (warning,) = (each for each in told.real["warnings"] if "in-flight" in each)
    assert call in warning
    assert "VirtualObject" in warning
