# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a release is registered, overwritten, left as it is or refused; and what an overwrite keeps."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments import registration
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy.plan import (
    Observed,
    Plan,
    RedeployRequest,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import capabilities_of
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import (
    DeploymentDetail,
    Registration,
    Service,
)
from ansible_collections.dalp.restate.tests.unit import wire_objects
from ansible_collections.dalp.restate.tests.unit.wire_objects import detail, service

A, B = service("A"), service("B")
A_ELSEWHERE = service("A", "dp_2", revision=2)
A_AS_OBJECT = service("A", ty="VirtualObject")
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:orders:1"
SECRET = {"x-api-key": "hunter22"}


def request(**asked: Any) -> RedeployRequest:
    defaults: dict[str, Any] = {
        "service_url": "http://dp_1:9080",
        "force": True,
        "breaking": False,
        "use_http_11": None,
        "additional_headers": None,
        "metadata": None,
        "wait_timeout": 60,
    }
    return RedeployRequest(**{**defaults, **asked})


def plan_of(
    registered: DeploymentDetail | None, discovered: Registration, *latest: Service, **asked: Any
) -> Plan:
    return make_plan(Observed(registered, {one.name: one for one in latest}, discovered), request(**asked))


def found(*services: Service, id_: str = "dp_1", **more: Any) -> Registration:
    return wire_objects.registration(id_, *services, **more)


def shown(plan: Plan) -> str:
    return f"{plan.action} {plan.error.reason}" if plan.error else plan.action


@pytest.mark.parametrize(("plan", "expected"), [
    pytest.param(plan_of(None, found(A, id_="dp_random")), "register", id="a new URL is registered"),
    pytest.param(plan_of(None, found(A), force=False), "register", id="a new URL needs no force"),
    pytest.param(plan_of(None, found(A), A_ELSEWHERE), "register", id="a new URL of a service that is elsewhere"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A), "nothing", id="the same, and the latest"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A, force=False), "nothing", id="the same needs no force"),
    pytest.param(plan_of(detail("dp_1", A, B), found(B, A), A, B), "nothing", id="the order of services makes no difference"),
    pytest.param(plan_of(detail("dp_1", A), found(service("A", revision=2)), A), "nothing", id="revisions make no difference"),
    pytest.param(plan_of(detail("dp_1", service("A", handlers={"a": None, "b": None})), found(service("A", handlers={"b": None, "a": None})), A), "nothing", id="the order of handlers makes no difference"),
    pytest.param(plan_of(detail("dp_1", A, url="http://dp_1:9080/"), found(A), A, service_url="http://dp_1:9080"), "nothing", id="a trailing slash makes no difference"),
    pytest.param(plan_of(detail("dp_1", A, url="http://dp_1:9080/"), found(A), A, service_url="https://dp_1:9080"), "overwrite", id="another scheme"),
    pytest.param(plan_of(detail("dp_1", A, url="https://dp_1:9080"), found(A), A, service_url="http://dp_1:9080/", force=False), "refuse force_required", id="another scheme, without force"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A_ELSEWHERE), "overwrite", id="not the latest: the rollback"),
    pytest.param(plan_of(detail("dp_1", A, B), found(A, B), A_ELSEWHERE, B), "overwrite", id="not the latest of all its services"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A_ELSEWHERE, force=False), "refuse force_required", id="not the latest, without force"),
    pytest.param(plan_of(detail("dp_1", A), found(A, B), A), "overwrite", id="one more service"),
    pytest.param(plan_of(detail("dp_1", A, B), found(A), A, B), "overwrite", id="one service less"),
    pytest.param(plan_of(detail("dp_1", A), found(service("A", handlers={"run": "Workflow"})), A), "overwrite", id="one handler less"),
    pytest.param(plan_of(detail("dp_1", A), found(service("A", handlers={"run": "Workflow", "status": "Shared", "x": "Shared"})), A), "overwrite", id="one more handler"),
    pytest.param(plan_of(detail("dp_1", A, sdk_version="1"), found(A, sdk_version="2"), A), "overwrite", id="another SDK"),
    pytest.param(plan_of(detail("dp_1", A, max_protocol_version=5), found(A, max_protocol_version=6), A), "overwrite", id="another protocol version"),
    pytest.param(plan_of(detail("dp_1", A), found(A, B), A, force=False), "refuse force_required", id="a difference without force"),
    pytest.param(plan_of(detail("dp_1", A, metadata={"git": "1"}), found(A), A), "nothing", id="metadata that is not given is kept"),
    pytest.param(plan_of(detail("dp_1", A, metadata={"git": "1"}), found(A), A, metadata={"git": "1"}), "nothing", id="the same metadata"),
    pytest.param(plan_of(detail("dp_1", A, metadata={"git": "1"}), found(A), A, metadata={"git": "2"}), "overwrite", id="other metadata"),
    pytest.param(plan_of(detail("dp_1", A, metadata={"git": "1"}), found(A), A, metadata={}), "overwrite", id="empty metadata removes it"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A), "nothing", id="headers that are not given are kept"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers=SECRET), "nothing", id="the same headers"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers={"X-Api-Key": "hunter22"}), "nothing", id="the case of a header's name makes no difference"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers={"x-api-key": "other-one"}), "overwrite", id="another value of a header"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers={}), "overwrite", id="empty headers remove them"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers={}, force=False), "refuse force_required", id="other headers without force"),
    pytest.param(plan_of(detail("dp_1", A, http_version="HTTP/1.1"), found(A), A), "nothing", id="HTTP/1.1 is kept"),
    pytest.param(plan_of(detail("dp_1", A, http_version="HTTP/1.1"), found(A), A, use_http_11=False), "overwrite", id="back to HTTP/2"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A, use_http_11=False), "nothing", id="HTTP/2 as it is"),
    pytest.param(plan_of(detail("dp_1", A), found(A, id_="dp_9"), A, use_http_11=True), "refuse second_registration", id="what the server would register a second time"),
    pytest.param(plan_of(detail("dp_1", A), found(A_AS_OBJECT), A), "refuse type_change", id="another type"),
    pytest.param(plan_of(detail("dp_1", A), found(A_AS_OBJECT), A, breaking=True), "overwrite", id="another type where that is meant"),
    pytest.param(plan_of(detail("dp_1", B), found(A_AS_OBJECT, B), A_ELSEWHERE, B), "refuse type_change", id="another type than the latest, which is elsewhere"),
    pytest.param(plan_of(detail("dp_1", A), found(A), service("A", "dp_2", ty="Service")), "refuse type_change", id="a rollback over a change of type"),
    pytest.param(plan_of(detail("dp_1", A, auth={"GoogleIdToken": {}}), found(A), A), "nothing", id="auth settings are no difference"),
    pytest.param(plan_of(detail("dp_1", A, auth={"GoogleIdToken": {}}), found(A, B), A), "refuse auth_settings", id="an overwrite would erase auth settings"),
    pytest.param(plan_of(detail("dp_1", A, auth={"GoogleIdToken": {}}), found(A), A_ELSEWHERE), "refuse auth_settings", id="so would the rollback"),
])  # fmt: skip
def test_plan(plan: Plan, expected: str) -> None:
    assert shown(plan) == expected
    if plan.action in ("nothing", "refuse"):
        assert not plan.steps
        assert not plan.settings
    else:
        assert plan.steps[0].action == plan.action
        assert plan.before != plan.after
    assert (plan.action == "nothing") == (plan.before == plan.after)


