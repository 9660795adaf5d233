# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a doctor asks of a server: each question once, and only what the counts of all invocations call for."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.plan import DoctorRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer, Request, answer
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at


class Server:
    """Nothing is registered and nothing is invoked. The version takes its time."""

    def __init__(self, version: bytes) -> None:
        self._version = version

    def __call__(self, request: Request) -> bytes:
        if request.target == "/version":
            threading.Event().wait(0.05)
            return self._version
        empty: dict[str, dict[str, list[str]]] = {
            "/deployments": {"deployments": []},
            "/query": {"rows": []},
            "/subscriptions": {"subscriptions": []},
            "/restate/health": {"services": []},
        }
        return answer(200, empty.get(request.target, {"services": []}))


def examined(server: LoopbackServer) -> Report:
    return operate(BACKEND, restate_at(server), DoctorRequest(fail_on=[], probe_services=True))


def test_the_version_is_asked_for_once(serve: Serve) -> None:
    server = serve(Server(answer(200, {"version": "1.7.12"})))
    assert examined(server).details["healthy"]
    assert server.calls.count("GET /version") == 1


@pytest.mark.parametrize("version", [answer(500), answer(401), answer(200, {"version": "new"})])
def test_a_version_that_does_not_come_is_asked_for_once(version: bytes, serve: Serve) -> None:
    server = serve(Server(version))
    details = examined(server).details
    assert server.calls.count("GET /version") == 1
    assert [details[name]["status"] for name in ("admin", "invocations")] == ["degraded"] * 2
    assert [details[name]["status"] for name in ("ingress", "deployments", "services")] == ["ok"] * 3
    assert details["invocations"]["error"] == details["admin"]["error"]


# Invocations

RUN = {"target_service_name": "Flow", "target_handler_name": "run", "target_service_ty": "workflow"}
BY_PLACE, BY_ACTIVITY = "by place", "by activity"
FAILED, UNSETTLED, FAILURES, LOST, EVENTS = "failed", "unsettled", "failures", "lost", "events"
# What tells a question from all others.
MARKS = {
    "AS is_scoped": BY_PLACE,
    "AS retried_often": BY_ACTIVITY,
    "ORDER BY completed_at": FAILED,
    "ORDER BY modified_at": UNSETTLED,
    "last_failure_error_code": FAILURES,
    "FROM sys_deployment": LOST,
    "FROM sys_journal_events": EVENTS,
}


class Introspected(Server):
    """Has one deployment and its service, and answers questions with these rows; keeps which were asked."""

    def __init__(self, **rows: list[dict[str, Any]]) -> None:
        super().__init__(answer(200, {"version": "1.7.12"}))
        self._rows = rows
        self.asked: list[str] = []

    def __call__(self, request: Request) -> bytes:
        at = {"id": "dp_1", "uri": "http://s:9080", "created_at": "2026-11-01T00:00:00Z"}
        registered = {
            "/deployments": {"deployments": [{**at, "services": [{"name": "Flow", "revision": 1}]}]},
            "/services": {
                "services": [{"name": "Flow", "revision": 1, "ty": "Workflow", "deployment_id": "dp_1"}]
            },
        }
        if request.method == "GET" and request.target in registered:
            return answer(200, registered[request.target])
        if request.target != "/query":
            return super().__call__(request)
        if request.json["query"] == "SELECT now() AS now":
            return answer(200, {"rows": [{"now": _timestamps.write(_timestamps.now())}]})
        (question,) = (name for mark, name in MARKS.items() if mark in request.json["query"])
        self.asked.append(question)
        return answer(200, {"rows": self._rows.get(question.replace(" ", "_"), [])})


def counted(status: str, n: int = 1, **more: Any) -> dict[str, Any]:
    return {**RUN, "status": status, "n": n, "is_scoped": False, **more}


def told(id_: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        **RUN,
        "id": id_,
        "target": f"Flow/{id_}/run",
        "status": status,
        "created_at": "2026-11-01T00:00:00Z",
        **more,
    }


