# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator is told of a server, how grave it is, what to do; and when a gate closes."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import (
    COMPONENTS,
    LONG_RETRYING,
    Component,
    Invocations,
    Observed,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.findings import Finding
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.plan import diagnose
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.superseded import MAX_REMOVED
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.verdict import gate, sentence
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import SAMPLE
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    InvocationsByPlace,
    PinnedCount,
    UnfinishedByActivity,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import RELEASES
from ansible_collections.dalp.restate.plugins.modules import restate_cleanup
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    deployment,
    invocation,
    service,
    version,
)

DOWN = OperatorError("RESTATE_ADMIN_UNREACHABLE", "GET http://h:9070 failed: refused.")
FORBIDDEN = OperatorError(
    "RESTATE_PERMISSION_REQUIRED", "GET http://h:9070 answered 403: no.", http={"status": 403}
)
QUERY_FAILED = OperatorError("RESTATE_QUERY_FAILED", "POST /query answered 500: no leader.")

COMMAND = "ansible-playbook dalp.restate."


def invocations(**rows: Any) -> Invocations:
    return Invocations(**rows)


def unfinished(status: str, n: int, *, retried_often: bool = False) -> list[UnfinishedByActivity]:
    return [UnfinishedByActivity(status, retried_often, n)]


def paused(n: int, *rows: Any, **more: Any) -> Invocations:
    """Return that many paused invocations, of which these are told."""
    return invocations(by_place=[placed(None, n, "paused", **more)], unsettled=rows or [PAUSED])


def components(**changes: Any) -> dict[str, Component]:
    """Make the components of a healthy server with one service, but for what is named."""
    values: dict[str, Any] = {
        "admin": version("1.7.12"),
        "ingress": "http://h:8080",
        "deployments": (deployment("dp_1", "Flow"),),
        "services": (service("Flow"),),
        "invocations": invocations(),
        **changes,
    }
    return {
        name: Component(error=value) if isinstance(value, OperatorError) else Component(value=value)
        for name, value in values.items()
    }


def findings(probes: dict[str, Any] | None = None, **changes: Any) -> list[Finding]:
    return diagnose(Observed(components(**changes), "http://h:9070", "http://h:8080", probes or {}))


def placed(result: str | None, n: int = 1, status: str = "completed", **more: Any) -> InvocationsByPlace:
    row = invocation("", status, result=result, **more)
    return InvocationsByPlace(
        row.status, row.target_service_name, row.target_handler_name, row.target_service_ty, n,
        row.completion_result, row.pinned_deployment_id,
    )  # fmt: skip


RELEASED = {
    "deployments": (deployment("dp_old", "Flow", day=1), deployment("dp_new", "Flow", day=2)),
    "services": (service("Flow", "dp_new"),),
}
PINNED = PinnedCount("dp_old", "suspended", 2)
PAUSED = invocation("inv_p", "paused")
OFTEN = invocation("inv_r", "backing-off", retry_count=LONG_RETRYING)
ZOMBIE = invocation("inv_z", "invoked")
FAILED = invocation("inv_f", "completed")


