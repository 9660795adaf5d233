# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that an operator made with PATCH /services, which each registration resets: which stay, and what is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy.plan import (
    Observed,
    Plan,
    RedeployRequest,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import (
    DeploymentDetail,
    Registration,
    Service,
)
from ansible_collections.dalp.restate.tests.unit import wire_objects
from ansible_collections.dalp.restate.tests.unit.wire_objects import detail, service

B = service("B")


def plan_of(
    registered: DeploymentDetail | None,
    discovered: Registration,
    *latest: Service,
    codes: dict[str, Registration | None] | None = None,
    **asked: Any,
) -> Plan:
    observed = Observed(registered, {one.name: one for one in latest}, discovered, codes=codes or {})
    defaults: dict[str, Any] = {"service_url": "http://dp_1:9080", "force": True, "wait_timeout": 60}
    return make_plan(observed, RedeployRequest(**{**defaults, **asked}))


def found(*services: Service, id_: str = "dp_1", **more: Any) -> Registration:
    return wire_objects.registration(id_, *services, **more)


def a(deployment_id: str = "dp_1", **settings: Any) -> Service:
    return service("A", deployment_id, **settings)


def test_an_overwrite_applies_registered_settings_again_and_says_so() -> None:
    registered = detail("dp_1", a(public=False, journal_retention="2h", abort_timeout="1m"), B)
    code = found(a(public=True, journal_retention="1d", abort_timeout="1m"), B, sdk_version="2")
    plan = plan_of(registered, code, a(), B)
    kept = {"public": False, "journal_retention": "2h"}
    assert [step.shown for step in plan.steps] == [
        {"action": "overwrite", "service_url": "http://dp_1:9080"},
        {"action": "apply_settings", "service": "A", "settings": kept},
    ]
    assert ["Service A" in warning and "journal_retention=2h" in warning for warning in plan.warnings] == [
        True
    ]


def test_settings_are_no_reason_to_overwrite() -> None:
    plan = plan_of(detail("dp_1", a(public=False)), found(a(public=True)), a(public=False))
    assert plan.action == "nothing"
    assert not plan.warnings


def test_a_new_deployment_keeps_what_differs_from_the_code_that_was_the_latest() -> None:
    latest = a("dp_2", public=False, inactivity_timeout="5m", journal_retention="1d")
    old_code = found(a(public=True, inactivity_timeout="5m", journal_retention="1d"))
    new_code = found(a(public=True, inactivity_timeout="9m", journal_retention="1d"))
    plan = plan_of(None, new_code, latest, codes={"dp_2": old_code})
    assert plan.settings == {"A": {"public": False}}
    kept, changing = plan.warnings
    assert "public=False" in kept
    assert "for a moment in between it can be called through the ingress" in kept
    assert "inactivity_timeout from 5m to 9m" in changing


@pytest.mark.parametrize(
    "codes",
    [
        pytest.param({"dp_2": None}, id="the old code does not answer"),
        pytest.param({}, id="the old deployment is gone"),
        pytest.param({"dp_2": found(B)}, id="the old URL serves other services by now"),
    ],
)
def test_where_the_old_code_cannot_be_told_the_registered_value_stays_and_is_named(
    codes: dict[str, Registration | None],
) -> None:
    latest = a("dp_2", public=True, inactivity_timeout="5m")
    plan = plan_of(None, found(a(public=True, inactivity_timeout="9m")), latest, codes=codes)
    assert plan.settings == {"A": {"inactivity_timeout": "5m"}}
    (warning,) = plan.warnings
    assert "inactivity_timeout=5m" in warning
    assert "The code of dp_2 does not answer discovery" in warning
    assert "the code's are in force" in warning


def test_a_rollback_keeps_what_is_in_force_and_not_what_was() -> None:
    registered = detail("dp_1", a(public=True, journal_retention="9d"))
    latest = a("dp_2", public=False, journal_retention="1d")
    code = found(a(public=True, journal_retention="1d"))
    plan = plan_of(registered, code, latest, codes={"dp_2": code})
    assert plan.action == "overwrite"
    assert plan.settings == {"A": {"public": False}}


def test_the_settings_of_the_code_are_taken_where_that_is_asked() -> None:
    latest = a("dp_2", public=False)
    plan = plan_of(None, found(a(public=True)), latest, settings="code")
    assert plan.settings == {}
    assert ["public from False to True" in warning for warning in plan.warnings] == [True]


def test_the_settings_of_the_code_are_a_reason_to_overwrite_where_they_are_asked_for() -> None:
    registered = detail("dp_1", a(public=False))
    plan = plan_of(registered, found(a(public=True)), a(public=False), settings="code")
    assert plan.action == "overwrite"
    assert plan.settings == {}
    assert (plan.before["settings"], plan.after["settings"]) == (
        {"A": {"public": False}},
        {"A": {"public": True}},
    )


def test_a_service_that_is_new_has_no_settings_to_keep() -> None:
    plan = plan_of(None, found(a(public=True)), B)
    assert plan.settings == {}
    assert not plan.warnings
