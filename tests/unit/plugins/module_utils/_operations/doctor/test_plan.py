# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator is told of a server, how grave it is, what to do; and when a gate closes."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import (
    COMPONENTS,
    Component,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.verdict import gate, sentence
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import SAMPLE
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import RELEASES
from ansible_collections.dalp.restate.tests.unit.doctor_observed import (
    DOWN,
    FAILED,
    FORBIDDEN,
    OFTEN,
    PINNED,
    QUERY_FAILED,
    RELEASED,
    ZOMBIE,
    components,
    findings,
    invocations,
    paused,
    placed,
    unfinished,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    invocation,
    version,
)


@pytest.mark.parametrize(("changes", "expected"), [
    pytest.param({}, [], id="a healthy server has none"),
    pytest.param({"deployments": (), "services": ()}, ["info NOTHING_REGISTERED deployments deployments"], id="an empty server"),
    pytest.param({"admin": version("1.4.4")}, ["info UNTESTED_VERSION admin 1.4.4"], id="too old a version"),
    pytest.param({"admin": version("1.8.0")}, ["info UNTESTED_VERSION admin 1.8.0"], id="too new a version"),
    pytest.param({"ingress": DOWN}, ["critical INGRESS_UNREACHABLE ingress http://h:8080"], id="the ingress is down"),
    pytest.param({"ingress": FORBIDDEN}, ["warning INGRESS_DEGRADED ingress http://h:8080"], id="the ingress answers otherwise"),
    pytest.param({name: DOWN for name in COMPONENTS if name != "ingress"}, ["critical ADMIN_UNREACHABLE admin http://h:9070"], id="the admin is down: said once"),
    pytest.param({"admin": FORBIDDEN}, ["warning ADMIN_DEGRADED admin http://h:9070"], id="the admin refuses the credentials"),
    pytest.param({"services": DOWN}, ["warning SERVICES_UNREACHABLE services http://h:9070"], id="one list does not come"),
    pytest.param({"deployments": FORBIDDEN}, ["warning DEPLOYMENTS_DEGRADED deployments http://h:9070"], id="one list is refused"),
    pytest.param({"invocations": QUERY_FAILED}, ["warning INVOCATIONS_DEGRADED invocations http://h:9070"], id="a query fails"),
    pytest.param({"deployments": ()}, ["critical SERVICE_WITHOUT_DEPLOYMENT services Flow"], id="a service without a live deployment"),
    pytest.param(RELEASED, ["info DRAINED_DEPLOYMENTS deployments dp_old"], id="a drained deployment"),
    pytest.param({**RELEASED, "invocations": invocations(pending=[PINNED])}, ["warning STALE_DEPLOYMENTS deployments dp_old"], id="a stale deployment"),
    pytest.param({**RELEASED, "invocations": QUERY_FAILED}, ["warning INVOCATIONS_DEGRADED invocations http://h:9070"], id="without counts no deployment is called drained"),
    pytest.param({**RELEASED, "services": FORBIDDEN}, ["warning SERVICES_DEGRADED services http://h:9070"], id="without services no deployment is called drained"),
    pytest.param({"invocations": invocations(zombies=[ZOMBIE])}, ["warning ZOMBIE_INVOCATIONS invocations inv_z"], id="a zombie"),
    pytest.param({"invocations": paused(1)}, ["warning PAUSED_INVOCATIONS invocations inv_p"], id="a paused invocation"),
    pytest.param({"invocations": invocations(unfinished=unfinished("backing-off", 1, retried_often=True), unsettled=[OFTEN])}, ["warning RETRYING_INVOCATIONS invocations inv_r"], id="retried for long"),
    pytest.param({"invocations": invocations(unfinished=unfinished("backing-off", 1), unsettled=[invocation("inv_r", "backing-off", retry_count=1)])}, [], id="retried a little"),
    pytest.param({"invocations": invocations(unfinished=unfinished("suspended", 9))}, [], id="what waits is no finding"),
    pytest.param({"invocations": invocations(by_place=[placed("failure")], failed=[FAILED])}, ["warning FAILED_WORKFLOWS invocations Flow/k"], id="a failed run"),
    pytest.param({"invocations": invocations(by_place=[placed("failure")], failed=[FAILED]), "services": FORBIDDEN}, ["warning SERVICES_DEGRADED services http://h:9070", "warning FAILED_WORKFLOWS invocations Flow/k"], id="a failed run of a service that is not known"),
    pytest.param({"invocations": invocations(by_place=[placed("success")])}, [], id="a run that succeeded is no finding"),
    pytest.param({"invocations": invocations(by_place=[placed("failure", target_handler_name="status")])}, [], id="a failed shared handler is no failed run"),
    pytest.param({"invocations": invocations(by_place=[placed("failure", target_service_ty="service")])}, [], id="a failed call of a plain service is no failed run"),
])  # fmt: skip
def test_findings(changes: dict[str, Any], expected: list[str]) -> None:
    seen = findings(**changes)
    assert [f"{one.severity} {one.code} {one.component} {' '.join(one.subjects)}" for one in seen] == expected
    assert all(one.message and one.remedy for one in seen)


