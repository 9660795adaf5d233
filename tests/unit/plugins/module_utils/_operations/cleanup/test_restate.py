# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cleanup that is cut off half-way, and the deployment that it is told to assume."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.plan import CleanupRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.restate import cleanup
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import RESET, Request, answer
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation

HANDLERS = [{"name": "run", "ty": "Workflow"}]
FLOW = {"name": "Flow", "ty": "Workflow", "deployment_id": "dp_new", "revision": 3, "handlers": HANDLERS}


class Server:
    """Three deployments, of which dp_new is the latest; with faults, by method and path."""

    def __init__(self, pinned: str | None = None) -> None:
        self.ids = ["dp_1", "dp_2", "dp_new"]
        self.pinned = pinned
        self.faults: dict[str, list[bytes]] = {}

    def __call__(self, request: Request) -> bytes:
        call = f"{request.method} {request.target}"
        if self.faults.get(call):
            return self.faults[call].pop(0)
        if call == "GET /version":
            return answer(200, {"version": "1.7.12"})
        if call == "GET /deployments":
            return answer(200, {"deployments": [self._deployment(each) for each in self.ids]})
        if call == "GET /services":
            return answer(200, {"services": [FLOW]})
        if call == "POST /deployments":
            return answer(200, {"id": "dp_new", "services": [FLOW]})
        if call == "POST /query":
            return answer(200, {"rows": self._rows(request.json["query"])})
        if request.method == "PATCH":
            return answer(202)
        self.ids.remove(re.findall(r"dp_\w+", call)[0])
        return answer(202)

    def _deployment(self, id_: str) -> dict[str, Any]:
        services = [{"name": "Flow", "revision": 1}]
        # The newest as a text is not the newest as an instant.
        moments = {"dp_1": "01.5Z", "dp_2": "02Z", "dp_new": "02.5Z"}
        return {
            "id": id_,
            "uri": f"http://{id_}:9080/",
            "created_at": f"2026-01-01T00:00:{moments[id_]}",
            "services": services,
        }

    def _rows(self, query: str) -> list[dict[str, Any]]:
        if not self.pinned:
            return []
        if "GROUP BY pinned_deployment_id, status" in query:
            return [{"pinned_deployment_id": self.pinned, "status": "invoked", "n": 2}]
        if "ORDER BY created_at" in query and f"'{self.pinned}'" in query:
            return [invocation("inv_1", "invoked"), invocation("inv_2", "invoked")]
        return []


def cleaned(server: Any, *, check_mode: bool = False, **asked: Any) -> Report:
    request: dict[str, Any] = {
        "service_url": "http://dp_new:9080",
        "force_drain": False,
        "drain_timeout": 0,
        "pending": "migrate",
        "migrate_paused": False,
        "remove": "all",
        "allow_service_removal": False,
        "keep": [],
        "min_age": None,
        "max_removed": 10,
        "assume_registered": None,
    }
    connection = Connection(url=server.url, request_timeout=2.0, retries=0)
    admin = AdminClient(connection, WriteGuard(check_mode=check_mode), FakeClock())
    restate = Restate(admin, Ingress(connection, None, WriteGuard(check_mode=check_mode), FakeClock()))
    return cleanup(restate, CleanupRequest(**{**request, **asked}))


def remaining(report: Report) -> dict[str, str]:
    return {entry["deployment_id"]: entry["reason"] for entry in report.details["remaining"]}


# Cut off

DELETE_2 = "DELETE /deployments/dp_2?force=true"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(answer(500, {"message": "no!"}), "RESTATE_UNEXPECTED_RESPONSE", id="refused"),
        pytest.param(answer(401), "RESTATE_PERMISSION_REQUIRED", id="the credentials expire"),
        pytest.param(RESET, "RESTATE_ADMIN_UNREACHABLE", id="the server is gone"),
    ],
)
def test_what_a_cleanup_did_not_come_to_remains_with_a_reason(
    fault: bytes, code: str, serve: Serve, delays: list[float]
) -> None:
    script = Server()
    script.faults[DELETE_2] = [fault]
    report = cleaned(serve(script))
    assert report.details["removed"] == ["dp_1"]
    assert remaining(report) == {"dp_2": "interrupted"}
    assert report.error is not None
    assert report.error.code == code
    assert report.changed
    assert [step["deployment_id"] for step in report.done] == ["dp_1"]
    assert [step["deployment_id"] for step in report.not_done] == ["dp_2"]
    assert report.after["deployments"].keys() == {"dp_2", "dp_new"}


