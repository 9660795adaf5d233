# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow for many keys: what is chosen, kept and submitted again, and what a crash leaves."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.proxy import LostError, Proxy, lose, proxy_of
from tests.integration.task_process import TaskProcess
from tests.integration.versions import on, on_all_versions
from tests.integration.world import Rehearsal, World, reason, rehearse

BATCH_PURGE = "/internal/invocations_batch_operations/purge"


def recover(world: World, **args: Any) -> Rehearsal:
    return rehearse(world, "recover_workflow", unknown=("results",), **args)


def outcomes(result: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["service_key"]: (each["outcome"], each["reason"]) for each in result["results"]}


def of_order(*keys: str) -> list[dict[str, str]]:
    return [{"service_name": "OrderWorkflow", "service_key": key} for key in keys]


def born(world: World, service: str = "OrderWorkflow") -> dict[str, str]:
    """When the run of each key was created."""
    rows = world.query(
        "SELECT target_service_key, created_at FROM sys_invocation_status "
        f"WHERE target_service_name = '{service}' AND target_handler_name = 'run'"
    )
    return {row["target_service_key"]: row["created_at"] for row in rows}


# Which keys


@on_all_versions
def test_one_key_that_is_blocked_does_not_stop_the_others(world: World) -> None:
    world.release("release-1")
    for key, mode in (("bad", "fail"), ("good", "ok"), ("busy", "wait"), ("worse", "fail")):
        world.order(key, mode)

    told = recover(world, workflows=of_order("bad", "good", "busy", "none", "worse", "bad"))

    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "several")
    assert outcomes(told.real) == outcomes(told.predicted)
    assert outcomes(told.real) == {
        "bad": ("recovered", None),
        "good": ("blocked", "already_succeeded"),
        "busy": ("blocked", "active_invocation"),
        "none": ("blank", None),
        "worse": ("recovered", None),
    }
    assert told.real["summary"] == {"blank": 1, "recovered": 2, "blocked": 2, "failed": 0}
    assert outcomes(told.again)["bad"] == ("blank", None)


def test_blocked_keys_can_be_tolerated(world: World) -> None:
    world.release("release-1")
    world.order("bad", "fail")
    world.order("good", "ok")

    told = recover(world, workflows=of_order("bad", "good"), skip_blocked=True)

    assert not told.real["failed"]
    assert told.real["summary"]["blocked"] == 1


@on_all_versions
def test_a_selection_takes_the_oldest_failures_and_says_how_many_are_left(world: World) -> None:
    world.release("release-1")
    for number in range(5):
        world.order(f"key-{number}", "fail")
    world.order("good", "ok")

    dry = world.task("recover_workflow", check=True, select={"limit": 3})
    real = world.task("recover_workflow", select={"limit": 3})

    assert outcomes(dry) == outcomes(real) == {f"key-{number}": ("recovered", None) for number in range(3)}
    assert dry["left_over"] == real["left_over"] == 2
    assert set(born(world)) == {"key-3", "key-4", "good"}


@on("1.7.12", "1.5.3")
def test_a_selection_looks_into_the_failure_and_at_the_time(world: World) -> None:
    world.release("release-1")
    world.order("bad", "fail")
    select = {"limit": 10, "service_name": "OrderWorkflow"}

    for more, found in (
        ({"failure_matches": "refused the c.rd$"}, 1),
        ({"failure_matches": "^card"}, 0),
        ({"failed_after": "1h"}, 1),
        ({"failed_before": "1h"}, 0),
        ({"failed_before": "2020-01-01T00:00:00Z"}, 0),
    ):
        result = world.task("recover_workflow", check=True, select={**select, **more})
        assert len(result["results"]) == found, more


def test_paused_and_retrying_runs_are_chosen_and_killed_only_where_that_is_allowed(world: World) -> None:
    world.release("release-1")
    world.order("again", "retry")
    world.payment("stopped")
    select = {"limit": 10, "kinds": ["paused", "backing_off"]}

    strict = world.task("recover_workflow", select=select)
    told = recover(world, select=select, kill_active="stuck")

    assert set(outcomes(strict).values()) == {("blocked", "active_invocation")}
    assert outcomes(told.real) == {"again": ("recovered", None), "stopped": ("recovered", None)}


@pytest.mark.parametrize(
    "select",
    [
        pytest.param({"limit": 0}, id="no limit"),
        pytest.param({"limit": 1, "failure_matches": "("}, id="no expression"),
        pytest.param({"limit": 1, "failed_before": "yesterday"}, id="no time"),
        pytest.param({"limit": 1, "failed_before": "2026-11-22T00:00:00"}, id="no zone"),
        pytest.param({"limit": 1, "service_name": "Nope"}, id="no service"),
    ],
)
def test_a_selection_that_cannot_be_right_is_refused(world: World, select: dict[str, Any]) -> None:
    world.release("release-1")
    result = world.task("recover_workflow", select=select)
    assert reason(result)[0] == "RESTATE_INVALID_ARGUMENT"


