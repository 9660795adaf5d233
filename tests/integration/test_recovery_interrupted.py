# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow for many keys: what a crash leaves, and what others do meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.audit_log import module_process
from tests.integration.proxy import LostError, Proxy, after, answer, lose, proxy_of
from tests.integration.recovery_of_many import created_at_by_key, of_order, outcomes
from tests.integration.server import Server
from tests.integration.task_process import TaskProcess

BATCH_PURGE = "/internal/invocations_batch_operations/purge"


# What a crash leaves


@pytest.fixture
def admin(server: Server) -> Iterator[Proxy]:
    with proxy_of(server.admin_url) as proxy:
        yield proxy


@pytest.fixture
def ingress(server: Server) -> Iterator[Proxy]:
    with proxy_of(server.sandbox.ingress_url) as proxy:
        yield proxy


def test_a_batch_call_that_was_cut_off_is_read_again_before_anything_is_repeated(
    server: Server, admin: Proxy
) -> None:
    server.release("release-1")
    for key in ("one", "two"):
        server.order(key, "fail")
    admin.once("POST", BATCH_PURGE, lose)

    result = server.task("recover_workflow", select={"limit": 9}, admin_url=admin.url)

    assert outcomes(result) == {"one": ("recovered", None), "two": ("recovered", None)}
    assert [len(each["purged"]) for each in result["results"]] == [1, 1]
    assert sum(BATCH_PURGE in write for write in admin.writes) == 1


def test_purged_runs_that_cannot_be_read_again_fail_the_task_and_are_submitted_by_the_next(
    server: Server, admin: Proxy, tmp_path: Path
) -> None:
    server.release("release-1")
    for key in ("one", "two"):
        server.order(key, "fail")
    earlier = created_at_by_key(server)
    lost = answer(500, {"message": "No such scanner"})
    admin.once("POST", BATCH_PURGE, after(lambda: admin.once("POST", "/query$", *[lost] * 99)))
    args: dict[str, Any] = {
        "workflows": of_order("one", "two"),
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
        "skip_blocked": True,
    }

    first = server.task("recover_workflow", **args, admin_url=admin.url, retries=0)

    assert first["failed"]
    assert {each["outcome"] for each in first["results"]} == {"failed"}
    assert len(list(tmp_path.glob("*.open.json"))) == 2
    assert created_at_by_key(server) == {}
    second = server.task("recover_workflow", **args)
    assert outcomes(second) == {"one": ("recovered", None), "two": ("recovered", None)}
    new = created_at_by_key(server)
    assert all(new[key] > earlier[key] for key in earlier)


KEYS = ("one", "two", "three")
SUBMIT_TWO = "/PaymentWorkflow/two/run/send"


@pytest.mark.parametrize("chosen", ["listed", "selected"])
@pytest.mark.parametrize(
    "where", ["before the purge", "after the purge", "before a submission", "after a submission"]
)
def test_a_task_that_was_killed_and_is_run_again_forgets_nobody_and_submits_nobody_twice(
    server: Server, admin: Proxy, ingress: Proxy, tmp_path: Path, where: str, chosen: str
) -> None:
    server.release("release-1")
    for key in KEYS:
        run = server.payment(key)
        server.api.kill([run])
        server.completed(run)
    # What is submitted again succeeds.
    server.serve("release-1", "release-2")
    earlier = created_at_by_key(server, "PaymentWorkflow")
    listed = [{"service_name": "PaymentWorkflow", "service_key": key} for key in KEYS]
    args: dict[str, Any] = {
        "admin_url": admin.url,
        "ingress_url": ingress.url,
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
        "skip_blocked": True,
        **({"workflows": listed} if chosen == "listed" else {"select": {"limit": 9}}),
    }
    started: list[subprocess.Popen[str]] = []
    proxy, path = (admin, BATCH_PURGE) if "purge" in where else (ingress, SUBMIT_TWO)

    def kill(_request: Any, forward: Any) -> Any:
        if "after" in where:
            forward()
        started[0].kill()
        raise LostError

    proxy.once("POST", path, kill)
    # The module itself: SIGKILL of a play leaves it running, since the worker that started it has a session of its own.
    started.append(module_process("recover_workflow", args))
    started[0].communicate(timeout=120)
    assert proxy.is_used_up
    by_then = created_at_by_key(server, "PaymentWorkflow")
    submitted_by_then = {key: time for key, time in by_then.items() if time != earlier[key]}

    if where == "before the purge":
        # For all that the next task can know, the purge is still under way.
        careful = server.task("recover_workflow", **args)
        assert careful["failed"]
        assert outcomes(careful) == dict.fromkeys(KEYS, ("failed", "write_in_doubt"))
        assert created_at_by_key(server, "PaymentWorkflow") == earlier
        args["write_grace"] = "0"
    result = server.task("recover_workflow", **args)

    assert not result["failed"], result["msg"]
    new = created_at_by_key(server, "PaymentWorkflow")
    assert set(new) == set(KEYS)
    assert all(new[key] > earlier[key] for key in KEYS)
    assert {key: new[key] for key in submitted_by_then} == submitted_by_then
    assert not [path for path in tmp_path.iterdir() if ".open." in path.name or ".submitting." in path.name]


