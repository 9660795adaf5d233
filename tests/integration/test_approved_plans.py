# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan that was approved is carried out, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.server import Server
from tests.integration.three_runs import reason
from tests.integration.versions import on, on_all_versions

ORDERS = ("order-1", "order-2")


def planned(server: Server, module: str, **args: Any) -> str:
    """Return the digest of a dry run, of which two say the same."""
    first, second = (server.task(module, check=True, **args) for _ in range(2))
    assert first["plan_digest"] == second["plan_digest"]
    return str(first["plan_digest"])


def refused(server: Server, module: str, digest: str, **args: Any) -> str:
    """Return what differs from what was approved, where the task has touched nothing."""
    before = server.snapshot()
    told = server.task(module, plan_digest=digest, **args)
    assert told["error"]["code"] == "RESTATE_PLAN_CHANGED", told["msg"]
    assert (told["changed"], "done" in told, "plan_digest" in told) == (False, False, False)
    assert server.snapshot() == before
    warned = server.task(module, check=True, plan_digest=digest, **args)
    assert any(told["error"]["message"] in warning for warning in warned["warnings"])
    assert warned["plan_digest"] != digest
    return str(told["error"]["message"])


def done(server: Server, module: str, digest: str, **args: Any) -> dict[str, Any]:
    """Return the result of a task that carries out what was approved."""
    told = server.task(module, plan_digest=digest, **args)
    assert (told["failed"], told["changed"]) == (False, True), told["msg"]
    assert told["plan_digest"] == digest
    return told


def of_orders() -> dict[str, Any]:
    return {"workflows": [{"service_name": "OrderWorkflow", "service_key": key} for key in ORDERS]}


# Recover


@on_all_versions
def test_a_run_that_was_replaced_by_a_new_one_is_not_destroyed(server: Server) -> None:
    server.release("release-1")
    first, second = (server.order(key, "fail") for key in ORDERS)
    digest = planned(server, "recover_workflow", **of_orders())
    server.http.patch(f"/invocations/{second}/purge").raise_for_status()
    assert server.order("order-2", "fail") == second

    message = refused(server, "recover_workflow", digest, **of_orders())

    assert "changed: OrderWorkflow/order-2 (recover). Nothing was touched." in message
    assert server.row(first) is not None
    digest = planned(server, "recover_workflow", **of_orders())
    assert done(server, "recover_workflow", digest, **of_orders())["summary"]["recovered"] == 2
    message = refused(server, "recover_workflow", digest, **of_orders())
    assert "nothing is left to do, so it is done already: OrderWorkflow/order-1 (recover)," in message


def test_what_a_kill_takes_along_is_approved_with_it(server: Server) -> None:
    server.release("release-1")
    server.order("order-1", "child")
    asked = {"service_name": "OrderWorkflow", "service_key": "order-1", "kill_active": "any"}
    digest = planned(server, "recover_workflow", **asked)
    server.await_approval("order-1")

    assert "changed: OrderWorkflow/order-1" in refused(server, "recover_workflow", digest, **asked)
    done(server, "recover_workflow", planned(server, "recover_workflow", **asked), **asked)


def test_a_key_is_named_whatever_is_in_it_and_hidden_where_it_is_to_be(server: Server) -> None:
    server.release("release-1")
    key = "{{ 7*7 }},a=b:c %7B ü\n4711-0815"
    run = server.order(key, "fail")
    asked = {
        "workflows": [{"service_name": "OrderWorkflow", "service_key": key}],
        "redact_patterns": [r"\d{4}-\d{4}", "[0-9a-f]{8,}"],
    }
    digest = planned(server, "recover_workflow", **asked)
    assert "4711" not in digest
    assert not set("{}'\"\n ") & set(digest)
    server.http.patch(f"/invocations/{run}/purge").raise_for_status()

    message = refused(server, "recover_workflow", digest, **asked)

    assert "OrderWorkflow/{{ 7*7 }},a=b:c %7B ü\\n(hidden)" in message
    server.order(key, "fail")
    done(server, "recover_workflow", planned(server, "recover_workflow", **asked), **asked)


# Clean up


@on_all_versions
def test_a_deployment_that_appeared_is_not_removed(server: Server) -> None:
    old, new = server.release("release-1"), server.release("release-2")
    digest = planned(server, "cleanup", service_url=new.url)
    assert planned(server, "cleanup", service_url=new.url + "/") == digest
    other = server.release("other", "release-1")
    server.register(new.url, force=True)

    message = refused(server, "cleanup", digest, service_url=new.url)

    assert f"new: {other.id} at {other.url} (remove)." in message
    assert old.id not in message
    digest = planned(server, "cleanup", service_url=new.url)
    done(server, "cleanup", digest, service_url=new.url)
    message = refused(server, "cleanup", digest, service_url=new.url)
    assert "no longer there, so it is done already or gone: " in message
    assert old.id in message


