# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first of several nodes accepts requests and fails them: tasks go on at the next one, in bounded time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.proxy import Answer, Fault, Forward, Proxy, Request, answer, delay, proxy_of
from tests.integration.recovery_of_one import KEY
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, superseded

TIME_OUT = 1.0
NO_SCANNER = answer(500, {"message": "Datafusion error: Internal error: No such scanner 3"})
ENOUGH_SECONDS = 6.0
"""A task takes one at most on an engine like this."""
FAULTS = ["freezes", "500"]


def page(_request: Request, _forward: Forward) -> Answer:
    return Answer(502, b"<html><h1>Bad Gateway</h1></html>", {"content-type": "text/html"})


@contextlib.contextmanager
def failing(url: str, how: str) -> Iterator[Proxy]:
    """Give a proxy in front of a server that fails all requests."""
    with proxy_of(url) as proxy:
        faults: dict[str, Fault] = {"freezes": proxy.freeze, "500": NO_SCANNER}
        proxy.always = faults[how]
        yield proxy


@pytest.fixture(params=FAULTS)
def nodes(request: pytest.FixtureRequest, server: Server) -> Iterator[dict[str, Any]]:
    """Two nodes, of which the first fails all requests to its admin API and its ingress."""
    # Without retries a server error is not waited for.
    with (
        failing(server.admin_url, request.param) as admin,
        failing(server.ingress_url, request.param) as ingress,
    ):
        yield {
            "admin_url": [admin.url, server.admin_url],
            "ingress_url": [ingress.url, server.ingress_url],
            "request_timeout": TIME_OUT,
            "retries": 0,
        }
        assert not admin.writes
        assert not ingress.writes


def in_time(server: Server, module: str, **args: Any) -> dict[str, Any]:
    """Run a task, and hold that it succeeds and does not wait for the node again and again."""
    began = time.monotonic()
    result = server.task(module, **args)
    assert not result["failed"], result["msg"]
    assert time.monotonic() - began < ENOUGH_SECONDS
    return result


def test_the_doctor(server: Server, nodes: dict[str, Any]) -> None:
    server.release("release-1")
    server.order(KEY, "wait")

    seen = in_time(server, "doctor", probe_services=True, **nodes)

    assert seen["admin"]["url"] == server.admin_url
    assert [each["status"] == "ok" for each in seen["admin"]["nodes"]] == [False, True]
    assert [each["status"] == "ok" for each in seen["ingress"]["nodes"]] == [False, True]
    assert {each["severity"] for each in seen["findings"]} == {"warning"}
    assert seen["invocations"]["status"] == "ok"


def test_a_registration(server: Server, nodes: dict[str, Any]) -> None:
    url = server.serve("release-1", "release-1")
    for check in (True, False):
        registered = in_time(server, "redeploy", check=check, service_url=url, **nodes)
        assert registered["changed"]
    assert server.deployment_ids() == {registered["deployment_id"]}


def test_a_cleanup(server: Server, nodes: dict[str, Any]) -> None:
    old, new = superseded(server, ("order-1", "wait"), ("order-2", "retry"))
    for check in (True, False):
        cleaned = in_time(server, "cleanup", check=check, service_url=new.url, **FORCED, **nodes)
        assert cleaned["removed"] == [old.id]
    assert server.deployment_ids() == {new.id}


def test_a_resume(server: Server, nodes: dict[str, Any]) -> None:
    server.release("release-1")
    runs = [server.payment(f"payment-{number}") for number in range(3)]
    server.serve("release-1", "release-2")
    for check in (True, False):
        resumed = in_time(server, "resume", check=check, invocation_ids=runs, **nodes)
        assert resumed["summary"]["resumed"] == 3
    for run in runs:
        assert server.completed(run)["completion_result"] == "success"


def test_a_recovery_with_a_resubmission(server: Server, nodes: dict[str, Any], tmp_path: Path) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    more = {"service_name": "OrderWorkflow", "service_key": KEY, "resubmit": "original_input"}
    for check in (True, False):
        recovered = in_time(
            server, "recover_workflow", check=check, snapshot_dir=str(tmp_path), **more, **nodes
        )
        assert recovered["results"][0]["purged"] == [run]
    assert recovered["results"][0]["resubmitted"]


# A node that fails in the middle