@pytest.mark.parametrize(
    ("by_place", "others"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([counted("scheduled"), counted("inboxed")], set(), id="waiting"),
        pytest.param([counted("completed", completion_result="success")], set(), id="succeeded"),
        pytest.param([counted("completed", completion_result="failure")], {FAILED}, id="failed"),
        pytest.param(
            [counted("suspended", pinned_deployment_id="dp_1")], set(), id="where its deployment is there"
        ),
        pytest.param(
            [counted("suspended", pinned_deployment_id="dp_0")], {LOST}, id="where its deployment is gone"
        ),
        pytest.param([counted("completed", pinned_deployment_id="dp_0")], set(), id="done where it is gone"),
        pytest.param([counted("paused")], {UNSETTLED}, id="paused"),
        pytest.param([counted("invoked")], {BY_ACTIVITY, UNSETTLED}, id="invoked"),
        pytest.param([counted("of a later release")], {BY_ACTIVITY, UNSETTLED}, id="not known"),
    ],
)
def test_only_what_the_counts_call_for_is_looked_for(
    by_place: list[dict[str, Any]], others: set[str], serve: Serve
) -> None:
    server = Introspected(by_place=by_place)
    examined(serve(server))
    assert server.asked[0] == BY_PLACE
    assert sorted(server.asked[1:]) == sorted(others)


def test_what_is_gone_is_looked_for_where_deployments_are_not_told(serve: Serve) -> None:
    class Forgetful(Introspected):
        def __call__(self, request: Request) -> bytes:
            return answer(500) if request.target == "/deployments" else super().__call__(request)

    server = Forgetful(by_place=[counted("suspended", pinned_deployment_id="dp_1")])
    examined(serve(server))
    assert LOST in server.asked


def test_activity_and_pending_work_are_of_the_counts_and_of_what_the_invoker_does(serve: Serve) -> None:
    invoked = {"target_service_name": "Flow", "retried_often": False, "is_unpinned": True}
    server = Introspected(
        by_place=[
            counted("inboxed", 2),
            counted("suspended", 3, pinned_deployment_id="dp_1"),
            counted("invoked", 6),
            counted("completed", 50),
        ],
        by_activity=[
            {**invoked, "status": "running", "n": 5, "last_attempt_deployment_id": "dp_1"},
            {**invoked, "status": "backing-off", "n": 1, "is_unpinned": False, "retried_often": True},
        ],
    )
    report = examined(serve(server))
    assert report.details["invocations"]["by_status"] == {
        "completed": 50,
        "inboxed": 2,
        "invoked": 6,
        "suspended": 3,
    }
    assert report.details["invocations"]["by_activity"] == {
        "backing-off": 1,
        "pending": 2,
        "running": 5,
        "suspended": 3,
    }
    assert report.details["deployments"]["items"][0]["pending_invocations"] == 2 + 3 + 5
    assert "1 invocation retried 10 times or more." in [one["message"] for one in report.details["findings"]]


def test_what_goes_on_or_is_gone_before_it_is_described_is_no_failure(serve: Serve) -> None:
    server = Introspected(
        by_place=[counted("invoked", 4), counted("completed", 2, completion_result="failure")],
        unsettled=[{"id": "inv_paused"}, {"id": "inv_running"}, {"id": "inv_done"}, {"id": "inv_retried"}],
        failed=[{"id": "inv_late"}, {"id": "inv_purged"}],
        failures=[
            told("inv_retried", "backing-off", last_failure="no bank", last_start_at="2026-11-01T00:00:02Z"),
            told("inv_late", "completed", completion_failure="no money", completed_at="2026-11-01T00:00:01Z"),
            told("inv_running", "running"),
            told("inv_done", "completed", last_failure="no bank"),
            told("inv_paused", "paused", modified_at="2026-11-01T00:00:03Z"),
        ],
    )
    shown = examined(serve(server)).details["invocations"]["recent_failures"]
    assert [(one["id"], one["kind"]) for one in shown] == [
        ("inv_paused", "paused"),
        ("inv_retried", "retrying"),
        ("inv_late", "terminal"),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_recent_failures_are_in_the_order_of_their_times(order: int, serve: Serve) -> None:
    # As texts, the first of them would be the last one.
    times = [
        "2026-11-01T00:00:01Z",
        "2026-11-01T00:00:01.5Z",
        "2026-11-01T00:00:02.25Z",
        "2026-11-01T00:00:02.25Z",
    ]
    rows = [
        told(f"inv_{number}", "completed", completed_at=time, completion_failure="x")
        for number, time in enumerate(times)
    ][::order]
    server = Introspected(
        by_place=[counted("completed", 4, completion_result="failure")],
        failed=[{"id": row["id"]} for row in rows],
        failures=rows,
    )
    details = examined(serve(server)).details
    recent = [each["id"] for each in details["invocations"]["recent_failures"]]
    assert recent == ["inv_2", "inv_3", "inv_1", "inv_0"]