@pytest.mark.parametrize(("plan", "words"), [
    pytest.param(plan_of(detail("dp_1", A), found(A), A_ELSEWHERE, force=False), "is not the latest", id="only not the latest"),
    pytest.param(plan_of(detail("dp_1", A), found(A, B), A, force=False), "differs", id="other code"),
    pytest.param(plan_of(detail("dp_1", A), found(A), A, metadata={"git": "2"}, force=False), "differs", id="other metadata"),
    pytest.param(plan_of(detail("dp_1", A, additional_headers=SECRET), found(A), A, additional_headers={}, force=False), "differs", id="other headers"),
])  # fmt: skip
def test_a_refusal_without_force_says_what_is_different(plan: Plan, words: str) -> None:
    assert plan.error is not None
    assert words in plan.error.message
    assert "dp_1" in plan.error.message


def test_a_refused_change_of_type_names_services_and_types() -> None:
    error = plan_of(detail("dp_1", A), found(A_AS_OBJECT), A).error
    assert error is not None
    assert error.code == "RESTATE_REGISTRATION_REFUSED"
    assert "A (from Workflow to VirtualObject)" in error.message


def test_a_value_of_a_header_is_hidden_and_its_change_shows() -> None:
    registered = detail("dp_1", A, additional_headers={"x-a": "hunter22", "x-b": "same-one"})
    plan = plan_of(
        registered, found(A), A, additional_headers={"X-A": "hunter23", "x-b": "same-one", "x-c": "new-one"}
    )
    assert plan.before["additional_headers"] == {"x-a": "(hidden)", "x-b": "(hidden)"}
    assert plan.after["additional_headers"] == {
        "x-a": "(hidden, changed)",
        "x-b": "(hidden)",
        "x-c": "(hidden)",
    }
    assert "hunter" not in repr(plan)


