# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two tasks that do the same work at the same time: one is held at a call until the other one has ended.

Nothing is done twice, and each result lists what its own task did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.proxy import Proxy, after, before, proxy_of
from tests.integration.recovery_claims import pending_snapshots
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, superseded
from tests.integration.task_meeting import Hold, Meeting, Result, Submissions, assert_no_bug
from tests.integration.task_process import TaskProcess

_PATIENT: dict[str, Any] = {"request_timeout": 60}
"""The task that is held waits longer for the answer than the other task takes."""
_MOVE = ("PATCH", "/resume$")
_PAUSE = ("PATCH", "/pause$")
_REMOVAL = ("DELETE", "^/deployments/")
_PURGE = ("POST", "/internal/invocations_batch_operations/purge$")
_REGISTRATION = ("POST", "^/deployments$")
_SUBMISSION = ("POST", "/run/send$")

at_start_or_end = pytest.mark.parametrize("hold", [before, after], ids=["before it", "after it"])


@pytest.fixture
def ingress(server: Server) -> Iterator[Proxy]:
    """A proxy in front of the server's ingress."""
    with proxy_of(server.ingress_url) as started:
        yield started


def task_beside(server: Server, module: str, **args: Any) -> Callable[[], Result]:
    return lambda: {"failed": False, **TaskProcess(module, {**server.connection, **args}).result()}


def all_of(name: str, *results: Result) -> list[str]:
    """What is listed under this name in any of the results."""
    return sorted(one for result in results for one in result.get(name, []))


def assert_listed_once(listed: list[str], expected: list[str], meeting: Meeting) -> None:
    """Each is listed by one of the tasks; by both only if its call was under way while the other task ran."""
    counts = Counter(listed)
    assert counts.keys() == set(expected)
    twice = {each for each, times in counts.items() if times > 1}
    assert all(each in meeting.held for each in twice), twice


