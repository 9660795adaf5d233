# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Code at a URL that is not what is registered there, and the work that then fails with every attempt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server
from tests.integration.versions import on_all_versions

BASKET = "/Basket/1/run/send"


def finding(result: dict[str, Any], code: str) -> dict[str, Any]:
    """Return the finding of this code."""
    found = {each["code"]: each for each in result["findings"]}
    assert code in found, found
    return found[code]


def fill_basket(server: Server) -> list[str]:
    """Let a call of a basket run, another wait behind it, and a third be scheduled; return their ids."""
    running = server.send(BASKET, json={})
    server.wait_for_row(running, lambda row: "pinned_deployment_id" in row)
    queued = server.send(BASKET, json={})
    delayed = server.send("/Basket/2/run/send?delay=1h", json={})
    for invocation_id in (queued, delayed):
        server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" not in row)
    return [running, queued, delayed]


@on_all_versions
def test_the_doctor_names_work_of_a_service_that_no_deployment_serves(server: Server) -> None:
    shop = server.release("shop", "basket-object")
    fill_basket(server)
    server.serve("shop", "order-only")
    server.register(shop.url, force=True)

    seen = server.task("doctor")

    told = finding(seen, "UNSERVED_INVOCATIONS")
    assert told["severity"] == "critical"
    assert told["subjects"] == ["Basket/run"]
    assert told["message"].startswith("3 unfinished invocations of what no deployment serves")
    assert "1 inboxed" in told["message"]
    assert "1 scheduled" in told["message"]
    assert "Basket" in told["remedy"]
    assert not seen["healthy"]


def test_the_doctor_names_work_of_a_handler_that_no_deployment_serves(server: Server) -> None:
    server.release("shop", "release-1")
    waiting = server.await_approval("order-1")
    server.serve("shop", "handler-removed")
    server.register(server.services.url("shop"), force=True, breaking=True)

    told = finding(server.task("doctor"), "UNSERVED_INVOCATIONS")

    assert server.row(waiting)
    assert told["subjects"] == ["OrderWorkflow/await_approval"]


def test_work_that_an_older_deployment_still_serves_is_no_finding(server: Server) -> None:
    server.release("shop", "basket-object")
    fill_basket(server)
    server.release("release-2")

    codes = [each["code"] for each in server.task("doctor", probe_services=True)["findings"]]

    assert "UNSERVED_INVOCATIONS" not in codes


@on_all_versions
def test_the_doctor_compares_what_a_url_offers_with_what_is_registered(server: Server) -> None:
    shop = server.release("shop", "release-2")
    server.serve("shop", "extra-service")

    told = finding(server.task("doctor", probe_services=True), "DEPLOYMENT_DRIFT")

    assert told["severity"] == "warning"
    assert told["subjects"] == [shop.id]
    assert "Invoices is not registered" in told["message"]
    assert f"restate_service_url={shop.url}" in told["remedy"]
    assert not server.task("redeploy", service_url=shop.url)["failed"]
    assert "DEPLOYMENT_DRIFT" not in [
        each["code"] for each in server.task("doctor", probe_services=True)["findings"]
    ]


@pytest.mark.parametrize(("variant", "said"), [
    ("order-only", "PaymentWorkflow is not offered any more"),
    ("handler-removed", "OrderWorkflow/await_approval is not offered any more"),
    ("type-changed", "OrderWorkflow is a Service, and not a Workflow"),
])  # fmt: skip
def test_code_that_lacks_what_is_registered_is_critical(server: Server, variant: str, said: str) -> None:
    server.release("shop", "release-2")
    server.serve("shop", variant)

    seen = server.task("doctor", probe_services=True)

    told = finding(seen, "DEPLOYMENT_DRIFT")
    assert (told["severity"], seen["healthy"]) == ("critical", False)
    assert said in told["message"]


def test_a_probe_that_is_not_permitted_is_told_once_and_says_nothing_of_services(
    server: Server, proxy: Proxy
) -> None:
    server.release("release-1")
    server.release("shop", "basket-object")
    proxy.once("POST", "^/deployments$", *[answer(403)] * 2)

    seen = server.task("doctor", admin_url=proxy.url, probe_services=True)

    told = [each for each in seen["findings"] if each["component"] == "services"]
    assert [each["code"] for each in told] == ["PROBE_FAILED"]
    assert "probe_services to false" in told[0]["remedy"]
    assert seen["healthy"]
    assert "PROBE_FAILED" not in [
        each["code"] for each in server.task("doctor", admin_url=proxy.url, probe_services=False)["findings"]
    ]


# Registering code that lacks what unfinished work needs


@on_all_versions
def test_a_redeploy_refuses_to_leave_work_without_its_service(server: Server) -> None:
    shop = server.release("shop", "basket-object")
    fill_basket(server)
    server.serve("shop", "order-only")
    before = server.snapshot()

    for check in (True, False):
        refused = server.task("redeploy", service_url=shop.url, check=check)
        assert refused["failed"]
        assert refused["error"]["code"] == "RESTATE_SERVICE_REMOVAL_REFUSED"
        assert refused["error"]["reason"] == "unfinished_work"
        assert "3 unfinished invocations would need: Basket/run (" in refused["msg"]
        assert "allow_service_removal" in refused["error"]["remedy"]
    assert server.snapshot() == before

    foreseen = server.task("redeploy", service_url=shop.url, allow_service_removal=True, check=True)
    done = server.task("redeploy", service_url=shop.url, allow_service_removal=True)
    assert not done["failed"], done["msg"]
    assert foreseen["warnings"] == done["warnings"]
    assert any("3 unfinished invocations will fail with every attempt" in text for text in done["warnings"])


def test_a_release_at_a_new_url_refuses_to_leave_queued_work_without_its_handler(server: Server) -> None:
    server.release("old", "release-1")
    delayed = server.send("/OrderWorkflow/order-1/await_approval/send?delay=1h")
    url = server.serve("new", "handler-removed")

    refused = server.task("redeploy", service_url=url)

    assert server.row(delayed)
    assert refused["error"]["code"] == "RESTATE_SERVICE_REMOVAL_REFUSED"
    assert "OrderWorkflow/await_approval (1 scheduled)" in refused["msg"]


def test_a_service_without_unfinished_work_may_go_with_a_warning(server: Server) -> None:
    shop = server.release("shop", "release-2")
    server.order("order-1", "ok")
    server.serve("shop", "order-only")

    done = server.task("redeploy", service_url=shop.url)

    assert not done["failed"], done["msg"]
    assert any("no longer offers PaymentWorkflow" in text for text in done["warnings"])


def test_work_that_began_on_an_older_deployment_is_not_lost_with_a_new_one(server: Server) -> None:
    server.release("old", "basket-object")
    running = server.send(BASKET, json={})
    server.wait_for_row(running, lambda row: "pinned_deployment_id" in row)
    server.release("shop", "basket-object")
    url = server.serve("shop", "order-only")

    done = server.task("redeploy", service_url=url)

    assert not done["failed"], done["msg"]


def test_a_change_of_type_that_is_allowed_is_told(server: Server) -> None:
    server.release("old", "basket-object")
    url = server.serve("new", "basket-workflow")

    done = server.task("redeploy", service_url=url, breaking=True)

    assert not done["failed"], done["msg"]
    assert any("Basket (from VirtualObject to Workflow)" in text for text in done["warnings"])
