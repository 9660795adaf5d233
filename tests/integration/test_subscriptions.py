# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kafka subscriptions: what they feed is not taken away in silence, and one that feeds nothing is a finding."""

from __future__ import annotations

from typing import Any

import pytest
import restate_server

from tests.integration.proxy import answer, proxy_of
from tests.integration.registered_deployments import NEW
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times

on_all_versions = pytest.mark.parametrize("configured", restate_server.VERSIONS, indirect=True)


def subscribe(server: Server, sink: str) -> str:
    answered = server.http.post("/subscriptions", json={"source": "kafka://events/orders", "sink": sink})
    return str(answered.raise_for_status().json()["id"])


@on_all_versions
def test_a_cleanup_takes_no_service_away_that_a_subscription_feeds(configured: Server) -> None:
    old = configured.release("release-1")
    kept = configured.release("new", "order-only")
    subscription = subscribe(configured, "service://Counter/add")
    asked: dict[str, Any] = {"service_url": kept.url, "allow_service_removal": True, "drain_timeout": 0}

    told = run_three_times(configured, "cleanup", **asked)

    assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "subscription")
    assert told.real["error"]["deployment_ids"] == [old.id]
    assert f"{subscription} (kafka://events/orders to service://Counter/add)" in told.real["msg"]
    assert f"restate subscriptions delete {subscription}" in told.real["error"]["remedy"]

    configured.http.delete(f"/subscriptions/{subscription}").raise_for_status()

    assert configured.task("cleanup", **asked)["removed"] == [old.id]


def test_a_subscription_of_what_stays_forbids_nothing(configured: Server) -> None:
    old = configured.release("release-1")
    kept = configured.release("new", "order-only")
    subscribe(configured, "service://OrderWorkflow/run")

    told = run_three_times(
        configured, "cleanup", service_url=kept.url, allow_service_removal=True, drain_timeout=0
    )

    assert told.real["removed"] == [old.id]


@on_all_versions
def test_the_doctor_finds_a_subscription_that_feeds_nothing(configured: Server) -> None:
    old = configured.release("release-1")
    subscription = subscribe(configured, "service://Counter/add")
    assert configured.task("doctor")["findings"] == []
    configured.release("new", "order-only")
    configured.delete(old.id)

    seen = configured.task("doctor")

    (finding,) = seen["findings"]
    assert (finding["code"], finding["severity"]) == ("SUBSCRIPTION_WITHOUT_SINK", "critical")
    assert finding["subjects"] == [subscription]
    assert "service://Counter/add" in finding["message"]
    assert f"restate subscriptions delete {subscription}" in finding["remedy"]
    assert not seen["healthy"]


def test_the_doctor_finds_a_subscription_to_a_handler_that_is_gone(configured: Server) -> None:
    configured.release("release-1")
    subscription = subscribe(configured, "service://OrderWorkflow/await_approval")
    url = configured.serve("new", "handler-removed")

    told = run_three_times(configured, "redeploy", unknown=NEW, service_url=url)

    assert f"the Kafka subscription {subscription}" in str(told.predicted["warnings"])
    findings = {each["code"]: each["subjects"] for each in configured.task("doctor")["findings"]}
    assert findings["SUBSCRIPTION_WITHOUT_SINK"] == [subscription]


@pytest.mark.parametrize("status", [403, 500])
def test_subscriptions_that_cannot_be_read_are_no_empty_answer(configured: Server, status: int) -> None:
    configured.release("release-1")
    kept = configured.release("new", "order-only")
    with proxy_of(configured.admin_url) as proxy:
        proxy.once("GET", "^/subscriptions$", *[answer(status, {"message": "no"})] * 9)

        at_once: dict[str, Any] = {"admin_url": proxy.url, "retries": 0}
        seen = configured.task("doctor", **at_once)
        refused = configured.task("cleanup", service_url=kept.url, allow_service_removal=True, **at_once)

    assert "SUBSCRIPTIONS_UNREAD" in {each["code"] for each in seen["findings"]}
    assert refused["failed"]
    assert not refused["changed"]