@pytest.mark.parametrize("tested", RELEASES)
def test_a_tested_version_is_no_finding(tested: tuple[int, int]) -> None:
    assert not findings(admin=version(f"{tested[0]}.{tested[1]}.99"))


def test_a_service_that_does_not_answer_discovery_is_critical_and_named() -> None:
    seen = findings({"dp_1": OperatorError("RESTATE_SERVICE_UNREACHABLE", "[META0003] refused")})
    assert [(one.code, one.severity, one.subjects) for one in seen] == [
        ("SERVICE_UNREACHABLE", "critical", ["Flow"])
    ]
    assert "http://dp_1:9080/" in seen[0].message
    assert "[META0003] refused" in seen[0].message


def test_the_gravest_come_first() -> None:
    seen = findings(admin=version("1.8.0"), ingress=DOWN, invocations=invocations(zombies=[ZOMBIE]))
    assert [one.severity for one in seen] == ["critical", "warning", "info"]


# Numbers


@pytest.mark.parametrize(("changes", "words"), [
    ({"invocations": invocations(by_place=[placed("failure", 3), placed("failure", 2, pinned_deployment_id="dp_2")])}, "5 workflow runs"),
    ({"invocations": invocations(by_place=[placed("failure", 1)])}, "1 workflow run failed"),
    ({"invocations": paused(40)}, "40 invocations paused"),
    ({"invocations": invocations(zombies=[ZOMBIE] * (SAMPLE - 1))}, f"{SAMPLE - 1} unfinished invocations"),
    ({"invocations": invocations(zombies=[ZOMBIE] * SAMPLE)}, f"At least {SAMPLE} unfinished invocations"),
    ({**RELEASED, "invocations": invocations(pending=[PINNED])}, "1 superseded deployment still held by 2 pending invocations"),
])  # fmt: skip
def test_a_message_counts_all_and_not_the_sample(changes: dict[str, Any], words: str) -> None:
    assert words in findings(**changes)[0].message


# The gate

ADMIN_DOWN = {name: DOWN for name in COMPONENTS if name != "ingress"}
CRITICAL: dict[str, Any] = {"deployments": ()}
WARNING: dict[str, Any] = {"invocations": invocations(zombies=[ZOMBIE])}
INFO: dict[str, Any] = {"admin": version("1.8.0")}


