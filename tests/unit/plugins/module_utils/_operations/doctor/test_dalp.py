# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor makes of the answers of DALP's doctor."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.dalp_answers import (
    NEW,
    OLD,
    health,
)
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import MakeDalp


def test_what_the_doctor_does_not_tell_is_absent(dalp: MakeDalp) -> None:
    seen = dalp(health(OLD)).task("doctor")
    assert seen["ingress"] == {"status": "ok", "latency_ms": 12, "error": None}
    assert seen["admin"] == {"status": "ok", "latency_ms": 9, "version": "1.4.0", "error": None}
    assert seen["deployments"]["items"] == [
        {"id": "dp_old", "service_url": "http://v1:9080/", "created_at": "2026-05-09T10:00:00.000Z"}
    ]
    assert seen["services"]["items"] == [{"name": "IdentityRecoveryWorkflow", "revision": 3}]
    assert seen["invocations"] == {
        "status": "ok",
        "by_status": {"completed": 3},
        "recent_failures": [],
        "error": None,
    }
    assert seen["audit"]["data"]["restate_version"] == "1.4.0"
    assert [finding["code"] for finding in seen["findings"]] == ["UNTESTED_VERSION"]


def test_deployments_are_shown_the_oldest_first_and_services_by_name(dalp: MakeDalp) -> None:
    services = {"status": "ok", "items": [{"name": name, "revision": 1} for name in "ba"], "error": None}
    seen = dalp(health(NEW, OLD, services=services)).task("doctor")
    assert [item["id"] for item in seen["deployments"]["items"]] == ["dp_old", "dp_new"]
    assert [item["name"] for item in seen["services"]["items"]] == ["a", "b"]


def test_a_degraded_component_keeps_what_the_answer_told_and_can_fail_the_gate(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, invocations={"status": "degraded", "byStatus": {"paused": 2}, "error": "odd"}))
    seen = there.task("doctor")
    assert not seen.get("failed")
    assert seen["invocations"].keys() == {"status", "by_status", "error"}
    assert seen["invocations"]["by_status"] == {"paused": 2}
    assert seen["invocations"]["status"] == "degraded"
    assert "odd" in seen["invocations"]["error"]["message"]
    assert not seen["healthy"]
    gated = there.task("doctor", fail_on=["degraded"])
    assert gated["failed"]
    assert gated["deployments"]["items"]


@pytest.mark.parametrize(("name", "content", "shown"), [
    ("deployments", {"items": [OLD]}, {"items": [{"id": "dp_old", "service_url": "http://v1:9080/", "created_at": OLD["createdAt"]}]}),
    ("services", {"items": [{"name": "Flow", "revision": 2}]}, {"items": [{"name": "Flow", "revision": 2}]}),
    ("invocations", {"byStatus": {}, "recentFailures": ["odd"]}, {"by_status": {}, "recent_failures": [{"failure": "odd"}]}),
    ("ingress", {"latencyMs": 900}, {"latency_ms": 900}),
    ("admin", {"latencyMs": 900, "version": "1.7.12"}, {"latency_ms": 900, "version": "1.7.12"}),
    ("deployments", {}, {}),
    ("services", {"items": 7}, {}),
    ("admin", {}, {}),
])  # fmt: skip
def test_what_a_degraded_component_told_is_beside_its_status_and_error(
    name: str, content: dict[str, Any], shown: dict[str, Any], dalp: MakeDalp
) -> None:
    seen = dalp(health(OLD, **{name: {"status": "degraded", "error": "odd", **content}})).task("doctor")
    error = seen[name].pop("error")
    assert seen[name] == {"status": "degraded", **shown}
    assert "odd" in error["message"]


@pytest.mark.parametrize("version", [None, "", "next", "1.7.12-rc1"])
def test_a_version_of_any_kind_hides_nothing(version: str | None, dalp: MakeDalp) -> None:
    told = health(OLD, admin={"status": "ok", "latencyMs": 1, "version": version})
    seen = dalp(told).task("doctor")
    assert seen["admin"]["version"] == version
    assert seen["healthy"]


def test_failures_of_any_shape_are_shown_and_have_a_remedy(dalp: MakeDalp) -> None:
    failures = [
        {"serviceName": ["a"], "serviceKey": 123, "failure": "x" * 1000, "input": {"authToken": "t"}},
        {"invocationId": "inv_1", "serviceName": "Flow", "serviceKey": "k 1", "isFinal": True},
        "odd",
        7,
    ]
    told = health(OLD, invocations={"status": "ok", "byStatus": {"paused": 2}, "recentFailures": failures})
    seen = dalp(told).task("doctor")
    assert seen["invocations"]["recent_failures"] == [
        {"service_key": 123, "failure": "x" * 500},
        {"invocation_id": "inv_1", "service_name": "Flow", "service_key": "k 1", "is_final": True},
        {"failure": "odd"},
        {"failure": "7"},
    ]
    findings = {finding["code"]: finding for finding in seen["findings"]}
    assert findings["RECENT_FAILURES"]["subjects"] == ["Flow/k 1"]
    assert "restate_backend=dalp" in findings["RECENT_FAILURES"]["remedy"]
    # A key in a command that can be pasted may be that of a virtual object.
    assert "Flow" not in findings["RECENT_FAILURES"]["remedy"]
    assert "virtual object" in findings["RECENT_FAILURES"]["remedy"]
    assert "2 invocations" in findings["PAUSED_INVOCATIONS"]["message"]
