# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is resumed, where it goes on, what forbids it, and what a resume that is cut off says."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.fit import Offer
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._operations.resume.plan import (
    Places,
    ResumeRequest,
    Step,
    make_step,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.resume.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation, columns
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import (
    NOT_FOUND,
    RESET,
    LoopbackServer,
    Request,
    answer,
)
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, invocation, registry, service

# Flow is on dp_old and, the latest, on dp_new; dp_old serves an older handler, too. Lost was registered once.
SEEN = registry(deployment("dp_old", "Flow"), deployment("dp_new", "Flow", day=2), latest={"Flow": "dp_new"})
BEFORE = service("Flow", handlers={"run": "Workflow", "before": "Shared"})
PLACES = Places(
    SEEN,
    {
        "dp_new": Offer("dp_new", {"Flow": service("Flow")}, 5, 5),
        "dp_old": Offer("dp_old", {"Flow": BEFORE}, 5, 6),
    },
)


def stuck(status: str, pinned: str | None = "dp_old", handler: str = "run", **more: Any) -> Invocation:
    failure = {"last_failure": "no"} if status in ("backing-off", "running", "ready") else {}
    return invocation("inv_1", status, handler, pinned_deployment_id=pinned, **{**failure, **more})


def shown(step: Step) -> str:
    if step.outcome == "resumed":
        return f"resumed {'on ' + step.move_to if step.move_to else 'in place'}"
    assert step.move_to is None
    return f"{step.outcome}: {step.reason}"


@pytest.mark.parametrize(("row", "keep", "latest", "old"), [
    pytest.param(stuck("completed"), *["unchanged: completed"] * 3, id="completed"),
    pytest.param(stuck("completed", "dp_gone"), *["unchanged: completed"] * 3, id="completed on a deployment that is gone"),
    pytest.param(stuck("running", last_failure=None), *["unchanged: not_stuck"] * 3, id="running"),
    pytest.param(stuck("suspended"), *["unchanged: not_stuck"] * 3, id="suspended"),
    pytest.param(stuck("scheduled", None), *["unchanged: not_stuck"] * 3, id="scheduled"),
    pytest.param(stuck("pending", None), *["unchanged: not_stuck"] * 3, id="in the inbox"),
    pytest.param(stuck("paused"), "resumed in place", "resumed on dp_new", "resumed in place", id="paused"),
    pytest.param(stuck("backing-off"), "resumed in place", "resumed on dp_new", "resumed in place", id="backing off"),
    pytest.param(stuck("running"), "resumed in place", "resumed on dp_new", "resumed in place", id="just being tried again"),
    pytest.param(stuck("ready"), "resumed in place", "resumed on dp_new", "resumed in place", id="ready to be tried again"),
    pytest.param(stuck("paused", "dp_new"), "resumed in place", "resumed in place", "resumed on dp_old", id="paused on the latest"),
    pytest.param(stuck("backing-off", "dp_gone"), "blocked: deployment_gone", "resumed on dp_new", "resumed on dp_old", id="a zombie that backs off"),
    pytest.param(stuck("paused", "dp_gone"), "blocked: deployment_gone", "resumed on dp_new", "resumed on dp_old", id="a zombie that is paused"),
    pytest.param(stuck("suspended", "dp_gone"), "blocked: deployment_gone", "resumed on dp_new", "resumed on dp_old", id="a zombie that waits"),
    pytest.param(stuck("paused", handler="before"), "resumed in place", "blocked: handler_not_served", "resumed in place", id="a handler that the latest does not serve"),
    pytest.param(stuck("paused", "dp_gone", "nowhere"), "blocked: deployment_gone", *["blocked: handler_not_served"] * 2, id="a handler that nobody serves"),
    pytest.param(stuck("paused", target_service_name="Lost"), "blocked: handler_not_served", "blocked: service_not_registered", "blocked: handler_not_served", id="a service that is not registered"),
    pytest.param(stuck("paused", pinned_service_protocol_version=6), "resumed in place", "blocked: protocol_not_supported", "resumed in place", id="a protocol that the latest does not speak"),
    pytest.param(stuck("paused", "dp_new", pinned_service_protocol_version=6), *["blocked: protocol_not_supported"] * 2, "resumed on dp_old", id="a protocol that its own deployment does not speak any more"),
    pytest.param(stuck("paused", "dp_new", pinned_service_protocol_version=5), *["resumed in place"] * 2, "resumed on dp_old", id="a protocol that all speak"),
    pytest.param(stuck("paused", "dp_gone", pinned_service_protocol_version=6), "blocked: deployment_gone", "blocked: protocol_not_supported", "resumed on dp_old", id="a zombie whose protocol the latest does not speak"),
    pytest.param(stuck("paused", target_service_ty="virtual_object"), *["blocked: service_type_changed"] * 3, id="a service that has another type"),
    pytest.param(stuck("paused", None), *["resumed in place"] * 3, id="paused before it was pinned"),
    pytest.param(stuck("backing-off", None), *["resumed in place"] * 3, id="backing off before it was pinned"),
    pytest.param(stuck("paused", None, "before"), *["blocked: latest_does_not_fit"] * 3, id="unpinned, of a handler that the latest does not serve"),
    pytest.param(stuck("backing-off", None, target_service_name="Lost"), *["blocked: service_not_registered"] * 3, id="unpinned, of a service that is not registered"),
])  # fmt: skip
def test_step(row: Invocation, keep: str, latest: str, old: str) -> None:
    asked = {"keep": keep, "latest": latest, "dp_old": old}
    for name, expected in asked.items():
        step = make_step(row, name, PLACES)
        assert shown(step) == expected, name
        assert bool(step.message) == (step.reason is not None)


# Cut off


def request(**asked: Any) -> ResumeRequest:
    defaults: dict[str, Any] = {
        "invocation_ids": ["inv_1", "inv_2", "inv_3"],
        "workflows": None,
        "select": None,
        "deployment": "keep",
        "skip_blocked": False,
    }
    return ResumeRequest(**{**defaults, **asked})


def paused_ones(request: Request) -> bytes:
    """Answer all that is read: three paused invocations of which no event is kept, and the deployment they are on."""
    if request.target == "/query" and "sys_journal_events" in request.json["query"]:
        return answer(200, {"rows": []})
    if request.target == "/query":
        rows = [
            columns(invocation(f"inv_{each}", "paused", pinned_deployment_id="dp_1")) for each in (1, 2, 3)
        ]
        return answer(200, {"rows": rows})
    entry: dict[str, Any] = {"id": "dp_1", "uri": "http://h:1/", "created_at": "2026-01-01T00:00:00Z"}
    if request.target == "/deployments":
        return answer(200, {"deployments": [entry]})
    if request.target == "/deployments/dp_1":
        flow = {
            "name": "Flow",
            "ty": "Workflow",
            "deployment_id": "dp_1",
            "revision": 1,
            "handlers": [{"name": "run"}],
        }
        return answer(200, {**entry, "services": [flow]})
    return answer(200, {"services": [], "version": "1.7.12"})


def resumed(server: LoopbackServer, **asked: Any) -> Report:
    return operate(BACKEND, restate_at(server), request(**asked))


READS = [paused_ones] * 6
DONE = answer(200)


def outcomes(report: Report) -> list[str]:
    return [result["reason"] or result["outcome"] for result in report.details["results"]]


def test_all_are_resumed(serve: Serve) -> None:
    report = resumed(serve(*READS, DONE))
    assert outcomes(report) == ["resumed"] * 3
    assert report.error is None
    assert report.changed


def test_one_that_is_refused_stops_no_other(serve: Serve) -> None:
    report = resumed(serve(*READS, DONE, answer(400, {"message": "no!"}), DONE))
    assert outcomes(report) == ["resumed", "not_resumed", "resumed"]
    assert report.error is not None
    assert report.error.code == "RESTATE_WORKFLOW_RETRY_BLOCKED"


def test_one_that_completed_meanwhile_is_not_resumed(serve: Serve) -> None:
    report = resumed(serve(*READS, answer(409), NOT_FOUND, DONE))
    assert outcomes(report) == ["completed", "completed", "resumed"]
    assert report.error is None


@pytest.mark.parametrize(("then", "expected"), [
    pytest.param((DONE, RESET), ["resumed", "unknown", "not_tried"], id="after the first"),
    pytest.param((RESET,), ["unknown", "not_tried", "not_tried"], id="at once"),
])  # fmt: skip
def test_a_server_that_is_lost_hides_nothing_and_nothing_is_claimed(
    then: tuple[bytes, ...], expected: list[str], serve: Serve
) -> None:
    report = resumed(serve(*READS, *then, RESET))
    assert outcomes(report) == expected
    assert report.changed
    assert report.error is not None
    assert (report.error.code, report.error.reason) == ("RESTATE_ADMIN_UNREACHABLE", "interrupted")
    assert report.details["summary"]["resumed"] == expected.count("resumed")
    words = [report.after[f"inv_{each}"]["status"] for each in (1, 2, 3)]
    shown = {"resumed": "resumed", "unknown": "unknown", "not_tried": "paused"}
    assert words == [shown[one] for one in expected]


@pytest.mark.parametrize("then", [answer(409), NOT_FOUND], ids=["completed", "gone"])
def test_a_run_that_completed_after_a_resume_whose_answer_was_lost_is_resumed(
    serve: Serve, then: Any
) -> None:
    restate = restate_at(serve(*READS, RESET, then, DONE, DONE), clock=FakeClock(), retries=3)
    report = operate(BACKEND, restate, request())
    assert [each["outcome"] for each in report.details["results"]] == ["resumed"] * 3
    assert report.changed


def test_a_resume_whose_answer_was_lost_is_repeated_after_a_while(
    serve: Serve,
) -> None:
    server = serve(*READS, RESET, DONE)
    clock = FakeClock()
    restate = restate_at(server, clock=clock, retries=2)
    assert outcomes(operate(BACKEND, restate, request())) == ["resumed"] * 3
    assert server.calls.count("PATCH /invocations/inv_1/resume?deployment=keep") == 2
    assert len(clock.sleeps) == 1


def test_one_whose_answer_is_awaited_is_not_told_to_be_done(serve: Serve) -> None:
    clock = FakeClock()
    restate = restate_at(serve(*READS, DONE, *[RESET] * 6, DONE), clock=clock, retries=5)
    assert outcomes(operate(BACKEND, restate, request())) == ["resumed"] * 3
    assert clock.told[0] == "resume: 1 of 3 done"