@pytest.mark.parametrize(("fail_on", "changes", "expected"), [
    pytest.param([], ADMIN_DOWN, None, id="no gate, whatever is wrong"),
    pytest.param([], CRITICAL, None, id="no gate, a critical finding"),
    pytest.param(["unreachable", "degraded", "critical", "warning"], {}, None, id="every gate is open on a healthy server"),
    pytest.param(["unreachable", "degraded", "critical", "warning"], INFO, None, id="info closes no gate"),
    pytest.param(["unreachable"], ADMIN_DOWN, "RESTATE_ADMIN_UNREACHABLE admin_unreachable", id="unreachable: the admin is down"),
    pytest.param(["unreachable"], {"ingress": DOWN}, "RESTATE_ADMIN_UNREACHABLE ingress_unreachable", id="unreachable: the ingress is down"),
    pytest.param(["unreachable"], {"admin": FORBIDDEN}, None, id="unreachable: degraded passes"),
    pytest.param(["unreachable"], CRITICAL, None, id="unreachable: findings pass"),
    pytest.param(["degraded"], {"admin": FORBIDDEN}, "RESTATE_PERMISSION_REQUIRED admin_degraded", id="degraded: the error's own code"),
    pytest.param(["degraded"], {"invocations": QUERY_FAILED}, "RESTATE_QUERY_FAILED invocations_degraded", id="degraded: any component"),
    pytest.param(["degraded"], {"ingress": DOWN}, "RESTATE_ADMIN_UNREACHABLE ingress_unreachable", id="degraded includes unreachable"),
    pytest.param(["degraded"], CRITICAL, None, id="degraded: findings pass"),
    pytest.param(["critical"], CRITICAL, "RESTATE_UNHEALTHY service_without_deployment", id="critical: a critical finding"),
    pytest.param(["critical"], {"ingress": DOWN}, "RESTATE_UNHEALTHY ingress_unreachable", id="critical: what is down is critical"),
    pytest.param(["critical"], WARNING, None, id="critical: warnings pass"),
    pytest.param(["warning"], WARNING, "RESTATE_UNHEALTHY zombie_invocations", id="warning: a warning"),
    pytest.param(["warning"], CRITICAL, "RESTATE_UNHEALTHY service_without_deployment", id="warning includes critical"),
    pytest.param(["degraded", "critical"], {**CRITICAL, "ingress": FORBIDDEN}, "RESTATE_PERMISSION_REQUIRED ingress_degraded", id="components come before findings"),
    pytest.param(["degraded", "critical"], WARNING, None, id="the playbooks' gate lets warnings pass"),
])  # fmt: skip
def test_gate(fail_on: list[str], changes: dict[str, Any], expected: str | None) -> None:
    error = gate(fail_on, components(**changes), findings(**changes))
    assert (f"{error.code} {error.reason}" if error else None) == expected
    if error:
        assert str(fail_on) in error.message


# One sentence


@pytest.mark.parametrize(("changes", "healthy", "begin"), [
    ({}, True, "Restate 1.7.12 is healthy."),
    (INFO, True, "Restate 1.8.0 is healthy."),
    ({"deployments": (), "services": ()}, True, "Restate 1.7.12 answers, and nothing is registered there."),
    (WARNING, True, "Restate 1.7.12 works, but needs attention: 1 unfinished invocation "),
    (CRITICAL, False, "Restate 1.7.12 is not healthy: Service Flow is on deployment dp_1"),
    (ADMIN_DOWN, False, "Restate is not healthy: GET http://h:9070 failed: refused. What to do: "),
    ({**CRITICAL, **WARNING}, False, "Restate 1.7.12 is not healthy: Service Flow is on deployment dp_1, which is not registered. (1 more finding) What to do: "),
])  # fmt: skip
def test_the_sentence_begins_with_the_gravest(changes: dict[str, Any], healthy: bool, begin: str) -> None:
    assert sentence(components(**changes)["admin"].value, findings(**changes), healthy=healthy).startswith(
        begin
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "ok"), (DOWN, "unreachable"), (FORBIDDEN, "degraded"), (QUERY_FAILED, "degraded")],
)
def test_the_status_of_a_component(error: OperatorError | None, status: str) -> None:
    component = Component(error=error)
    assert component.status == status
    shown = component.to_result({"items": []})
    assert ("items" in shown) == (error is None)
    assert (shown["error"] or {}).get("code") == (error.code if error else None)


def test_a_degraded_component_shows_what_it_told_all_the_same() -> None:
    shown = Component(value=[], error=FORBIDDEN).to_result({"items": []})
    assert (shown["status"], shown["items"]) == ("degraded", [])
