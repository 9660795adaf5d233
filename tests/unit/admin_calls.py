# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of a scripted server, the calls that it can make, and the error that one ends with."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteGuard,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Question
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import NOT_FOUND, answer


@dataclass(frozen=True)
class Number:
    """A row of the queries here."""

    n: int


OFFER = answer(201, {"id": "dp_1", "services": []})
ROWS = answer(200, {"rows": [{"n": 1}]})
BODY = {"uri": "http://h:9080", "force": True}


def killed(admin: AdminClient, *ids: str) -> dict[str, str]:
    return dict(admin.terminate("kill", ids))


def purged(admin: AdminClient, *ids: str) -> dict[str, str]:
    return dict(admin.terminate("purge", ids))


# What each write sends: method and target, and the body.
WRITES: dict[str, tuple[Callable[[AdminClient], object], bytes, str, Any]] = {
    "register": (lambda admin: admin.register(BODY), OFFER, "POST /deployments", BODY),
    "delete_deployment": (
        lambda admin: admin.delete_deployment("dp_1"), answer(202), "DELETE /deployments/dp_1?force=true", None,
    ),
    "patch_service": (
        lambda admin: admin.patch_service("A", {"public": False}), answer(200), "PATCH /services/A", {"public": False},
    ),
    "clear_state": (
        lambda admin: admin.clear_state("A", "k/1", "v"), answer(202), "POST /services/A/state",
        {"version": "v", "object_key": "k/1", "new_state": {}},
    ),
    "terminate": (lambda admin: killed(admin, "inv_1"), answer(200), "PATCH /invocations/inv_1/kill", None),
    "cancel": (lambda admin: admin.cancel("inv_1"), answer(202), "PATCH /invocations/inv_1/cancel", None),
    "pause": (lambda admin: admin.pause("inv_1"), answer(202), "PATCH /invocations/inv_1/pause", None),
    "resume": (
        lambda admin: admin.resume("inv_1", "latest"), answer(200), "PATCH /invocations/inv_1/resume?deployment=latest", None,
    ),
}  # fmt: skip

READS: dict[str, tuple[Callable[[AdminClient], object], bytes, str]] = {
    "version": (lambda admin: admin.version, answer(200, {"version": "1.7.12"}), "GET /version"),
    "questions": (lambda admin: admin.questions, answer(200, {"version": "1.7.12"}), "GET /version"),
    "deployments": (AdminClient.deployments, answer(200, {"deployments": []}), "GET /deployments"),
    "deployment": (lambda admin: admin.deployment("dp_1"), NOT_FOUND, "GET /deployments/dp_1"),
    "cluster_name": (AdminClient.cluster_name, answer(404), "GET /cluster-health"),
    "services": (AdminClient.services, answer(200, {"services": []}), "GET /services"),
    "subscriptions": (AdminClient.subscriptions, answer(200, {"subscriptions": []}), "GET /subscriptions"),
    "service": (lambda admin: admin.service("A"), NOT_FOUND, "GET /services/A"),
    "openapi": (lambda admin: admin.openapi(".."), NOT_FOUND, "GET /services/%2E%2E/openapi"),
    "capabilities": (lambda admin: admin.capabilities, answer(200, {"version": "1.7.12"}), "GET /version"),
    "query": (lambda admin: admin.query(Question(Number, "SELECT 1")), ROWS, "POST /query"),
    "now": (AdminClient.now, answer(200, {"rows": [{"now": "2026-12-01T03:00:00Z"}]}), "POST /query"),
    "queries": (lambda admin: admin.queries(Question(Number, "SELECT 1")), ROWS, "POST /query"),
    "matches_empty": (
        lambda admin: admin.matches_empty("select.failure_matches", "x"),
        answer(200, {"rows": [{"matches": False}]}),
        "POST /query",
    ),
    "discover": (lambda admin: admin.discover(BODY), OFFER, "POST /deployments"),
}


def client(
    url: str,
    *,
    check_mode: bool = False,
    retries: int = 1,
    request_timeout: float = 2.0,
    alternatives: tuple[str, ...] = (),
) -> AdminClient:
    return AdminClient(
        Connection(url=url, alternatives=alternatives, request_timeout=request_timeout, retries=retries),
        WriteGuard(check_mode=check_mode),
        FakeClock(),
    )


def failure(call: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value