def test_more_keys_than_one_query_names_are_recovered_and_verified(world: World) -> None:
    world.release("release-1")
    keys = [f"many-{number}" for number in range(1100)]
    for key in keys:
        world.api.submit("OrderWorkflow", key, "run", {"mode": "fail"})
    wait_until(
        "all failed",
        lambda: (
            world.query("SELECT count(1) AS n FROM sys_invocation_status WHERE status = 'completed'")[0]["n"]
            == len(keys)
        ),
        60,
    )

    result = world.task("recover_workflow", select={"limit": 2000})

    assert result["summary"]["recovered"] == len(keys)
    assert born(world) == {}


# What is kept, and what is submitted again


@on_all_versions
def test_what_is_destroyed_is_kept_and_the_input_is_submitted_again_byte_for_byte(
    world: World, tmp_path: Path
) -> None:
    world.release("blobs")
    blob = bytes(range(256))
    run = world.send(
        "/BlobWorkflow/b/run/send",
        content=blob,
        headers={"content-type": "image/x-odd; a=b", "x-tenant": "t1", "accept-encoding": "gzip"},
    )
    first = world.completed(run)

    args: dict[str, Any] = {
        "select": {"limit": 9},
        "snapshot_dir": str(tmp_path / "kept"),
        "resubmit": "original_input",
    }
    dry = world.task("recover_workflow", check=True, **args)
    assert not (tmp_path / "kept").exists()
    real = world.task("recover_workflow", **args)
    second = world.completed(run)

    (result,) = real["results"]
    assert {**dry["results"][0], "resubmitted_at": None} == {**result, "resubmitted_at": None}
    assert (result["outcome"], result["resubmitted"]) == ("recovered", run)
    assert result["resubmitted_at"] == second["created_at"] > first["created_at"]
    (journal,) = world.query(f"SELECT entry_json FROM sys_journal WHERE id = '{run}' AND index = 0")
    entry = json.loads(journal["entry_json"])["Command"]["Input"]
    headers = {header["name"]: header["value"] for header in entry["headers"]}
    assert bytes(entry["payload"]) == blob
    assert (headers["content-type"], headers["x-tenant"]) == ("image/x-odd; a=b", "t1")
    kept = Path(result["snapshot"])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert content["failure"].endswith("no room for blobs")
    assert set(content["state"]) == {"size"}
    assert content["resubmitted"] == {"invocation_id": run, "created_at": second["created_at"]}
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [kept.name]


@on("1.7.12", "1.5.3")
def test_a_key_whose_input_is_gone_is_left_as_it_is(world: World, tmp_path: Path) -> None:
    world.release("release-1")
    world.order("kept", "fail")
    gone = world.order("gone", "fail")
    assert world.http.patch(f"/invocations/{gone}/purge-journal").is_success
    earlier = born(world)

    result = world.task(
        "recover_workflow",
        workflows=of_order("kept", "gone"),
        snapshot_dir=str(tmp_path),
        resubmit="original_input",
    )

    assert outcomes(result) == {"kept": ("recovered", None), "gone": ("blocked", "input_unavailable")}
    assert born(world)["gone"] == earlier["gone"]
    assert born(world)["kept"] > earlier["kept"]


def test_nothing_is_touched_where_snapshots_cannot_be_kept(world: World, tmp_path: Path) -> None:
    world.release("release-1")
    world.order("bad", "fail")
    (tmp_path / "file").touch()

    told = recover(world, workflows=of_order("bad"), snapshot_dir=str(tmp_path / "file" / "below"))

    assert reason(told.real)[0] == "RESTATE_INVALID_ARGUMENT"


def test_nothing_is_touched_where_it_could_not_be_submitted_again(world: World, tmp_path: Path) -> None:
    world.release("release-1")
    world.order("bad", "fail")
    args: dict[str, Any] = {
        "workflows": of_order("bad"),
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
    }

    dead = recover(world, **args, ingress_url="http://127.0.0.1:9")
    world.http.patch("/services/OrderWorkflow", json={"public": False})
    private = recover(world, **args)

    assert reason(dead.real)[0] == "RESTATE_ADMIN_UNREACHABLE"
    assert reason(private.real)[0] == "RESTATE_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


# What a crash leaves


@pytest.fixture
def admin(world: World) -> Iterator[Proxy]:
    with proxy_of(world.admin_url) as proxy:
        yield proxy


@pytest.fixture
def ingress(world: World) -> Iterator[Proxy]:
    with proxy_of(world.sandbox.ingress_url) as proxy:
        yield proxy


def test_a_batch_call_that_was_cut_off_is_read_again_before_anything_is_repeated(
    world: World, admin: Proxy
) -> None:
    world.release("release-1")
    for key in ("one", "two"):
        world.order(key, "fail")
    admin.once("POST", BATCH_PURGE, lose)

    result = world.task("recover_workflow", select={"limit": 9}, admin_url=admin.url)

    assert outcomes(result) == {"one": ("recovered", None), "two": ("recovered", None)}
    assert [len(each["purged"]) for each in result["results"]] == [1, 1]
    assert sum(BATCH_PURGE in write for write in admin.writes) == 1