@on("1.7.12", "1.5.3")
def test_how_much_drains_does_not_matter_and_what_is_killed_does(server: Server) -> None:
    old = server.release("release-1")
    for number in range(2):
        server.order(f"order-{number}", "wait")
    new = server.release("release-2")
    waiting: dict[str, Any] = {"service_url": new.url, "drain_timeout": 600}
    killing: dict[str, Any] = {
        "service_url": new.url,
        "drain_timeout": 0,
        "force_drain": True,
        "pending": "kill",
    }
    approved = planned(server, "cleanup", **waiting)
    killed = planned(server, "cleanup", **killing)
    server.submit("OrderWorkflow", "order-0", "approve")
    server.wait_for_row(
        server.query("SELECT id FROM sys_invocation WHERE target_service_key = 'order-0'")[0]["id"],
        lambda row: row["status"] == "completed",
    )

    assert planned(server, "cleanup", **waiting) == approved
    message = refused(server, "cleanup", killed, **killing)
    assert f"changed: {old.id} at {old.url} (remove)" in message
    assert "RESTATE_PLAN_CHANGED" in str(server.task("cleanup", plan_digest=approved, **killing)["error"])
    server.submit("OrderWorkflow", "order-1", "approve")
    assert done(server, "cleanup", approved, **waiting)["removed"] == [old.id]


# Register


@on_all_versions
def test_other_code_than_was_approved_is_not_registered(server: Server) -> None:
    old = server.release("release-1")
    url = server.serve("next", "release-2")
    digest = planned(server, "redeploy", service_url=url)
    server.serve("next", "extra-service")

    message = refused(server, "redeploy", digest, service_url=url)

    assert f"changed: {url} (register)." in message
    assert server.deployment_ids() == {old.id}
    digest = planned(server, "redeploy", service_url=url)
    done(server, "redeploy", digest, service_url=url)
    message = refused(server, "redeploy", digest, service_url=url)
    assert f"nothing is left to do, so it is done already: {url} (register)." in message


def test_a_release_that_came_between_is_not_superseded(server: Server) -> None:
    server.release("release-1")
    url = server.serve("next", "release-2")
    digest = planned(server, "redeploy", service_url=url)
    server.release("other", "release-1")

    assert f"changed: {url} (register)." in refused(server, "redeploy", digest, service_url=url)


# Resume


@on_all_versions
def test_what_paused_since_is_not_resumed(server: Server) -> None:
    server.release("release-1")
    first = server.payment("payment-1")
    asked: dict[str, Any] = {"select": {"limit": 5, "kinds": ["paused"]}}
    digest = planned(server, "resume", **asked)
    second = server.payment("payment-2")

    message = refused(server, "resume", digest, **asked)

    assert f"new: {second} (resume)." in message
    assert first not in message
    done(server, "resume", planned(server, "resume", **asked), **asked)


# A release is one chain


@pytest.mark.parametrize("variant", ["release-2", "extra-service", "ledger-only"])
@pytest.mark.parametrize("remove", ["superseded", "all"])
@on_all_versions
def test_a_cleanup_that_was_predicted_for_a_new_deployment_is_the_one_that_comes(
    server: Server, remove: str, variant: str
) -> None:
    server.release("release-1")
    url = server.serve("next", variant)
    assert_chain_holds(server, url, remove=remove, allow_service_removal=True)


@pytest.mark.parametrize("variant", ["extra-service", "ledger-only", "handler-removed"])
@on_all_versions
def test_a_cleanup_that_was_predicted_for_an_overwrite_is_the_one_that_comes(
    server: Server, variant: str
) -> None:
    server.release("release-1")
    url = server.release("next", "release-2").url
    server.serve("next", variant)
    assert_chain_holds(server, url, remove="superseded")


def assert_chain_holds(server: Server, url: str, **asked: Any) -> None:
    register = planned(server, "redeploy", service_url=url)
    foreseen = server.task("redeploy", check=True, service_url=url)
    assumed = {"assume_registered": foreseen["deployment"]}
    clean_up = planned(server, "cleanup", service_url=url, **assumed, **asked)
    done(server, "redeploy", register, service_url=url)

    told = server.task("cleanup", service_url=url, plan_digest=clean_up, **asked)

    assert not told["failed"], told["msg"]
    assert told["plan_digest"] == clean_up


# Through DALP


def test_what_dalp_can_predict_is_approved_through_it(server: Server, through_dalp: None) -> None:
    old = server.release("release-1")
    url = server.serve("next", "release-2")
    assert_chain_holds(server, url)
    assert old.id not in server.deployment_ids()

    digest = planned(server, "cleanup", service_url=url)
    other = server.release("other", "release-1")
    server.register(url, force=True)
    assert f"new: {other.id} at {other.url} (remove)" in refused(server, "cleanup", digest, service_url=url)


def test_what_dalp_cannot_predict_has_no_digest(server: Server, through_dalp: None) -> None:
    server.release("release-1")
    run = server.order("order-1", "fail")
    asked: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": "order-1"}
    assert "plan_digest" not in server.task("recover_workflow", check=True, **asked)

    told = server.task("recover_workflow", plan_digest="recover_workflow,1,0", **asked)

    assert reason(told) == ("RESTATE_UNSUPPORTED", "backend")
    assert server.row(run) is not None


@pytest.mark.parametrize("digest", ["yes", "cleanup,1,0", "redeploy,2,0", "redeploy,1,0,a=b"])
def test_what_is_no_digest_of_this_operation_is_refused(server: Server, digest: str) -> None:
    told = server.task("redeploy", service_url=server.serve("next", "release-2"), plan_digest=digest)
    assert reason(told)[0] == "RESTATE_INVALID_ARGUMENT"
    assert server.deployment_ids() == set()
