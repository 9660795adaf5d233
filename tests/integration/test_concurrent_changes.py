# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others do on the server while a task runs, and that nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.proxy import Proxy, before
from tests.integration.recovery_of_one import KEY, recover_through
from tests.integration.server import Server
from tests.integration.superseded_deployments import remaining, superseded
from tests.integration.three_runs import reason
from tests.integration.versions import on


@on("1.7.12", "1.5.3")
def test_a_run_that_is_submitted_between_kill_and_purge_survives(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")

    def somebody_else() -> None:
        server.completed(run)
        server.http.patch(f"/invocations/{run}/purge").raise_for_status()
        assert server.order(KEY, "wait") == run

    # Between the last look at the killed run and its purge the server itself refuses; before that look, the module.
    proxy.once("PATCH", "/purge$", before(somebody_else))
    first = recover_through(server, proxy, kill_active="stuck")

    row = server.row(run)
    assert row is not None
    assert row["status"] != "completed"
    assert server.count_rows_of_key(KEY)["state"] == 1
    assert [write.rpartition("/")[2] for write in proxy.writes] == ["kill", "purge"]
    assert first.get("outcome") == "recovered", first["msg"]


def test_a_run_that_is_submitted_after_the_kill_is_left_alone(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    run = server.order(KEY, "retry")

    def somebody_else(request: Any, forward: Any) -> Any:
        reply = forward()
        server.completed(run)
        server.http.patch(f"/invocations/{run}/purge").raise_for_status()
        server.order(KEY, "ok")
        return reply

    proxy.once("PATCH", "/kill$", somebody_else)

    recover_through(server, proxy, kill_active="stuck")

    assert (server.row(run) or {})["completion_result"] == "success"
    assert not any(write.endswith("/purge") for write in proxy.writes)


def test_work_that_arrives_before_the_removal_is_not_lost(server: Server, proxy: Proxy) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    late: list[str] = []

    def submit(_request: Any, forward: Any) -> Any:
        # As work that got pinned before the release, and that nobody saw yet.
        server.register(old.url, force=True)
        late.append(server.order("late", "wait"))
        server.register(new.url, force=True)
        return forward()

    proxy.once("DELETE", "^/deployments/", submit)

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url)

    assert cleaned["removed"] == [old.id]
    assert cleaned["migrated"] == late
    assert (server.row(late[0]) or {})["pinned_deployment_id"] == new.id


def test_a_release_that_was_registered_meanwhile_is_not_removed(server: Server, proxy: Proxy) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    # The plan is made from the first look at the services; by the second, somebody rolled back.
    proxy.once(
        "GET",
        "^/services$",
        lambda request, forward: forward(),
        before(lambda: server.register(old.url, force=True)),
    )

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url, drain_timeout=1)

    assert reason(cleaned) == ("RESTATE_DRAIN_TIMEOUT", "became_latest")
    assert server.deployment_ids() == {old.id, new.id}


@pytest.mark.parametrize("pending", ["migrate", "cancel", "kill", "abandon"])
def test_the_work_of_a_release_that_became_the_latest_during_the_drain_is_left_alone(
    pending: str, server: Server, proxy: Proxy
) -> None:
    old, new = superseded(server, ("order-1", "wait"))
    [run] = server.query("SELECT id FROM sys_invocation_status")
    # The plan is made from the first look at the services; by the second, somebody rolled back.
    proxy.once(
        "GET",
        "^/services$",
        lambda request, forward: forward(),
        before(lambda: server.register(old.url, force=True)),
    )

    cleaned = server.task(
        "cleanup",
        admin_url=proxy.url,
        service_url=new.url,
        force_drain=True,
        drain_timeout=1,
        pending=pending,
    )

    assert reason(cleaned) == ("RESTATE_DRAIN_TIMEOUT", "became_latest")
    assert remaining(cleaned) == {old.id: "became_latest"}
    assert proxy.writes == []
    row = server.row(run["id"]) or {}
    assert row["status"] != "completed"
    assert row["pinned_deployment_id"] == old.id
    assert server.deployment_ids() == {old.id, new.id}


def test_a_release_that_somebody_else_removed_meanwhile_is_gone_and_no_failure(
    server: Server, proxy: Proxy
) -> None:
    first = server.release("release-1")
    second = server.release("second", "release-1")
    new = server.release("release-2")
    proxy.once("DELETE", "^/deployments/", before(lambda: server.delete(second.id)))

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url)

    assert not cleaned["failed"], cleaned["msg"]
    assert (cleaned["removed"], cleaned["already_gone"]) == ([first.id], [second.id])
    assert cleaned["remaining"] == []
    assert cleaned["diff"]["after"]["deployments"].keys() == {new.id}
    assert server.deployment_ids() == {new.id}