@pytest.mark.parametrize("fault", [NO_SCANNER, page], ids=["500", "502 with a page"])
def test_a_cleanup_goes_on_if_the_first_node_fails_after_a_write(server: Server, fault: Fault) -> None:
    old, new = superseded(server, ("order-1", "wait"), ("order-2", "wait"))
    with proxy_of(server.admin_url) as first:

        def then_fail(_request: Request, forward: Forward) -> Answer:
            first.always = fault
            return forward()

        first.once("PATCH", "/resume$", then_fail)
        began = time.monotonic()
        cleaned = server.task(
            "cleanup", service_url=new.url, admin_url=[first.url, server.admin_url], **FORCED
        )
        took = time.monotonic() - began

    assert not cleaned["failed"], cleaned["msg"]
    assert len(cleaned["migrated"]) == 2
    assert cleaned["removed"] == [old.id]
    assert server.deployment_ids() == {new.id}
    assert took < 15


def test_a_write_that_is_held_is_sent_to_no_other_node(server: Server) -> None:
    server.release("release-1")
    server.order(KEY, "fail")
    with proxy_of(server.admin_url) as first:
        first.once("PATCH", "/purge$", first.freeze)
        began = time.monotonic()
        with proxy_of(server.admin_url) as second:
            failed = server.task(
                "recover_workflow",
                admin_url=[first.url, second.url],
                request_timeout=TIME_OUT,
                service_name="OrderWorkflow",
                service_key=KEY,
            )
            took = time.monotonic() - began

    assert failed["failed"]
    assert first.writes == [write for write in first.writes if write.endswith("/purge")]
    assert len(first.writes) == 1
    assert second.writes == []
    assert took < ENOUGH_SECONDS


# All of them fail


@pytest.mark.parametrize("module", ["redeploy", "cleanup", "recover_workflow", "resume"])
def test_a_task_ends_soon_where_all_nodes_freeze(server: Server, module: str) -> None:
    args: dict[str, dict[str, Any]] = {
        "redeploy": {"service_url": "http://release:9080"},
        "cleanup": {"service_url": "http://release:9080"},
        "recover_workflow": {"service_name": "OrderWorkflow", "service_key": KEY},
        "resume": {"select": {"limit": 1}},
    }
    with failing(server.admin_url, "freezes") as first, failing(server.admin_url, "freezes") as second:
        began = time.monotonic()
        failed = server.task(
            module, admin_url=[first.url, second.url], request_timeout=TIME_OUT, **args[module]
        )
        took = time.monotonic() - began

    assert (failed["error"]["code"], failed["error"]["reason"]) == ("RESTATE_ADMIN_UNREACHABLE", "timeout")
    assert took < 2 * TIME_OUT + 2


def test_the_doctor_loses_one_time_out_to_an_engine_that_is_frozen(server: Server) -> None:
    with failing(server.admin_url, "freezes") as first, failing(server.ingress_url, "freezes") as ingress:
        began = time.monotonic()
        seen = server.task(
            "doctor",
            admin_url=[first.url, server.admin_url, "http://127.0.0.1:1"],
            ingress_url=[ingress.url, server.ingress_url],
            request_timeout=3,
        )
        took = time.monotonic() - began

    assert not seen["failed"], seen["msg"]
    assert [each["status"] for each in seen["admin"]["nodes"]] == ["unreachable", "ok", "unreachable"]
    assert took < 2 * 3


# Patience


def test_a_scanner_that_is_missing_for_a_while_is_waited_for(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    proxy.once("POST", "^/query$", *[NO_SCANNER] * 4)

    recovered = server.task(
        "recover_workflow", admin_url=proxy.url, service_name="OrderWorkflow", service_key=KEY
    )

    assert not recovered["failed"], recovered["msg"]
    assert recovered["results"][0]["purged"] == [run]


def test_a_slow_node_is_no_frozen_one(server: Server) -> None:
    url = server.serve("release-1", "release-1")
    with proxy_of(server.admin_url) as first, proxy_of(server.admin_url) as second:
        first.always = delay(TIME_OUT / 4)
        registered = in_time(
            server,
            "redeploy",
            admin_url=[first.url, second.url],
            request_timeout=TIME_OUT,
            service_url=url,
        )

    assert registered["changed"]
    # The lists of all nodes are compared.
    assert {str(each) for each in second.requests} <= {"GET /deployments"}