KEYS = ("one", "two", "three")
SUBMIT_TWO = "/PaymentWorkflow/two/run/send"


@pytest.mark.parametrize("chosen", ["listed", "selected"])
@pytest.mark.parametrize(
    "where", ["before the purge", "after the purge", "before a submission", "after a submission"]
)
def test_a_task_that_was_killed_and_is_run_again_forgets_nobody_and_submits_nobody_twice(
    world: World, admin: Proxy, ingress: Proxy, tmp_path: Path, where: str, chosen: str
) -> None:
    world.release("release-1")
    for key in KEYS:
        run = world.payment(key)
        world.api.kill([run])
        world.completed(run)
    # What is submitted again succeeds.
    world.serve("release-1", "release-2")
    earlier = born(world, "PaymentWorkflow")
    listed = [{"service_name": "PaymentWorkflow", "service_key": key} for key in KEYS]
    args: dict[str, Any] = {
        "admin_url": admin.url,
        "ingress_url": ingress.url,
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
        "skip_blocked": True,
        **({"workflows": listed} if chosen == "listed" else {"select": {"limit": 9}}),
    }
    started: list[TaskProcess] = []
    proxy, path = (admin, BATCH_PURGE) if "purge" in where else (ingress, SUBMIT_TWO)

    def kill(_request: Any, forward: Any) -> Any:
        if "after" in where:
            forward()
        started[0].kill()
        raise LostError

    proxy.once("POST", path, kill)
    started.append(TaskProcess("recover_workflow", args))
    started[0].wait()
    assert proxy.is_used_up
    by_then = born(world, "PaymentWorkflow")
    submitted_by_then = {key: time for key, time in by_then.items() if time != earlier[key]}

    result = world.task("recover_workflow", **args)

    assert not result["failed"], result["msg"]
    new = born(world, "PaymentWorkflow")
    assert set(new) == set(KEYS)
    assert all(new[key] > earlier[key] for key in KEYS)
    assert {key: new[key] for key in submitted_by_then} == submitted_by_then
    assert not [path for path in tmp_path.iterdir() if ".open." in path.name or ".submitting." in path.name]


# Others at work


def test_what_a_client_submits_and_completes_meanwhile_is_never_purged_or_killed(world: World) -> None:
    world.release("release-1")
    keys = [f"key-{number}" for number in range(60)]
    for key in keys:
        world.order(key, "fail")
    accepted: set[str] = set()
    over = threading.Event()

    def keep_submitting() -> None:
        while not over.is_set():
            for number, key in enumerate(keys):
                mode = "ok" if number % 2 else "wait"
                answer = world.ingress.post(f"/OrderWorkflow/{key}/run/send", json={"mode": mode}).json()
                if answer["status"] == "Accepted":
                    accepted.add(key)

    client = threading.Thread(target=keep_submitting)
    client.start()
    try:
        result = world.task("recover_workflow", workflows=of_order(*keys))
    finally:
        over.set()
        client.join()

    assert not [each for each in result["results"] if each["killed"]]
    assert accepted <= set(born(world))
    assert {row["completion_failure"] for row in _failed(world)} <= set()


def test_two_tasks_on_the_same_keys_at_once_lose_no_more_than_the_window_allows(
    world: World, record_property: Any
) -> None:
    world.release("release-1")
    keys = [f"key-{number}" for number in range(200)]
    for key in keys:
        world.api.submit("OrderWorkflow", key, "run", {"mode": "fail"})
    wait_until("all failed", lambda: len(_failed(world)) == len(keys), 60)
    accepted: dict[str, int] = {}
    over = threading.Event()

    def keep_submitting() -> None:
        while not over.is_set():
            for key in keys:
                answer = world.ingress.post(f"/OrderWorkflow/{key}/run/send", json={"mode": "ok"}).json()
                if answer["status"] == "Accepted":
                    accepted[key] = accepted.get(key, 0) + 1

    args = {"admin_url": world.admin_url, "workflows": of_order(*keys), "skip_blocked": True}
    client = threading.Thread(target=keep_submitting)
    client.start()
    try:
        tasks = [TaskProcess("recover_workflow", args) for _each in range(2)]
        results = [task.result() for task in tasks]
    finally:
        over.set()
        client.join()

    # A run that was purged in the window could be submitted once more: that is how it shows.
    lost = sum(times - 1 for times in accepted.values())
    record_property("runs_lost_in_the_window", lost)
    assert lost <= len(keys) // 20
    assert not [each for result in results for each in result["results"] if each["killed"]]
    assert set(accepted) == set(keys) == set(born(world))


def _failed(world: World) -> list[dict[str, Any]]:
    return world.query(
        "SELECT id, completion_failure FROM sys_invocation_status WHERE completion_result = 'failure'"
    )
