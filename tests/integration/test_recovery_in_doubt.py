# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kill or a purge that is carried out late destroys no run that was submitted after it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.proxy import Held, Proxy, after
from tests.integration.recovery_of_many import created_at_by_key, of_order, outcomes
from tests.integration.server import Server
from tests.integration.versions import on, on_all_versions

KEYS = [f"key-{number}" for number in range(60)]
OTHER = {"service_name": "BlobWorkflow", "service_key": "other"}
IN_DOUBT = ("failed", "write_in_doubt")


@pytest.fixture
def held() -> Iterator[Held]:
    """A request that is held until the test delivers it; none is left at the end."""
    request = Held()
    yield request
    request.drop()


def hold_next(proxy: Proxy, held: Held, verb: str, server: Server, *, keys: int = 1) -> None:
    """Hold the next call that kills or purges so many runs."""
    if keys > 1 and server.is_at_least(1, 6):
        proxy.once("POST", f"/internal/invocations_batch_operations/{verb}", held.hold)
    else:
        proxy.once("PATCH", f"/{verb}$", held.hold)


def killed_orders(server: Server) -> None:
    """Leave a killed run of each key, whose successor succeeds."""
    server.release("release-1")
    runs = [server.submit("OrderWorkflow", key, "run", {"mode": "retry"}) for key in KEYS]
    tried = "SELECT id FROM sys_invocation WHERE retry_count > 1"
    wait_until("all tried", lambda: len(server.query(tried)) == len(KEYS), 60)
    server.serve("release-1", None)
    server.api.kill(runs)
    wait_until("no attempt left", lambda: not server.query("SELECT id FROM sys_invocation_state LIMIT 1"))
    server.serve("release-1", "release-2")


def arguments(proxy: Proxy, folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "admin_url": proxy.url,
        "snapshot_dir": str(folder),
        "resubmit": "original_input",
        "request_timeout": 1,
        "skip_blocked": True,
        **more,
    }


def keys_of_open_snapshots(folder: Path) -> set[str]:
    return {json.loads(path.read_bytes())["service_key"] for path in folder.glob("*.open.json")}


