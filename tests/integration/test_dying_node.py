# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node that dies answers in the middle of work (1.7.12), and that nothing is lost or misreported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.proxy import Proxy, answer, changed, lose
from tests.integration.recovery_of_many import created_at_by_key, of_order, outcomes
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, superseded

NO_ROUTE = answer(503, {"message": "Error when routing the request internally.", "restate_code": None})
DEAD_PARTITION = "rpc for partition 3 at node N2:1 failed: internal error: connection closed"
KEYS = ["order-1", "order-2", "order-3"]


def as_failed(body: dict[str, Any]) -> dict[str, Any]:
    """Answer of each item that its partition could not be asked."""
    return {
        "succeeded": [],
        "failed": [{"invocation_id": each, "error": DEAD_PARTITION} for each in body["succeeded"]],
    }


def recover(server: Server, proxy: Proxy, folder: Path, **more: Any) -> dict[str, Any]:
    return dict(
        server.task(
            "recover_workflow",
            admin_url=proxy.url,
            workflows=of_order(*KEYS),
            snapshot_dir=str(folder),
            resubmit="original_input",
            **more,
        )
    )


@pytest.mark.parametrize("verb", ["purge", "kill"])
def test_items_that_were_carried_out_though_answered_as_failed_are_submitted_again(
    server: Server, proxy: Proxy, tmp_path: Path, verb: str
) -> None:
    server.release("release-1")
    for key in KEYS:
        server.order(key, "fail" if verb == "purge" else "retry")
    before = created_at_by_key(server)
    proxy.once("POST", f"/{verb}$", changed(as_failed))

    recovered = recover(server, proxy, tmp_path, kill_active="stuck")

    assert not recovered["failed"], recovered["msg"]
    assert outcomes(recovered) == dict.fromkeys(KEYS, ("recovered", None))
    assert all(each["purged"] and each["resubmitted"] for each in recovered["results"])
    after = created_at_by_key(server)
    assert all(after[key] > before[key] for key in KEYS)
    assert not list(tmp_path.glob("*.open.json"))


def test_what_no_answer_tells_of_is_unknown_and_the_next_task_submits_it(
    server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    server.release("release-1")
    for key in KEYS:
        server.order(key, "fail")
    before = created_at_by_key(server)

    # The purge is carried out, and then nothing can be read for longer than is waited.
    def lose_sight(body: dict[str, Any]) -> dict[str, Any]:
        proxy.once("POST", "^/query$", *[answer(500, {"message": "External error: connection closed"})] * 60)
        return as_failed(body)

    proxy.once("POST", "/purge$", changed(lose_sight))

    failed = recover(server, proxy, tmp_path)

    assert (failed["failed"], failed["changed"]) == (True, True)
    assert failed["error"]["code"] == "RESTATE_CLUSTER_UNAVAILABLE"
    assert {each["outcome"] for each in failed["results"]} == {"failed"}
    assert all(each["unknown"] for each in failed["results"])
    assert len(list(tmp_path.glob("*.open.json"))) == len(KEYS)
    assert created_at_by_key(server) == {}

    again = dict(
        server.task(
            "recover_workflow",
            workflows=of_order(*KEYS),
            snapshot_dir=str(tmp_path),
            resubmit="original_input",
        )
    )
    assert not again["failed"], again["msg"]
    assert created_at_by_key(server).keys() == before.keys()


@pytest.mark.parametrize("call", ["pause", "resume"])
@pytest.mark.parametrize("mode", ["wait", "retry"])
def test_a_move_that_is_not_routed_for_a_while_is_repeated(
    server: Server, proxy: Proxy, mode: str, call: str
) -> None:
    old, new = superseded(server, ("order-1", mode))
    (row,) = server.query("SELECT id FROM sys_invocation_status")
    proxy.once("PATCH", f"/{call}$", NO_ROUTE, NO_ROUTE)

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **FORCED)

    assert not cleaned["failed"], cleaned["msg"]
    assert (cleaned["migrated"], cleaned["removed"]) == ([row["id"]], [old.id])


def test_what_was_paused_for_a_move_that_fails_goes_on(server: Server, proxy: Proxy) -> None:
    old, new = superseded(server, ("order-1", "retry"))
    (row,) = server.query("SELECT id FROM sys_invocation_status")
    refused = answer(400, {"message": "no"})
    proxy.once("PATCH", "/resume$", answer(409), refused)

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **FORCED)

    assert cleaned["failed"]
    assert cleaned["migrated"] == []
    assert server.deployment_ids() == {old.id, new.id}
    assert server.wait_for_row(row["id"], lambda now: now["status"] != "paused")
    assert not any("paused by this task" in warning for warning in cleaned.get("warnings", []))


def test_a_server_that_is_gone_is_not_asked_on(server: Server, proxy: Proxy) -> None:
    keys = [f"order-{number}" for number in range(5)]
    old, new = superseded(server, *((key, "wait") for key in keys))
    proxy.once("PATCH", "/resume$", lambda request, forward: forward(), *[lose] * 60)

    cleaned = server.task("cleanup", admin_url=proxy.url, service_url=new.url, **FORCED)

    assert cleaned["failed"]
    assert cleaned["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert len({write.split("/")[2] for write in proxy.writes}) == 2
    # What moved or was paused is said to be that, or that it may be.
    touched = server.query(
        "SELECT id FROM sys_invocation WHERE status = 'paused' "
        f"OR (status != 'completed' AND pinned_deployment_id = '{new.id}')"
    )
    said = f"{cleaned['migrated']} {cleaned['warnings']}"
    assert [row["id"] for row in touched if row["id"] not in said] == []
    assert server.deployment_ids() == {old.id, new.id}
