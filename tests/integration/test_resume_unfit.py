# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_resume: what does not fit is not resumed, and what fails again is not called resumed."""

from __future__ import annotations

from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times
from tests.integration.unfit_work import CURE, MOVING, basket, other_protocol, with_other_sdk
from tests.integration.versions import on_all_versions

# What does not fit


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


@MOVING
def test_a_handler_that_is_gone_from_its_url_blocks_what_it_began_and_what_it_has_not(server: Server) -> None:
    deployment = server.release("release-1")
    begun = server.await_approval("order-1")
    server.serve("release-1", None)
    queued = server.send("/OrderWorkflow/order-2/await_approval/send")
    server.wait_for_row(queued, lambda row: row.get("retry_count", 0) >= 1)
    server.serve("release-1", "handler-removed")

    overwritten = run_three_times(server, "redeploy", service_url=deployment.url, allow_service_removal=True)
    server.wait_for_row(queued, lambda row: row.get("last_failure") is not None)
    server.wait_for_row(begun, lambda row: row.get("last_failure") is not None)
    # What is being retried reads as running now and then.
    told = run_three_times(server, "resume", invocation_ids=[begun, queued], unknown=("diff",))

    (warning,) = (each for each in overwritten.real["warnings"] if "in-flight" in each)
    assert "RT0012" in warning
    assert begun in warning
    assert {each["invocation_id"]: each["reason"] for each in told.real["results"]} == {
        begun: "handler_not_served",
        queued: "latest_does_not_fit",
    }
    assert told.real["summary"]["blocked"] == 2
    assert all(
        f"{why}: " in told.real["error"]["remedy"] for why in ("handler_not_served", "latest_does_not_fit")
    )


@MOVING
def test_what_is_behind_a_url_and_not_registered_is_found_when_it_fails_again(server: Server) -> None:
    server.release("release-1")
    one, two = server.payment("payment-1"), server.order("order-1", "wait")
    server.serve("release-1", "release-2", protocols=other_protocol(server, one))
    server.wait_for_row(two, lambda row: row.get("last_failure_error_code") == "RT0015")

    first = server.task("resume", invocation_ids=[two])
    server.serve("release-1", "basket-object")
    server.wait_for_row(two, lambda row: row.get("last_failure_error_code") == "RT0012")
    second = server.task("resume", invocation_ids=[two])

    assert reason(first) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "protocol_not_supported")
    assert reason(second) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "unexpected_answer")
    assert "restate_redeploy" in second["error"]["remedy"]


@MOVING
def test_what_mismatches_where_it_is_moved_to_is_not_called_resumed(server: Server) -> None:
    old = server.release("release-1")
    run = server.order("order-1", "wait")
    new = server.release("new", "journal-changed")
    server.delete(old.id)

    real = server.task("resume", invocation_ids=[run], deployment="latest")

    assert reason(real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "journal_mismatch")
    assert real["changed"]
    assert real["results"][0]["deployment_id"] == new.id