def test_a_new_deployment_shows_what_it_offers_and_nothing_before() -> None:
    plan = plan_of(
        None,
        found(A, sdk_version="s/1", min_protocol_version=5, max_protocol_version=6),
        additional_headers=SECRET,
        metadata={"git": "1"},
    )
    assert plan.before == {}
    assert plan.after == {
        "service_url": "http://dp_1:9080",
        "services": {"A": {"type": "Workflow", "handlers": {"run": "Workflow", "status": "Shared"}}},
        "protocol_versions": [5, 6],
        "sdk_version": "s/1",
        "is_latest": True,
        "additional_headers": {"x-api-key": "(hidden)"},
        "metadata": {"git": "1"},
        "use_http_11": False,
    }
    assert [step.shown for step in plan.steps] == [{"action": "register", "service_url": "http://dp_1:9080"}]


def test_what_the_server_would_register_twice_blames_use_http_11_only_where_it_was_given() -> None:
    for asked, named in (({"use_http_11": True}, True), ({"metadata": {"git": "1"}}, False)):
        error = plan_of(detail("dp_1", A), found(A, id_="dp_9"), A, **asked).error
        assert error is not None
        assert error.reason == "second_registration"
        assert ("use_http_11" in error.remedy) is named


def test_a_new_deployment_beside_others_at_its_url_names_them() -> None:
    observed = Observed(None, {"A": A}, found(A, id_="dp_9"), beside=("dp_1",))
    plan = make_plan(observed, request(additional_headers={"x-route": "two"}))
    assert plan.action == "register"
    assert "beside dp_1" in plan.warnings[0]


def test_a_rollback_shows_that_it_becomes_the_latest() -> None:
    plan = plan_of(detail("dp_1", A), found(A), A_ELSEWHERE)
    assert (plan.before["is_latest"], plan.after["is_latest"]) == (False, True)
    assert {**plan.before, "is_latest": True} == plan.after


def test_an_overwrite_warns_of_services_that_the_code_no_longer_offers() -> None:
    plan = plan_of(detail("dp_1", A, B), found(A), A, B)
    assert ["no longer offers B" in warning for warning in plan.warnings] == [True]


def test_a_dropped_service_whose_latest_is_elsewhere_is_no_loss() -> None:
    plan = plan_of(detail("dp_1", A, B), found(A), A, service("B", "dp_2"))
    assert plan.action == "overwrite"
    assert not plan.warnings


# What is sent


@pytest.mark.parametrize(("version", "asked", "expected"), [
    pytest.param("1.5.3", {"force": False}, {"force": False}, id="1.5 knows neither breaking nor metadata"),
    pytest.param("1.5.3", {"force": False, "breaking": True}, {"force": True}, id="1.5 breaks by force"),
    pytest.param("1.6.2", {"force": False}, {"force": False, "breaking": False, "metadata": {}}, id="from 1.6 breaking is explicit"),
    pytest.param("1.7.12", {"force": True, "breaking": True}, {"force": True, "breaking": True, "metadata": {}}, id="force and breaking as asked"),
    pytest.param("1.7.12", {"force": False, "use_http_11": True}, {"force": False, "breaking": False, "metadata": {}, "use_http_11": True}, id="HTTP/1.1"),
    pytest.param("1.7.12", {"force": False, "use_http_11": False}, {"force": False, "breaking": False, "metadata": {}}, id="HTTP/2 is what a server does by itself"),
    pytest.param("1.7.12", {"force": True, "additional_headers": SECRET, "metadata": {"a": "b"}}, {"force": True, "breaking": False, "metadata": {"a": "b"}, "additional_headers": SECRET}, id="headers and metadata"),
    pytest.param("1.5.3", {"force": True, "metadata": {"a": "b"}}, {"force": True}, id="no metadata for 1.5"),
])  # fmt: skip
def test_body(version: str, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    asked = dict(asked)
    options = {
        name: asked.pop(name) for name in ("use_http_11", "additional_headers", "metadata") if name in asked
    }
    release = wire_objects.version(version).release
    body = registration.body(
        registration.Target(uri="http://h", **options), capabilities_of(release), **asked
    )
    assert body == {"uri": "http://h", **expected}


def test_a_registered_lambda_is_asked_by_its_arn() -> None:
    role = "arn:aws:iam::123456789012:role/restate"
    registered = wire_objects.deployment("dp_1", "A", arn=LAMBDA, assume_role_arn=role)
    assert registration.as_registered(registered, capabilities_of((1, 5))) == {
        "arn": LAMBDA,
        "assume_role_arn": role,
        "force": True,
    }


def test_a_registered_deployment_is_asked_with_all_that_is_registered() -> None:
    registered = detail("dp_1", A, additional_headers=SECRET, metadata={"git": "1"}, http_version="HTTP/1.1")
    assert registration.as_registered(registered, capabilities_of((1, 7))) == {
        "uri": "http://dp_1:9080/",
        "force": True,
        "breaking": False,
        "metadata": {"git": "1"},
        "use_http_11": True,
        "additional_headers": SECRET,
    }
