# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kafka subscriptions whose service or handler is not served."""

from __future__ import annotations

import typing as t

from ..commands import restate_cli
from ..deployments.registry import Registry
from ..report import SAMPLE
from .components import Component
from .findings import Finding


def of_subscriptions(asked: Component, registry: Registry) -> t.Iterator[Finding]:
    """Yield which subscriptions feed nothing, or that this could not be read."""
    if asked.error:
        yield Finding(
            code="SUBSCRIPTIONS_UNREAD",
            severity="warning",
            component="services",
            message=f"Whether each Kafka subscription feeds a service is not known: {asked.error.message}",
            subjects=["subscriptions"],
            remedy=asked.error.remedy,
        )
        return
    idle = [each for each in asked.value if not registry.serves(*each.service_and_handler)]
    if idle:
        shown = ", ".join(f"{each.id} ({each.source} to {each.sink})" for each in idle[:SAMPLE])
        delete = " && ".join(restate_cli("subscriptions", "delete", each.id) for each in idle[:SAMPLE])
        yield Finding(
            code="SUBSCRIPTION_WITHOUT_SINK",
            severity="critical",
            component="services",
            message=f"No deployment serves what these Kafka subscriptions feed: {shown}.",
            subjects=[each.id for each in idle],
            remedy="Register a release that serves it (dalp.restate.redeploy with its restate_service_url), or give "
            f"them up: {delete}",
        )
