# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a network and a cluster do to a call, and that the modules still do each thing once, or say what they know."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.proxy import Proxy, answer, before, changed, cut, lose, proxy_of
from tests.integration.versions import on
from tests.integration.world import World, reason

KEY = "order-1"
EXTERNAL_ERROR = answer(500, {"message": "Datafusion error: External error: connection closed"})


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    with proxy_of(world.admin_url) as started:
        yield started


def recover(world: World, proxy: Proxy, **args: Any) -> dict[str, Any]:
    args = {"service_name": "OrderWorkflow", "service_key": KEY, **args}
    return world.task("recover_workflow", admin_url=proxy.url, **args)


# Answers that are lost


@on("1.7.12", "1.5.3")
@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/kill$"), ("PATCH", "/purge$")], ids=["kill", "purge"]
)
def test_a_recovery_whose_answer_was_lost_goes_on_and_does_nothing_twice(
    world: World, proxy: Proxy, method: str, path: str
) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")
    proxy.once(method, path, lose)

    recovered = recover(world, proxy, kill_active="stuck")

    assert proxy.is_used_up
    assert recovered.get("outcome") == "recovered", recovered["msg"]
    assert recovered["results"][0]["killed"] == [run]
    assert recovered["results"][0]["purged"] == [run]
    assert [write.rpartition("/")[2] for write in proxy.writes] == ["kill", "purge"]
    assert set(world.of_key(KEY).values()) == {0}


@on("1.7.12", "1.5.3")
def test_a_registration_whose_answer_was_lost_is_found_and_not_repeated(world: World, proxy: Proxy) -> None:
    url = world.serve("release-1", "release-1")
    proxy.once("POST", "^/deployments$", lambda request, forward: forward(), lose)

    registered = world.task("redeploy", admin_url=proxy.url, service_url=url)

    assert proxy.is_used_up
    assert not registered["failed"], registered["msg"]
    assert world.deployment_ids() == {registered["deployment_id"]}
    assert proxy.writes == ["POST /deployments"]
    assert world.service("OrderWorkflow")["revision"] == 1


def test_an_overwrite_whose_answer_was_lost_is_not_repeated(world: World, proxy: Proxy) -> None:
    release = world.release("release-1")
    world.serve("release-1", "extra-service")
    proxy.once("POST", "^/deployments$", lambda request, forward: forward(), lose)

    registered = world.task("redeploy", admin_url=proxy.url, service_url=release.url)

    assert not registered["failed"], registered["msg"]
    assert registered["deployment_id"] == release.id
    assert proxy.writes == ["POST /deployments"]
    assert world.service("OrderWorkflow")["revision"] == 2


@on("1.7.12", "1.5.3")
def test_a_removal_whose_answer_was_lost_is_a_removal(world: World, proxy: Proxy) -> None:
    old = world.release("release-1")
    new = world.release("release-2")
    proxy.once("DELETE", "^/deployments/", lose)

    cleaned = world.task("cleanup", admin_url=proxy.url, service_url=new.url)

    assert not cleaned["failed"], cleaned["msg"]
    assert cleaned["removed"] == [old.id]
    assert world.deployment_ids() == {new.id}


# Answers of a gateway


def test_a_kill_that_was_not_routed_is_repeated_after_a_look(world: World, proxy: Proxy) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")
    refusal = answer(503, {"message": "Error when routing the request internally.", "restate_code": None})
    proxy.once("PATCH", "/kill$", refusal, refusal)

    recovered = recover(world, proxy, kill_active="stuck")

    assert recovered.get("outcome") == "recovered", recovered["msg"]
    assert recovered["results"][0]["killed"] == [run]
    kills = [number for number, request in enumerate(proxy.requests) if request.path.endswith("/kill")]
    assert len(kills) == 3
    for first, second in itertools.pairwise(kills):
        assert "POST /query" in {str(request) for request in proxy.requests[first + 1 : second]}


def test_a_kill_that_is_never_routed_fails_and_says_that_its_outcome_is_unknown(
    world: World, proxy: Proxy
) -> None:
    world.release("release-1")
    world.order(KEY, "retry")
    proxy.once("PATCH", "/kill$", *[answer(503, {"message": "no leader"})] * 4)

    failed = recover(world, proxy, kill_active="stuck")

    assert failed["failed"]
    assert failed["error"]["http"]["status"] == 503
    assert failed["done"] == []
    assert not any(write.endswith("/purge") for write in proxy.writes)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_named(world: World, proxy: Proxy, status: int) -> None:
    proxy.once("GET", "^/", *[answer(status, {"message": "who are you"})] * 20)

    for module, args in (
        ("recover_workflow", {"service_name": "OrderWorkflow", "service_key": KEY}),
        ("cleanup", {"service_url": "http://release:9080"}),
    ):
        refused = world.task(module, check=False, admin_url=proxy.url, **args)
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
    world: World, proxy: Proxy, fault: Any, module: str
) -> None:
    world.release("release-1")
    world.order(KEY, "fail")
    new = world.release("release-2")
    # A cut connection is tried again, as all reads are.
    proxy.once("POST", "^/query$", *[fault] * 20)

    if module == "cleanup":
        refused = world.task("cleanup", admin_url=proxy.url, service_url=new.url)
        assert reason(refused)[0] == "RESTATE_QUERY_FAILED"
    else:
        refused = recover(world, proxy)
        assert reason(refused) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "query_failed")

    assert not refused["changed"]
    assert proxy.writes == []