@pytest.mark.parametrize(("changes", "expected"), [
    pytest.param({}, [], id="a healthy server has none"),
    pytest.param({"deployments": (), "services": ()}, [], id="an empty server has none"),
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
    pytest.param({**RELEASED, "invocations": invocations(pinned=[PINNED])}, ["warning STALE_DEPLOYMENTS deployments dp_old"], id="a stale deployment"),
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


# Remedies


@pytest.mark.parametrize(("changes", "remedy"), [
    pytest.param(RELEASED, f"{COMMAND}cleanup --check --diff -e restate_service_url=http://dp_new:9080/ -e restate_remove=superseded", id="drained"),
    pytest.param({**RELEASED, "invocations": invocations(pinned=[PINNED])}, f"{COMMAND}cleanup --check --diff -e restate_service_url=http://dp_new:9080/ -e restate_remove=superseded", id="stale"),
    pytest.param({"invocations": invocations(by_place=[placed("failure")], failed=[FAILED])}, f"{COMMAND}recover_failed --check --diff -e restate_service_name=Flow -e restate_kinds=failed -e restate_limit=1 -e restate_snapshot_dir=/var/tmp/restate-snapshots", id="a failed run"),
    pytest.param({"invocations": paused(1)}, f"{COMMAND}recover_failed --check --diff -e restate_service_name=Flow -e restate_kinds=paused -e restate_limit=1", id="a paused run"),
    pytest.param({"invocations": invocations(zombies=[ZOMBIE])}, f"{COMMAND}resume --check --diff -e restate_invocation_ids=inv_z -e restate_deployment=latest", id="a zombie"),
])  # fmt: skip
def test_a_remedy_can_be_typed_as_it_is(changes: dict[str, Any], remedy: str) -> None:
    assert remedy in findings(**changes)[0].remedy


def test_what_is_stuck_and_no_workflow_is_not_offered_a_fresh_start() -> None:
    stuck = invocation("inv_p", "paused", target_service_ty="service")
    seen = findings(invocations=paused(1, stuck, target_service_ty="service"))
    assert seen[0].remedy == f"{COMMAND}resume --check --diff -e restate_invocation_ids=inv_p"


def test_a_remedy_for_several_services_names_none() -> None:
    rows = [PAUSED, invocation("inv_q", "paused", target_service_name="Other")]
    by_place = [placed(None, 1, "paused"), placed(None, 1, "paused", target_service_name="Other")]
    told = findings(invocations=invocations(by_place=by_place, unsettled=rows))
    seen = [one for one in told if one.code == "PAUSED_INVOCATIONS"]
    assert "service_name" not in seen[0].remedy
    assert "restate_limit=2" in seen[0].remedy


def test_what_lost_its_deployment_is_not_tried_again_where_it_was() -> None:
    lost = dataclasses.replace(OFTEN, id=ZOMBIE.id)
    seen = findings(
        invocations=invocations(
            zombies=[ZOMBIE],
            unsettled=[OFTEN, lost],
            unfinished=unfinished("backing-off", 2, retried_often=True),
        )
    )
    told = {each.code: each for each in seen}
    assert told["RETRYING_INVOCATIONS"].message.startswith("1 invocation")
    assert told["RETRYING_INVOCATIONS"].subjects == [OFTEN.id]
    assert told["RETRYING_INVOCATIONS"].remedy.endswith(f"restate_invocation_ids={OFTEN.id}")


def test_a_remedy_permits_as_many_removals_as_there_are_deployments_to_remove() -> None:
    spec: dict[str, Any] = restate_cleanup.ARGUMENT_SPEC
    assert spec["max_removed"]["default"] == MAX_REMOVED
    old = tuple(deployment(f"dp_{number}", "Flow", day=1) for number in range(MAX_REMOVED + 1))
    newest: dict[str, Any] = {"services": (service("Flow", "dp_new"),)}
    [few] = findings(deployments=(*old[1:], deployment("dp_new", "Flow", day=2)), **newest)
    [many] = findings(deployments=(*old, deployment("dp_new", "Flow", day=2)), **newest)
    assert "max_removed" not in few.remedy
    assert many.remedy.endswith(f" -e restate_max_removed={MAX_REMOVED + 1}")


class _Unsafe(yaml.SafeLoader):
    """Reads what Ansible is told not to template as a text that says so."""


_Unsafe.add_constructor("!unsafe", lambda loader, node: f"unsafe:{node.value}")


@pytest.mark.parametrize(("name", "expected"), [
    ("it's", "it's"),
    ('two words "quoted"', 'two words "quoted"'),
    ("a=b", "a=b"),
    ("@/etc/passwd", "@/etc/passwd"),
    ("$(reboot); `reboot`", "$(reboot); `reboot`"),
    ("\u9375\n2", "\u9375\n2"),
    ("{{ lookup('pipe', 'reboot') }}", "unsafe:{{ lookup('pipe', 'reboot') }}"),
    ("{% raw %}", "unsafe:{% raw %}"),
    ("{# x #}", "unsafe:{# x #}"),
])  # fmt: skip
def test_a_remedy_survives_the_shell_and_ansible_whatever_a_name_holds(name: str, expected: str) -> None:
    failed = invocation("inv_f", "completed", target_service_name=name)
    by_place = [placed("failure", target_service_name=name)]
    seen = findings(invocations=invocations(by_place=by_place, failed=[failed]))
    words = shlex.split(seen[0].remedy)
    assert words[:-1] == ["ansible-playbook", "dalp.restate.recover_failed", "--check", "--diff", "-e"]
    assert yaml.load(words[-1], _Unsafe)["restate_service_name"] == expected


# Numbers


@pytest.mark.parametrize(("changes", "words"), [
    ({"invocations": invocations(by_place=[placed("failure", 3), placed("failure", 2, pinned_deployment_id="dp_2")])}, "5 workflow runs"),
    ({"invocations": invocations(by_place=[placed("failure", 1)])}, "1 workflow run failed"),
    ({"invocations": paused(40)}, "40 invocations paused"),
    ({"invocations": invocations(zombies=[ZOMBIE] * (SAMPLE - 1))}, f"{SAMPLE - 1} unfinished invocations"),
    ({"invocations": invocations(zombies=[ZOMBIE] * SAMPLE)}, f"At least {SAMPLE} unfinished invocations"),
    ({**RELEASED, "invocations": invocations(pinned=[PINNED])}, "1 superseded deployment still held by 2 pending invocations"),
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