@at_start_or_end
@pytest.mark.parametrize("call", [_MOVE, _REMOVAL], ids=["move", "removal"])
def test_two_cleanups_move_each_run_once_and_remove_the_deployment_once(
    call: tuple[str, str], hold: Hold, server: Server, proxy: Proxy
) -> None:
    old, new = superseded(server, *((f"order-{number}", "wait") for number in range(4)))
    runs = [row["id"] for row in server.query("SELECT id FROM sys_invocation_status")]
    args = {"service_url": new.url, **FORCED}
    proxy.always = meeting = Meeting(call, hold, task_beside(server, "cleanup", **args))

    first = server.task("cleanup", admin_url=proxy.url, **args, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    assert not first["failed"], first["msg"]
    assert not second["failed"], second["msg"]
    assert_listed_once(all_of("migrated", first, second), runs, meeting)
    assert all_of("removed", first, second) == [old.id]
    for each in (first, second):
        assert each["changed"] is bool(each["migrated"] or each["removed"]), each["msg"]
    for run in runs:
        row = server.row(run) or {}
        assert row["pinned_deployment_id"] == new.id
        assert row["status"] in ("running", "suspended")


@at_start_or_end
@pytest.mark.parametrize("call", [_PAUSE, _MOVE, _REMOVAL], ids=["pause", "move", "removal"])
def test_two_cleanups_of_retrying_work_leave_nothing_paused(
    call: tuple[str, str], hold: Hold, server: Server, proxy: Proxy
) -> None:
    old, new = superseded(server, *((f"order-{number}", "retry") for number in range(4)))
    runs = [row["id"] for row in server.query("SELECT id FROM sys_invocation_status")]
    args = {"service_url": new.url, **FORCED}
    proxy.always = meeting = Meeting(call, hold, task_beside(server, "cleanup", **args))

    first = server.task("cleanup", admin_url=proxy.url, **args, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    # The second one may find what the first one has paused, and leave it alone; the first one ends the work then.
    assert not first["failed"], first["msg"]
    assert_listed_once(all_of("migrated", first, second), runs, meeting)
    assert all_of("removed", first, second) == [old.id]
    for run in runs:
        assert server.completed(run)["completion_result"] == "success"
        assert (server.row(run) or {})["pinned_deployment_id"] == new.id


@at_start_or_end
@pytest.mark.parametrize("call", [_PURGE, _SUBMISSION], ids=["purge", "submission"])
def test_two_recoveries_with_one_snapshot_folder_submit_each_run_once(
    call: tuple[str, str], hold: Hold, server: Server, proxy: Proxy, ingress: Proxy, tmp_path: Path
) -> None:
    keys = failed_payments(server, 3)
    args: dict[str, Any] = {
        "workflows": [{"service_name": "PaymentWorkflow", "service_key": key} for key in keys],
        "snapshot_dir": str(tmp_path / "snapshots"),
        "resubmit": "original_input",
        "ingress_url": ingress.url,
    }
    other = task_beside(server, "recover_workflow", **args)
    meeting = Meeting(call, hold, other)
    ingress.always = submissions = Submissions(meeting)
    proxy.always = meeting

    first = server.task("recover_workflow", admin_url=proxy.url, **args, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    assert sorted(submissions.started) == keys
    resubmitted = [
        entry["service_key"] for each in (first, second) for entry in each["results"] if entry["resubmitted"]
    ]
    assert_listed_once(resubmitted, keys, meeting)
    assert pending_snapshots(tmp_path / "snapshots") == set()
    for row in server.query("SELECT id FROM sys_invocation_status"):
        assert server.completed(row["id"])["completion_result"] == "success"


@at_start_or_end
def test_two_resumes_report_each_run_once(hold: Hold, server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    runs = sorted(server.payment(f"payment-{number}") for number in range(3))
    server.serve("release-1", "release-2")
    proxy.always = meeting = Meeting(_MOVE, hold, task_beside(server, "resume", invocation_ids=runs))

    first = server.task("resume", invocation_ids=runs, admin_url=proxy.url, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    resumed = [
        entry["invocation_id"]
        for each in (first, second)
        for entry in each["results"]
        if entry["outcome"] == "resumed"
    ]
    assert sorted(resumed) == runs
    for each in (first, second):
        assert each["changed"] is any(entry["outcome"] == "resumed" for entry in each["results"]), each["msg"]
    for run in runs:
        assert server.completed(run)["completion_result"] == "success"


@at_start_or_end
def test_two_registrations_of_a_new_url_report_one_change(hold: Hold, server: Server, proxy: Proxy) -> None:
    url = server.serve("new", "release-1")
    proxy.always = meeting = Meeting(_REGISTRATION, hold, task_beside(server, "redeploy", service_url=url))

    first = server.task("redeploy", service_url=url, admin_url=proxy.url, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    assert not first["failed"], first["msg"]
    assert not second["failed"], second["msg"]
    [deployment] = server.deployment_ids()
    assert (first["deployment_id"], second["deployment_id"]) == (deployment, deployment)
    assert server.service("OrderWorkflow")["revision"] == 1
    assert [first["changed"], second["changed"]] == ([False, True] if hold is before else [True, False])


@at_start_or_end
def test_two_overwrites_of_a_url_report_what_each_changed(hold: Hold, server: Server, proxy: Proxy) -> None:
    deployment = server.release("new", "release-1")
    server.serve("new", "extra-service")
    other = task_beside(server, "redeploy", service_url=deployment.url)
    proxy.always = meeting = Meeting(_REGISTRATION, hold, other)

    first = server.task("redeploy", service_url=deployment.url, admin_url=proxy.url, **_PATIENT)

    second = meeting.result()
    assert_no_bug(first, second)
    assert not first["failed"], first["msg"]
    assert not second["failed"], second["msg"]
    assert server.deployment_ids() == {deployment.id}
    # A revision is an overwrite that was done.
    overwrites = server.service("OrderWorkflow")["revision"] - 1
    assert [first["changed"], second["changed"]].count(True) == overwrites


def failed_payments(server: Server, count: int) -> list[str]:
    """Make runs of PaymentWorkflow that failed, and would succeed if they were submitted again; give their keys."""
    server.release("release-1")
    keys = [f"payment-{number}" for number in range(count)]
    for key in keys:
        run = server.payment(key)
        server.api.kill([run])
        server.completed(run)
    server.serve("release-1", "release-2")
    return keys
