# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an invocation fits what a deployment offers, and what helps where it does not."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.failures import FAILURES
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.fit import (
    CURES,
    Offer,
    find_misfit,
    offer_of,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import detail, invocation, service

CART = {"target_service_name": "Cart", "target_service_ty": "virtual_object"}


def offer(*protocol: int | None, **services: Any) -> Offer:
    return Offer("dp_new", {name: service(name, **about) for name, about in services.items()}, *protocol)


def cart(kind: str = "Exclusive", ty: str = "VirtualObject") -> dict[str, Any]:
    return {"Cart": {"ty": ty, "handlers": {"run": kind}}}


@pytest.mark.parametrize(("row", "offered", "began_on", "reason"), [
    pytest.param({}, offer(Flow={}), None, None, id="a run of a workflow"),
    pytest.param({}, offer(), None, "handler_not_served", id="a service that is not offered"),
    pytest.param({}, offer(Flow={"handlers": {"status": "Shared"}}), None, "handler_not_served", id="a handler that is not offered"),
    pytest.param(CART, offer(**cart()), None, None, id="a call of an object"),
    pytest.param(CART, offer(**cart("Workflow", "Workflow")), None, "service_type_changed", id="an object's call, to a workflow"),
    pytest.param(CART, offer(**cart("Workflow", "Service")), None, "service_type_changed", id="an object's call, to a service"),
    pytest.param({}, offer(Flow={"ty": "VirtualObject", "handlers": {"run": "Exclusive"}}), None, "service_type_changed", id="a workflow's run, to an object"),
    pytest.param({"target_service_ty": "service"}, offer(Flow={"ty": "Service", "handlers": {"run": None}}), None, None, id="a service's call"),
    pytest.param({"target_service_ty": "new_kind"}, offer(Flow={}), None, None, id="a type that is not known here"),
    pytest.param(CART, offer(**cart("Shared")), offer(**cart()), "handler_type_changed", id="an exclusive handler that is shared now"),
    pytest.param(CART, offer(**cart()), offer(**cart("Shared")), "handler_type_changed", id="a shared handler that is exclusive now"),
    pytest.param(CART, offer(**cart()), offer(), None, id="where nothing tells of what type its handler was"),
    pytest.param(CART, offer(**cart()), offer(**cart()), None, id="a handler that is what it was"),
    pytest.param({"pinned_service_protocol_version": 6}, offer(5, 5, Flow={}), None, "protocol_not_supported", id="a protocol that is too new"),
    pytest.param({"pinned_service_protocol_version": 4}, offer(5, 7, Flow={}), None, "protocol_not_supported", id="a protocol that is too old"),
    pytest.param({"pinned_service_protocol_version": 5}, offer(5, 7, Flow={}), None, None, id="the oldest protocol that is spoken"),
    pytest.param({"pinned_service_protocol_version": 7}, offer(5, 7, Flow={}), None, None, id="the newest protocol that is spoken"),
    pytest.param({"pinned_service_protocol_version": 9}, offer(Flow={}), None, None, id="where nothing tells what is spoken"),
    pytest.param({"pinned_service_protocol_version": 9}, offer(5, None, Flow={}), None, None, id="where half is told of what is spoken"),
    pytest.param({}, offer(5, 5, Flow={}), None, None, id="what has not begun has no protocol"),
])  # fmt: skip
def test_what_fits(row: dict[str, Any], offered: Offer, began_on: Offer | None, reason: str | None) -> None:
    misfit = find_misfit(invocation("inv_1", "invoked", **row), offered, began_on)
    assert (misfit and misfit.reason) == reason
    if misfit:
        assert "dp_new" in misfit.message
        assert misfit.reason in CURES


def test_what_is_not_registered_offers_nothing() -> None:
    assert offer_of("dp_gone", None).services == {}
    told = offer_of("here", detail("dp_1", service("Flow"), min_protocol_version=5, max_protocol_version=6))
    assert (set(told.services), told.min_protocol_version, told.max_protocol_version) == ({"Flow"}, 5, 6)


@pytest.mark.parametrize("text", [*CURES.values(), *(failure.cure for failure in FAILURES.values())])
def test_what_helps_ends_nothing_and_leaves_the_new_release_the_latest(text: str) -> None:
    assert "resume them there" in text
    assert "register the new release again, so that it is the latest" in text
