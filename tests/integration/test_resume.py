# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_resume: what goes on, where, and what is left and why."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions


def told(result: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["invocation_id"]: (each["outcome"], each["reason"]) for each in result["results"]}


def dry_and_real(server: Server, **args: Any) -> dict[str, Any]:
    """Resume dry, which must change nothing, and for real, which must do as was said."""
    before = server.snapshot()
    dry = server.task("resume", check=True, **args)
    assert server.snapshot() == before
    real = server.task("resume", **args)
    assert told(dry) == told(real)
    assert dry["changed"] == real["changed"]
    return real


@on_all_versions
def test_what_paused_goes_on_once_its_cause_is_gone(server: Server) -> None:
    server.release("release-1")
    run = server.payment("payment-1")
    server.serve("release-1", "release-2")

    result = dry_and_real(server, select={"limit": 5, "kinds": ["paused"]})

    assert told(result) == {run: ("resumed", None)}
    assert server.completed(run)["completion_result"] == "success"
    again = server.task("resume", invocation_ids=[run])
    assert told(again) == {run: ("unchanged", "completed")}
    assert not again["changed"]


@on("1.7.12", "1.6.2")
def test_what_keeps_retrying_moves_to_the_release_that_cures_it(server: Server) -> None:
    server.release("release-1")
    run = server.order("order-1", "retry")
    latest = server.release("release-2")

    result = dry_and_real(server, select={"limit": 5}, deployment="latest")

    assert result["results"][0]["deployment_id"] == latest.id
    assert server.completed(run)["completion_result"] == "success"


@on("1.7.12", "1.6.2")
def test_a_zombie_goes_on_only_on_another_deployment(server: Server) -> None:
    old = server.release("release-1")
    latest = server.release("release-2")
    run = server.order("order-1", "ok")
    server.http.patch(f"/invocations/{run}/purge")
    gone = server.release("order-only")
    zombie = server.order("order-2", "wait")
    server.register(latest.url, force=True)
    server.delete(gone.id)

    kept = server.task("resume", invocation_ids=[zombie])
    moved = dry_and_real(server, invocation_ids=[zombie], deployment="latest")

    assert reason(kept) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "deployment_gone")
    assert told(moved) == {zombie: ("resumed", None)}
    row = server.row(zombie)
    assert row is not None
    assert row["pinned_deployment_id"] == latest.id != old.id


def test_what_is_not_stuck_is_left(server: Server) -> None:
    server.release("release-1")
    waiting = server.order("order-1", "wait")
    done = server.order("order-2", "ok")

    result = run_three_times(server, "resume", invocation_ids=[waiting, done], deployment="latest").real

    assert told(result) == {waiting: ("unchanged", "not_stuck"), done: ("unchanged", "completed")}


def test_a_deployment_that_does_not_serve_the_handler_gets_nothing(server: Server) -> None:
    server.release("release-1")
    paused = server.payment("payment-1")
    other = server.release("order-only")

    result = run_three_times(server, "resume", invocation_ids=[paused], deployment=other.id).real

    assert reason(result) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "handler_not_served")


def test_an_unknown_id_is_said_to_be_unknown_and_does_not_stop_the_others(server: Server) -> None:
    server.release("release-1")
    paused = server.payment("payment-1")
    unknown = paused[:-4] + ("aaaa" if not paused.endswith("aaaa") else "bbbb")

    result = dry_and_real(server, invocation_ids=[unknown, paused], skip_blocked=True)

    assert told(result) == {unknown: ("blocked", "not_found"), paused: ("resumed", None)}


@on("1.5.3")
def test_a_server_that_cannot_pause_moves_nothing_that_runs(server: Server) -> None:
    server.release("release-1")
    server.order("order-1", "retry")
    server.release("release-2")

    result = run_three_times(server, "resume", select={"limit": 5}, deployment="latest").real

    assert reason(result)[0] == "RESTATE_UNSUPPORTED"


def test_the_unfinished_invocations_of_a_workflow_are_meant(server: Server) -> None:
    server.release("release-1")
    paused = server.payment("payment-1")
    key = {"service_name": "PaymentWorkflow", "service_key": "payment-1"}

    result = dry_and_real(server, workflows=[key, {**key, "service_key": "none"}])

    assert told(result) == {paused: ("resumed", None)}


def test_a_deployment_that_is_not_registered_is_refused(server: Server) -> None:
    server.release("release-1")
    paused = server.payment("payment-1")

    result = run_three_times(server, "resume", invocation_ids=[paused], deployment="dp_nope").real

    assert reason(result)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"
