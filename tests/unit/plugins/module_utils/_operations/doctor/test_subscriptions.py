# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Kafka subscriptions feed nothing."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import Component
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.subscriptions import (
    of_subscriptions,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import Subscription
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, registry

SEEN = registry(deployment("dp_1", "A"), latest={"A": "dp_1"})


def found(*sinks: str) -> list[str]:
    asked = tuple(Subscription(id=sink, source="kafka://events/topic", sink=sink) for sink in sinks)
    return [each for finding in of_subscriptions(Component(asked), SEEN) for each in finding.subjects]


@pytest.mark.parametrize(
    ("sink", "is_served"),
    [
        ("service://A/run", True),
        ("service://A/gone", False),
        ("service://B/run", False),
        ("service://A", False),
        ("A/run", False),
    ],
)
def test_a_subscription_feeds_a_handler_or_nothing(sink: str, is_served: bool) -> None:
    assert found(sink) == ([] if is_served else [sink])


def test_all_that_feed_nothing_are_one_finding() -> None:
    assert found("service://A/run", "service://B/run", "service://C/run") == [
        "service://B/run",
        "service://C/run",
    ]


def test_what_could_not_be_read_is_said() -> None:
    asked = Component(error=OperatorError("RESTATE_PERMISSION_REQUIRED", "403"))
    (finding,) = of_subscriptions(asked, SEEN)
    assert (finding.code, finding.severity) == ("SUBSCRIPTIONS_UNREAD", "warning")
    assert "403" in finding.message
