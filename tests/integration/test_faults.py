# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a network and a cluster do to a call, and that the modules still do each thing once, or say what they know."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from tests.integration.proxy import Proxy, answer, changed, cut, lose
from tests.integration.recovery_of_one import KEY, recover_through
from tests.integration.server import Server
from tests.integration.three_runs import reason
from tests.integration.versions import on

EXTERNAL_ERROR = answer(500, {"message": "Datafusion error: External error: connection closed"})


# Answers that are lost


@on("1.7.12", "1.5.3")
@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/kill$"), ("PATCH", "/purge$")], ids=["kill", "purge"]
)
def test_a_recovery_whose_answer_was_lost_goes_on_and_does_nothing_twice(
    server: Server, proxy: Proxy, method: str, path: str
) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")
    proxy.once(method, path, lose)

    recovered = recover_through(server, proxy, kill_active="stuck")

    assert proxy.is_used_up
    assert recovered.get("outcome") == "recovered", recovered["msg"]
    assert recovered["results"][0]["killed"] == [run]
    assert recovered["results"][0]["purged"] == [run]
    assert [write.rpartition("/")[2] for write in proxy.writes] == ["kill", "purge"]
    assert set(server.count_rows_of_key(KEY).values()) == {0}


@on("1.7.12", "1.5.3")
def test_a_registration_whose_answer_was_lost_is_found_and_not_repeated(server: Server, proxy: Proxy) -> None:
    url = server.serve("release-1", "release-1")
    proxy.once("POST", "^/deployments$", lambda request, forward: forward(), lose)

    registered = server.task("redeploy", admin_url=proxy.url, service_url=url)

    assert proxy.is_used_up
    assert not registered["failed"], registered["msg"]
    assert server.deployment_ids() == {registered["deployment_id"]}
    assert proxy.writes == ["POST /deployments"]
    assert server.service("OrderWorkflow")["revision"] == 1


def test_an_overwrite_whose_answer_was_lost_is_not_repeated(server: Server, proxy: Proxy) -> None:
    release = server.release("release-1")
    server.serve("release-1", "extra-service")
    proxy.once("POST", "^/deployments$", lambda request, forward: forward(), lose)

    registered = server.task("redeploy", admin_url=proxy.url, service_url=release.url)

    assert not registered["failed"], registered["msg"]
    assert registered["deployment_id"] == release.id
    assert proxy.writes == ["POST /deployments"]
    assert server.service("OrderWorkflow")["revision"] == 2


@on("1.7.12", "1.5.3")
def test_a_removal_whose_answer_was_lost_is_a_removal(server: Server, proxy: Proxy) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    proxy.once("DELETE", "^/deployments/", lose)

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url)

    assert not cleaned["failed"], cleaned["msg"]
    assert cleaned["removed"] == [old.id]
    assert server.deployment_ids() == {new.id}


# Answers of a gateway


def test_a_kill_that_was_not_routed_is_repeated_after_a_look(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")
    refusal = answer(503, {"message": "Error when routing the request internally.", "restate_code": None})
    proxy.once("PATCH", "/kill$", refusal, refusal)

    recovered = recover_through(server, proxy, kill_active="stuck")

    assert recovered.get("outcome") == "recovered", recovered["msg"]
    assert recovered["results"][0]["killed"] == [run]
    kills = [number for number, request in enumerate(proxy.requests) if request.path.endswith("/kill")]
    assert len(kills) == 3
    for first, second in itertools.pairwise(kills):
        assert "POST /query" in {str(request) for request in proxy.requests[first + 1 : second]}


def test_a_kill_that_is_never_routed_fails_and_says_that_its_outcome_is_unknown(
    server: Server, proxy: Proxy
) -> None:
    server.release("release-1")
    server.order(KEY, "retry")
    proxy.once("PATCH", "/kill$", *[answer(503, {"message": "no leader"})] * 20)

    failed = recover_through(server, proxy, kill_active="stuck")

    assert failed["failed"]
    assert failed["error"]["http"]["status"] == 503
    assert failed["done"] == []
    assert not any(write.endswith("/purge") for write in proxy.writes)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_named(server: Server, proxy: Proxy, status: int) -> None:
    proxy.once("GET", "^/", *[answer(status, {"message": "who are you"})] * 20)

    for module, args in (
        ("recover_workflow", {"service_name": "OrderWorkflow", "service_key": KEY}),
        ("cleanup", {"service_url": "http://release:9080"}),
    ):
        refused = server.task(module, check=False, admin_url=proxy.url, **args)
        assert reason(refused)[0] == "RESTATE_PERMISSION_REQUIRED"
        assert "who are you" in refused["msg"]


# Queries


@pytest.mark.parametrize(
    "fault",
    [
        cut,
        changed(lambda body: {**body, "warnings": [{"origin": "partition 3", "message": "no leader"}]}),
        changed(lambda body: body, x_restate_query_warnings="1"),
        answer(500, {"message": "Datafusion error: Schema error: no field"}),
    ],
    ids=["cut in the middle", "warnings", "a header of warnings", "an error that stays"],
)
@pytest.mark.parametrize("module", ["recover_workflow", "cleanup"])
def test_an_answer_that_is_not_whole_is_no_answer(
    server: Server, proxy: Proxy, fault: Any, module: str
) -> None:
    server.release("release-1")
    server.order(KEY, "fail")
    new = server.release("release-2")
    # A cut connection is tried again, as all reads are.
    proxy.once("POST", "^/query$", *[fault] * 60)

    if module == "cleanup":
        refused = server.task("cleanup", admin_url=proxy.url, service_url=new.url)
        assert reason(refused)[0] == "RESTATE_QUERY_FAILED"
    else:
        refused = recover_through(server, proxy)
        assert reason(refused) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "query_failed")

    assert not refused["changed"]
    assert proxy.writes == []


@pytest.mark.parametrize("fault", [EXTERNAL_ERROR, cut], ids=["external error", "cut"])
def test_an_error_of_a_cluster_that_loses_a_node_passes(server: Server, proxy: Proxy, fault: Any) -> None:
    server.release("release-1")
    server.order(KEY, "fail")
    proxy.once("POST", "^/query$", fault, fault)

    assert recover_through(server, proxy).get("outcome") == "recovered"


# A cluster's stale reads


@on("1.7.12")
def test_stale_lists_of_deployments_are_waited_out(server: Server, proxy: Proxy) -> None:
    old = server.release("release-1")
    new_url = server.serve("release-2", "release-2")
    stale = {path: server.http.get(path).json() for path in ("/deployments", "/services")}
    outdated = threading.Event()

    def serve_stale(request: Any, forward: Any) -> Any:
        return answer(200, stale[request.path])(request, forward) if outdated.is_set() else forward()

    def then_stale(_request: Any, forward: Any) -> Any:
        reply = forward()
        outdated.set()
        threading.Timer(1.5, outdated.clear).start()
        return reply

    proxy.once("GET", "^/(deployments|services)$", *[serve_stale] * 100)
    proxy.once("POST", "^/deployments$", lambda request, forward: forward(), then_stale)
    proxy.once("DELETE", "^/deployments/", then_stale)

    registered = server.task("redeploy", admin_url=proxy.url, service_url=new_url)

    assert not registered["failed"], registered["msg"]
    stale.update({path: server.http.get(path).json() for path in stale})

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new_url)

    assert not cleaned["failed"], cleaned["msg"]
    assert cleaned["removed"] == [old.id]
    assert sum(write.startswith("DELETE") for write in proxy.writes) == 1
