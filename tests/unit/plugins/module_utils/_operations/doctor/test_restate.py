# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a doctor asks of a server: a fixed number of requests, each once."""

from __future__ import annotations

import threading

import pytest
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
