# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor's components, each read by itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._dalp.wire import Health
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.tests.unit.dalp_answers import HEALTH
from ansible_collections.dalp.restate.tests.unit.dalp_routes import failure

COMPONENTS = ["ingress", "admin", "deployments", "services", "invocations"]


def health(**components: Any) -> Health:
    return Health({**HEALTH, **components})


def test_the_documented_answer_is_read_whole() -> None:
    seen = health()
    ingress = seen.told("ingress").value
    assert ingress is not None
    assert ingress.latency_ms == 12
    assert (seen.admin.latency_ms, seen.admin.version) == (9, "1.4.0")
    [deployment] = seen.deployments.items
    assert (deployment.id, deployment.service_url) == ("dp_01j", "http://ddwf:9080")
    assert deployment.created_at == "2026-05-09T10:00:00.000Z"
    assert [(one.name, one.revision) for one in seen.services.items] == [("IdentityRecoveryWorkflow", 3)]
    assert seen.invocations.by_status == {"invoked": 2, "suspended": 1}
    assert seen.invocations.recent_failures == ()


def test_what_is_not_known_yet_is_no_error() -> None:
    more = {**HEALTH["deployments"], "next": 1, "items": [{"id": "dp_1", "shard": 3}]}
    seen = health(deployments=more, mesh={"status": "ok"})
    [deployment] = seen.deployments.items
    assert (deployment.id, deployment.service_url, deployment.created) == ("dp_1", None, None)
    assert not deployment.is_at("http://ddwf:9080")


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize(("content", "code"), [
    ({"status": "unreachable", "error": "connect refused"}, "RESTATE_ADMIN_UNREACHABLE"),
    ({"status": "unreachable"}, "RESTATE_ADMIN_UNREACHABLE"),
    ({"status": "degraded", "error": {"message": "odd"}, "items": []}, "RESTATE_UNEXPECTED_RESPONSE"),
    ({"status": "warming-up"}, "RESTATE_UNEXPECTED_RESPONSE"),
    ({"latencyMs": 3}, "RESTATE_UNEXPECTED_RESPONSE"),
    ("ok", "RESTATE_UNEXPECTED_RESPONSE"),
    (None, "RESTATE_UNEXPECTED_RESPONSE"),
])  # fmt: skip
def test_a_bad_component_is_told_and_hides_no_other(name: str, content: Any, code: str) -> None:
    seen = health(**{name: content})
    error = seen.told(name).error
    assert error is not None
    assert error.code == code
    assert name in error.message
    assert [each for each in COMPONENTS if seen.told(each).error] == [name]


@pytest.mark.parametrize("name", ["deployments", "services", "invocations"])
def test_a_list_of_another_kind_is_told(name: str) -> None:
    seen = health(**{name: {"status": "ok", "items": 7, "byStatus": 7}})
    assert seen.told(name).value is None
    assert failure(lambda: getattr(seen, name)).reason == "unexpected_shape"


@pytest.mark.parametrize(("name", "content"), [
    ("ingress", {"latencyMs": 9.4}), ("ingress", {"latencyMs": "12ms"}), ("admin", {"version": 1.7}),
    ("ingress", {"latencyMs": None}), ("invocations", {"recentFailures": None}),
    ("deployments", {"items": [{"id": "dp_1", "serviceUrl": "http://h", "createdAt": 1778320800000}]}),
])  # fmt: skip
def test_a_harmless_variation_degrades_nothing(name: str, content: dict[str, Any]) -> None:
    assert health(**{name: {**HEALTH[name], **content}}).told(name).error is None


def test_an_ok_list_without_its_items_is_not_an_empty_list() -> None:
    for name in ("deployments", "services", "invocations"):
        seen = health(**{name: {"status": "ok"}})
        with pytest.raises(OperatorError, match=f"tells nothing of {name}"):
            getattr(seen, name)


def test_a_degraded_component_keeps_what_was_told_of_it() -> None:
    told = health(deployments={"status": "degraded", "error": "odd", "items": [{"id": "dp_1"}]}).told(
        "deployments"
    )
    assert told.error is not None
    assert told.value is not None
    assert [deployment.id for deployment in told.value.items] == ["dp_1"]
