# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not fit a deployment is not moved there, and a dry run knows it."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import ThreeRuns, reason, run_three_times
from tests.integration.unfit_work import CURE, MOVING, basket, other_protocol, with_other_sdk


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
