# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup with pending: cancel: which work receives the cancel, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.server import Deployment, Server
from tests.integration.superseded_deployments import FORCED, remaining
from tests.integration.three_runs import ThreeRuns, reason, run_three_times
from tests.integration.versions import on, on_all_versions

CANCEL = {**FORCED, "pending": "cancel"}


def _cleaned(server: Server, new: Deployment, **asked: object) -> ThreeRuns:
    return run_three_times(server, "cleanup", service_url=new.url, **{**CANCEL, **asked})


def _retrying(server: Server) -> str:
    server.release("release-1")
    return server.order("order-1", "retry")


def _paused(server: Server) -> str:
    server.release("release-1")
    return server.payment("payment-1")


def _dead(server: Server) -> str:
    server.release("release-1")
    waiting = server.order("order-1", "wait")
    server.serve("release-1", None)
    server.wait_for_row(waiting, lambda row: row["status"] in ("backing-off", "suspended"))
    return waiting


@on_all_versions
@pytest.mark.parametrize("begin", [_retrying, _paused, _dead])
def test_a_cancel_that_nobody_receives_is_not_sent(server: Server, begin: Callable[[Server], str]) -> None:
    invocation_id = begin(server)
    new = server.release("release-2")

    told = _cleaned(server, new)

    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "cancel_not_received")
    assert told.real["error"]["invocation_ids"] == [invocation_id]
    assert "pending: kill" in told.real["error"]["remedy"]
    assert told.real["cancelled"] == []
    assert not told.real["changed"]
    assert not told.again["changed"]
    assert (server.row(invocation_id) or {})["status"] != "completed"


@on_all_versions
def test_what_fails_in_a_step_receives_the_cancel(server: Server) -> None:
    old = server.release("failing-step")
    invocation_id = server.send("/FailingStep/take/send", json="in")
    server.wait_for_row(invocation_id, lambda row: row.get("last_failure_related_command_type") == "Run")
    new = server.release("newer", "failing-step")

    told = _cleaned(server, new)

    assert told.real["cancelled"] == [invocation_id]
    assert told.real["removed"] == [old.id]


@on("1.7.12", "1.6.2")
def test_what_was_paused_by_hand_receives_the_cancel(server: Server) -> None:
    old = server.release("release-1")
    invocation_id = server.order("order-1", "wait")
    server.http.patch(f"/invocations/{invocation_id}/pause").raise_for_status()
    server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")
    new = server.release("release-2")

    told = _cleaned(server, new)

    assert told.real["cancelled"] == [invocation_id]
    assert told.real["removed"] == [old.id]


@on_all_versions
def test_what_has_not_begun_ends_at_once_even_on_a_dead_deployment(server: Server) -> None:
    old = server.release("extra-service")
    scheduled = server.send("/Invoices/issue/send?delay=1h", json="order-1")
    server.serve("extra-service", None)
    new = server.release("release-2")

    told = _cleaned(server, new, allow_service_removal=True, remove="all")

    assert told.real["cancelled"] == [scheduled]
    assert told.real["removed"] == [old.id]


@on("1.7.12", "1.6.2", "1.5.3")
def test_of_mixed_work_what_can_be_cancelled_is_and_the_rest_keeps_its_deployment(server: Server) -> None:
    old = server.release("release-1")
    waiting, retrying = server.order("order-1", "wait"), server.order("order-2", "retry")
    new = server.release("release-2")

    told = _cleaned(server, new)

    assert told.real["cancelled"] == [waiting]
    assert remaining(told.real) == {old.id: "cancel_not_received"}
    assert told.real["error"]["invocation_ids"] == [retrying]
    assert not told.again["changed"]

    killed = server.task("cleanup", service_url=new.url, **{**FORCED, "pending": "kill"})
    assert killed["removed"] == [old.id]


@on_all_versions
def test_what_is_being_cancelled_is_not_cancelled_again(server: Server) -> None:
    old = server.release("compensating")
    invocation_id = server.send("/Compensating/take/send", json=30)
    server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" in row)
    new = server.release("newer", "compensating")

    first = server.task("cleanup", service_url=new.url, **CANCEL)
    told = _cleaned(server, new)

    assert first["cancelled"] == [invocation_id]
    assert remaining(first) == {old.id: "drain_timeout"}
    assert reason(told.real) == ("RESTATE_DRAIN_TIMEOUT", "drain_timeout")
    assert told.real["cancelled"] == []
    assert not told.real["changed"]