def test_nothing_removed_is_nothing_changed_and_all_remains(serve: Serve, delays: list[float]) -> None:
    script = Server()
    script.faults["DELETE /deployments/dp_1?force=true"] = [answer(500)]
    report = cleaned(serve(script))
    assert remaining(report) == {"dp_1": "interrupted", "dp_2": "interrupted"}
    assert not report.changed


def test_a_removal_whose_answer_was_lost_may_have_changed_something(
    serve: Serve, delays: list[float]
) -> None:
    script = Server()
    script.faults["DELETE /deployments/dp_1?force=true"] = [RESET]
    assert cleaned(serve(script)).changed


@pytest.mark.parametrize("pending", ["cancel", "kill"])
def test_what_was_done_to_invocations_before_it_was_cut_off_is_shown(
    pending: str, serve: Serve, no_waiting: list[float]
) -> None:
    script = Server(pinned="dp_1")
    if pending == "cancel":
        script.faults["PATCH /invocations/inv_2/cancel"] = [answer(401)]
        expected = {"cancelled": ["inv_1"]}
    else:
        batch = {"succeeded": ["inv_1"], "failed": [{"invocation_id": "inv_2", "error": "no leader"}]}
        script.faults["POST /internal/invocations_batch_operations/kill"] = [answer(200, batch)]
        expected = {"killed": ["inv_1"]}
    server = serve(_with_status(script))
    report = cleaned(server, force_drain=True, pending=pending)
    assert {name: report.details[name] for name in expected} == expected
    assert report.changed
    assert report.details["removed"] == ["dp_2"]
    assert remaining(report) == {"dp_1": "interrupted" if pending == "cancel" else "kill_failed"}


def _with_status(script: Server) -> Any:
    """Let a kill find what it planned."""

    def act(request: Request) -> bytes:
        if request.target == "/query" and "completion_failure FROM sys_invocation_status" in str(
            request.json
        ):
            rows = [invocation("inv_1", "invoked"), invocation("inv_2", "invoked")]
            return answer(200, {"rows": rows})
        return script(request)

    return act


# Order


def test_the_oldest_goes_first_by_instant_and_not_by_text(serve: Serve) -> None:
    script = Server()
    script.ids = ["dp_2", "dp_1", "dp_new"]
    assert cleaned(serve(script)).details["removed"] == ["dp_1", "dp_2"]


# What is assumed

ASSUMED = {
    "service_url": "http://dp_new:9080/",
    "services": [{"name": "Flow", "type": "Workflow", "handlers": [{"name": "run", "type": "Workflow"}]}],
}


def service(**changes: Any) -> dict[str, Any]:
    return {**ASSUMED, "services": [{**ASSUMED["services"][0], **changes}]}  # type: ignore[dict-item]


NO_TEXT: list[Any] = [None, 5, [], {}]
NO_LIST: list[Any] = [None, 5, "Flow", {"Flow": 1}, [None], ["Flow"], [{}]]
MALFORMED: dict[str, list[dict[str, Any]]] = {
    "no URL": [{"services": []}],
    "no services": [{"service_url": "http://dp_new:9080/"}],
    "URL": [
        {**ASSUMED, "service_url": odd} for odd in (*NO_TEXT, "", "::::", "http://[", "http://other:9080")
    ],
    "services": [{**ASSUMED, "services": odd} for odd in NO_LIST],
    "name": [service(name=odd) for odd in (*NO_TEXT, ["Flow"], {"a": 1}, True)],
    "type": [service(type=odd) for odd in NO_TEXT],
    "handlers": [service(handlers=odd) for odd in (*NO_LIST, [{"name": "run"}])],
    "handler": [service(handlers=[{"name": odd, "type": None}]) for odd in NO_TEXT],
    "its type": [service(handlers=[{"name": "run", "type": 5}])],
}


@pytest.mark.parametrize(
    "assumed",
    [
        pytest.param(one, id=f"{what} {number}")
        for what, of in MALFORMED.items()
        for number, one in enumerate(of)
    ],
)
def test_what_is_no_deployment_is_an_invalid_argument(assumed: dict[str, Any], serve: Serve) -> None:
    with pytest.raises(OperatorError) as raised:
        cleaned(serve(Server()), check_mode=True, assume_registered=assumed)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "assume_registered" in raised.value.message


def test_what_a_dry_run_returned_is_assumed(serve: Serve) -> None:
    report = cleaned(serve(Server()), check_mode=True, assume_registered=ASSUMED)
    assert report.error is None
    assert report.details["removed"] == ["dp_1", "dp_2"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_given_is_nothing_assumed(check_mode: bool, serve: Serve) -> None:
    assert cleaned(serve(Server()), check_mode=check_mode, assume_registered={}).error is None