@pytest.mark.parametrize("fault", [EXTERNAL_ERROR, cut], ids=["external error", "cut"])
def test_an_error_of_a_cluster_that_loses_a_node_passes(world: World, proxy: Proxy, fault: Any) -> None:
    world.release("release-1")
    world.order(KEY, "fail")
    proxy.once("POST", "^/query$", fault, fault)

    assert recover(world, proxy).get("outcome") == "recovered"


# Others who act at the same time


@on("1.7.12", "1.5.3")
def test_a_run_that_is_submitted_between_kill_and_purge_survives(world: World, proxy: Proxy) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")

    def somebody_else() -> None:
        world.completed(run)
        world.http.patch(f"/invocations/{run}/purge").raise_for_status()
        assert world.order(KEY, "wait") == run

    # Between the last look at the killed run and its purge the server itself refuses; before that look, the module.
    proxy.once("PATCH", "/purge$", before(somebody_else))
    first = recover(world, proxy, kill_active="stuck")

    row = world.row(run)
    assert row is not None
    assert row["status"] != "completed"
    assert world.of_key(KEY)["state"] == 1
    assert [write.rpartition("/")[2] for write in proxy.writes] == ["kill", "purge"]
    assert first.get("outcome") == "recovered", first["msg"]


def test_a_run_that_is_submitted_after_the_kill_is_left_alone(world: World, proxy: Proxy) -> None:
    world.release("release-1")
    run = world.order(KEY, "retry")

    def somebody_else(request: Any, forward: Any) -> Any:
        reply = forward()
        world.completed(run)
        world.http.patch(f"/invocations/{run}/purge").raise_for_status()
        world.order(KEY, "ok")
        return reply

    proxy.once("PATCH", "/kill$", somebody_else)

    recover(world, proxy, kill_active="stuck")

    assert (world.row(run) or {})["completion_result"] == "success"
    assert not any(write.endswith("/purge") for write in proxy.writes)


def test_work_that_arrives_before_the_removal_is_not_lost(world: World, proxy: Proxy) -> None:
    old = world.release("release-1")
    new = world.release("release-2")
    late: list[str] = []

    def submit(_request: Any, forward: Any) -> Any:
        # As work that got pinned before the release, and that nobody saw yet.
        world.register(old.url, force=True)
        late.append(world.order("late", "wait"))
        world.register(new.url, force=True)
        return forward()

    proxy.once("DELETE", "^/deployments/", submit)

    cleaned = world.task("cleanup", admin_url=proxy.url, service_url=new.url)

    assert cleaned["removed"] == [old.id]
    assert cleaned["migrated"] == late
    assert (world.row(late[0]) or {})["pinned_deployment_id"] == new.id


def test_a_release_that_was_registered_meanwhile_is_not_removed(world: World, proxy: Proxy) -> None:
    old = world.release("release-1")
    new = world.release("release-2")
    # The plan is made from the first look at the services; by the second, somebody rolled back.
    proxy.once(
        "GET",
        "^/services$",
        lambda request, forward: forward(),
        before(lambda: world.register(old.url, force=True)),
    )

    cleaned = world.task("cleanup", admin_url=proxy.url, service_url=new.url, drain_timeout=1)

    assert reason(cleaned) == ("RESTATE_DRAIN_TIMEOUT", "became_latest")
    assert world.deployment_ids() == {old.id, new.id}


# A cluster's stale reads


@on("1.7.12")
def test_stale_lists_of_deployments_are_waited_out(world: World, proxy: Proxy) -> None:
    old = world.release("release-1")
    new_url = world.serve("release-2", "release-2")
    stale = {path: world.http.get(path).json() for path in ("/deployments", "/services")}
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

    registered = world.task("redeploy", admin_url=proxy.url, service_url=new_url)

    assert not registered["failed"], registered["msg"]
    stale.update({path: world.http.get(path).json() for path in stale})

    cleaned = world.task("cleanup", admin_url=proxy.url, service_url=new_url)

    assert not cleaned["failed"], cleaned["msg"]
    assert cleaned["removed"] == [old.id]
    assert sum(write.startswith("DELETE") for write in proxy.writes) == 1