# Others at work


@contextlib.contextmanager
def submitting(server: Server, keys: list[str], mode_of: Callable[[int], str]) -> Iterator[dict[str, int]]:
    """Submit all keys over and over, and once more at the end; give how often each was taken.

    O(mode_of) returns the mode of a key's run by its number.
    """
    accepted: dict[str, int] = {}
    over = threading.Event()

    def submit_all() -> None:
        for number, key in enumerate(keys):
            mode = mode_of(number)
            answer = server.ingress.post(f"/OrderWorkflow/{key}/run/send", json={"mode": mode}).json()
            if answer["status"] == "Accepted":
                accepted[key] = accepted.get(key, 0) + 1

    def keep_submitting() -> None:
        while not over.is_set():
            submit_all()
        # What was purged after its turn.
        submit_all()

    client = threading.Thread(target=keep_submitting)
    client.start()
    try:
        yield accepted
    finally:
        over.set()
        client.join()


def test_what_a_client_submits_and_completes_meanwhile_is_never_purged_or_killed(server: Server) -> None:
    server.release("release-1")
    keys = [f"key-{number}" for number in range(60)]
    for key in keys:
        server.order(key, "fail")

    with submitting(server, keys, lambda number: "ok" if number % 2 else "wait") as accepted:
        result = server.task("recover_workflow", workflows=of_order(*keys))

    assert not [each for each in result["results"] if each["killed"]]
    assert set(accepted) <= set(created_at_by_key(server))
    assert {row["completion_failure"] for row in _failed(server)} <= set()


def test_two_tasks_on_the_same_keys_at_once_lose_no_more_than_the_window_allows(
    server: Server, record_property: Any
) -> None:
    server.release("release-1")
    keys = [f"key-{number}" for number in range(200)]
    for key in keys:
        server.api.submit("OrderWorkflow", key, "run", {"mode": "fail"})
    wait_until("all failed", lambda: len(_failed(server)) == len(keys), 60)
    args = {"admin_url": server.admin_url, "workflows": of_order(*keys), "skip_blocked": True}

    with submitting(server, keys, lambda _number: "ok") as accepted:
        tasks = [TaskProcess("recover_workflow", args) for _each in range(2)]
        results = [task.result() for task in tasks]

    # A run that was purged in the window could be submitted once more: that is how it shows.
    lost = sum(times - 1 for times in accepted.values())
    record_property("runs_lost_in_the_window", lost)
    assert lost <= len(keys) // 20
    assert not [each for result in results for each in result["results"] if each["killed"]]
    assert set(accepted) == set(keys) == set(created_at_by_key(server))


def _failed(server: Server) -> list[dict[str, Any]]:
    return server.query(
        "SELECT id, completion_failure FROM sys_invocation_status WHERE completion_result = 'failure'"
    )


def test_two_tasks_with_one_folder_submit_each_key_once(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    keys = [f"key-{number}" for number in range(60)]
    for key in keys:
        server.api.submit("OrderWorkflow", key, "run", {"mode": "retry"})
    wait_until("all there", lambda: len(created_at_by_key(server)) == len(keys), 60)
    server.serve("release-1", None)
    server.api.kill(row["id"] for row in server.query("SELECT id FROM sys_invocation_status"))
    server.serve("release-1", "release-2")
    args: dict[str, Any] = {
        **server.connection,
        "workflows": of_order(*keys),
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
        "skip_blocked": True,
    }

    tasks = [TaskProcess("recover_workflow", args) for _each in range(2)]
    results = [task.result() for task in tasks]

    # A task that finds a key submitted, and not yet noted, says that it was so already.
    by = [
        {
            each["service_key"]
            for each in result["results"]
            if each["resubmitted"] and each["message"] != "was submitted again already"
        }
        for result in results
    ]
    assert by[0] | by[1] == set(keys)
    assert not by[0] & by[1]
    assert not list(tmp_path.glob("*.open.json")) + list(tmp_path.glob("*.submitting.json"))
    after = created_at_by_key(server)
    again = server.task("recover_workflow", **args)
    assert not any(each["resubmitted"] for each in again["results"])
    assert created_at_by_key(server) == after