@on_all_versions
def test_a_purge_that_is_delivered_late_destroys_no_new_run(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    killed_orders(server)
    server.release("blobs")
    server.completed(server.submit("BlobWorkflow", "other", "run", {}))
    earlier = created_at_by_key(server)
    hold_next(proxy, held, "purge", server, keys=len(KEYS))
    args = arguments(proxy, tmp_path, workflows=[*of_order(*KEYS), OTHER])

    first = server.task("recover_workflow", **args)
    in_doubt = {each["service_key"] for each in first["results"] if each["reason"] == "unknown"}
    assert in_doubt
    assert first["failed"]
    assert keys_of_open_snapshots(tmp_path) == in_doubt
    assert all(each["outcome"] == "recovered" for each in first["results"] if each["reason"] != "unknown")
    by_then = created_at_by_key(server)
    assert {key for key in KEYS if by_then[key] == earlier[key]} == in_doubt

    rerun = {**args, "workflows": of_order(*sorted(in_doubt))}
    predicted, second = (server.task("recover_workflow", check=check, **rerun) for check in (True, False))
    for result in (predicted, second):
        assert result["failed"]
        assert outcomes(result) == dict.fromkeys(in_doubt, IN_DOUBT)
        assert result["retry_after"] == first["retry_after"]
    assert created_at_by_key(server) == by_then
    assert keys_of_open_snapshots(tmp_path) == in_doubt

    held.deliver()
    third = server.task("recover_workflow", **rerun)

    assert not third["failed"], third["msg"]
    assert outcomes(third) == dict.fromkeys(in_doubt, ("recovered", None))
    after = created_at_by_key(server)
    assert after.keys() == set(KEYS)
    assert all(after[key] > earlier[key] for key in KEYS)
    assert keys_of_open_snapshots(tmp_path) == set()
    again = server.task("recover_workflow", **rerun)
    assert not any(each["resubmitted"] for each in again["results"])
    assert created_at_by_key(server) == after


def test_a_purge_that_is_answered_too_late_is_seen_and_its_keys_are_submitted_by_the_next_task(
    server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    server.release("release-1")
    for key in ("one", "two"):
        server.order(key, "fail")
    earlier = created_at_by_key(server)
    is_over = threading.Event()
    late = after(lambda: is_over.wait(60))
    proxy.once("POST", "/internal/invocations_batch_operations/purge", late)
    args = arguments(proxy, tmp_path, workflows=of_order("one", "two"))

    first = server.task("recover_workflow", **args)
    second = server.task("recover_workflow", **args)
    is_over.set()

    assert outcomes(first) == dict.fromkeys(("one", "two"), ("failed", "resubmission_failed"))
    assert all(each["purged"] and not each["resubmitted"] for each in first["results"])
    assert not second["failed"], second["msg"]
    assert all(created_at_by_key(server)[key] > earlier[key] for key in earlier)
    assert sum("purge" in write for write in proxy.writes) == 1


@on("1.7.12", "1.5.3")
def test_a_task_that_goes_round_the_stalled_proxy_knows_of_the_write_in_doubt(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order("k", "fail")
    server.serve("release-1", "release-2")
    hold_next(proxy, held, "purge", server)
    args = arguments(proxy, tmp_path, workflows=of_order("k"))
    assert outcomes(server.task("recover_workflow", **args)) == {"k": ("failed", "unknown")}

    # The third asks as the first did: what the second has read and may have written must still be known to it.
    for url in (server.admin_url, proxy.url):
        for check in (True, False):
            result = server.task("recover_workflow", check=check, **{**args, "admin_url": url})
            assert outcomes(result) == {"k": IN_DOUBT}


def test_a_purge_that_is_never_delivered_is_sent_again_after_its_grace(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order("k", "fail")
    hold_next(proxy, held, "purge", server)
    args = arguments(proxy, tmp_path, workflows=of_order("k"), write_grace="3s")

    first = server.task("recover_workflow", **args)
    second = server.task("recover_workflow", **args)
    third = wait_until(
        "not in doubt any more", lambda: _unless_in_doubt(server.task("recover_workflow", **args)), 20
    )

    assert outcomes(first) == {"k": ("failed", "unknown")}
    assert outcomes(second) == {"k": IN_DOUBT}
    assert outcomes(third) == {"k": ("recovered", None)}
    assert sum("purge" in write for write in proxy.writes) == 2


def _unless_in_doubt(result: dict[str, Any]) -> dict[str, Any] | None:
    return None if outcomes(result) == {"k": IN_DOUBT} else result


def test_the_operator_can_take_up_a_key_at_once_and_what_succeeded_is_never_submitted_again(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    server.release("release-1")
    run = server.payment("k")
    server.api.kill([run])
    server.completed(run)
    server.serve("release-1", "release-2")
    hold_next(proxy, held, "purge", server)
    payment = [{"service_name": "PaymentWorkflow", "service_key": "k"}]
    args = arguments(proxy, tmp_path, workflows=payment)
    assert outcomes(server.task("recover_workflow", **args)) == {"k": ("failed", "unknown")}

    at_once = server.task("recover_workflow", **args, write_grace="0")
    assert outcomes(at_once) == {"k": ("recovered", None)}
    server.wait_for_row(run, lambda row: row.get("completion_result") == "success")
    held.deliver()
    assert server.row(run) is None

    again = server.task("recover_workflow", **args, write_grace="0")
    assert outcomes(again) == {"k": ("blank", None)}
    assert server.row(run) is None


@on("1.7.12", "1.5.3")
def test_a_kill_that_timed_out_is_not_sent_again_and_its_key_is_left(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    server.release("release-1")
    run = server.order("k", "retry")
    hold_next(proxy, held, "kill", server)
    args = arguments(proxy, tmp_path, workflows=of_order("k"), kill_active="any")

    first = server.task("recover_workflow", **args)
    second = server.task("recover_workflow", **args)
    assert outcomes(first) == {"k": ("failed", "unknown")}
    assert outcomes(second) == {"k": IN_DOUBT}
    assert sum("kill" in write for write in proxy.writes) == 1

    held.deliver()
    server.completed(run)
    # The attempt must have ended: 1.5.3 could not bear another run before.
    server.services.clear()
    wait_until("no attempt left", lambda: not server.query("SELECT id FROM sys_invocation_state LIMIT 1"))
    server.serve("release-1", "release-2")
    third = server.task("recover_workflow", **args)
    assert outcomes(third) == {"k": ("recovered", None)}
    assert sum("kill" in write for write in proxy.writes) == 1


def test_a_key_whose_kill_is_in_doubt_is_not_called_blank(
    server: Server, proxy: Proxy, held: Held, tmp_path: Path
) -> None:
    server.release("release-1")
    run = server.order("k", "retry")
    hold_next(proxy, held, "kill", server)
    args = arguments(proxy, tmp_path, workflows=of_order("k"), kill_active="any")
    del args["resubmit"]
    server.task("recover_workflow", **args)
    server.api.kill([run])
    server.completed(run)
    server.api.purge([run])

    results = [server.task("recover_workflow", check=check, **args) for check in (True, False)]

    assert [outcomes(result) for result in results] == [{"k": IN_DOUBT}] * 2
    assert all(result["failed"] and result["retry_after"] for result in results)
    assert outcomes(server.task("recover_workflow", **args, write_grace="0")) == {"k": ("blank", None)}
