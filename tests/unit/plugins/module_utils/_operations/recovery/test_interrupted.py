# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recovery whose server goes away, or says something odd, half-way: what was done is never hidden."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.plan import RecoveryRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Questions
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation, columns
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import (
    RESET,
    Answer,
    LoopbackServer,
    Request,
    answer,
)
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation, status_of

PAUSED = invocation("inv_1", "paused")
KILLED = invocation("inv_1", "completed", "run", "failure", completion_failure="[409] killed")
SERVICE = answer(
    200,
    {
        "name": "Flow",
        "ty": "Workflow",
        "deployment_id": "dp_1",
        "revision": 1,
        "handlers": [{"name": "run", "ty": "Workflow"}],
    },
)
VERSION = answer(200, {"version": "1.7.12"})
NOTHING = answer(200, {"rows": []})
DONE = answer(200)


def rows(*of: Invocation) -> bytes:
    """Answer with what is asked of invocations that may have changed."""
    return answer(200, {"rows": [columns(status_of(one)) for one in of]})


def whole(*of: Invocation) -> bytes:
    """Answer with all that is asked of the invocations of a key."""
    return answer(200, {"rows": [columns(one) for one in of]})


def of_key(*invocations: Invocation) -> list[Answer]:
    """What there is of a key: its invocations are asked for, then its state and promises."""

    def one(request: Request) -> bytes:
        asked = Questions(has_scopes=True).invocations_of_keys("Flow", ["k"]).sql
        return whole(*invocations) if request.json["query"] == asked else NOTHING

    return [one] * 3


# What is read of a key with a paused run: all of the key, the run's children, who called it, and who is attached; then
# the run before its kill.
UP_TO_THE_KILL = (SERVICE, VERSION, *of_key(PAUSED), NOTHING, NOTHING, NOTHING, rows(PAUSED))


def recover(server: LoopbackServer, clock: FakeClock | None = None, *, retries: int = 0) -> Report:
    request = RecoveryRequest(service_name="Flow", service_key="k", kill_active="stuck", skip_blocked=False)
    return operate(BACKEND, restate_at(server, clock=clock, retries=retries), request)


KILL = {"action": "kill", "invocation_id": "inv_1"}
PURGE = {"action": "purge", "invocation_id": "inv_1"}


UNKNOWN = {"Flow/k": {"unknown": "the task was cut off before it could read this again"}}


@pytest.mark.parametrize(
    ("then", "done", "unknown", "code", "reason"),
    [
        pytest.param(
            (RESET,),
            [],
            [KILL],
            "RESTATE_ADMIN_UNREACHABLE",
            "interrupted",
            id="the answer of the kill is lost",
        ),
        pytest.param(
            (DONE, RESET),
            [KILL],
            [],
            "RESTATE_ADMIN_UNREACHABLE",
            "interrupted",
            id="the server is gone after the kill",
        ),
        pytest.param(
            (DONE, rows(KILLED), RESET),
            [KILL],
            [PURGE],
            "RESTATE_ADMIN_UNREACHABLE",
            "interrupted",
            id="the answer of the purge is lost",
        ),
        pytest.param(
            (DONE, rows(KILLED), answer(500)),
            [KILL],
            [PURGE],
            "RESTATE_ADMIN_UNREACHABLE",
            "unknown",
            id="no answer tells of the purge and the server is gone",
        ),
        pytest.param(
            (DONE, answer(401)),
            [KILL],
            [],
            "RESTATE_PERMISSION_REQUIRED",
            "interrupted",
            id="the credentials expire after the kill",
        ),
        pytest.param(
            (DONE, answer(500)),
            [KILL],
            [],
            "RESTATE_ADMIN_UNREACHABLE",
            "unknown",
            id="a query fails after the kill and the server is gone",
        ),
        pytest.param(
            (DONE, rows(KILLED), DONE, RESET),
            [KILL, PURGE],
            [],
            "RESTATE_ADMIN_UNREACHABLE",
            None,
            id="the server is gone before the verification",
        ),
    ],
)
def test_what_was_done_and_what_was_not(
    then: tuple[bytes, ...],
    done: list[Any],
    unknown: list[Any],
    code: str,
    reason: str | None,
    serve: Serve,
) -> None:
    # After a failure everything else is lost, too.
    report = recover(serve(*UP_TO_THE_KILL, *then, RESET))
    not_done = [step for step in (KILL, PURGE) if step not in done + unknown]
    assert report.steps == {"done": done, "unknown": unknown, "not_done": not_done}
    assert report.changed
    assert report.error is not None
    assert report.error.code == code
    assert report.details["results"][0]["reason"] == reason
    assert report.details["outcome"] == ("failed" if reason else "recovered")
    assert "acknowledged" not in report.to_result(wrote=True, with_diff=False)
    # The request that failed is named, and what it left is not guessed.
    assert report.error.http
    assert report.after == UNKNOWN
    assert report.before != UNKNOWN


def test_a_purge_that_is_refused_blocks_the_key_and_shows_what_is_left(serve: Serve) -> None:
    report = recover(
        serve(*UP_TO_THE_KILL, DONE, rows(KILLED), answer(400, {"message": "no!"}), *of_key(KILLED), NOTHING)
    )
    assert report.steps == {"done": [KILL], "unknown": [], "not_done": [PURGE]}
    assert report.error is not None
    assert (report.error.code, report.error.reason) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "purge_failed")
    assert (report.error.http or {})["status"] == 400
    assert "no!" in report.error.message
    assert report.after["Flow/k"]["invocations"] == {"inv_1": "run completed (failure)"}


@pytest.mark.parametrize(
    ("verb", "then"),
    [
        pytest.param("kill", (RESET, rows(KILLED), rows(KILLED), DONE, NOTHING), id="kill"),
        pytest.param("purge", (DONE, rows(KILLED), RESET, NOTHING), id="purge"),
    ],
)
def test_what_took_effect_though_its_answer_was_lost_counts_as_done(
    verb: str, then: tuple[bytes, ...], serve: Serve
) -> None:
    server = serve(*UP_TO_THE_KILL, *then)
    clock = FakeClock()
    report = recover(server, clock, retries=1)
    assert report.error is None, report.error
    assert report.details["results"][0]["killed"] == ["inv_1"]
    assert report.details["results"][0]["purged"] == ["inv_1"]
    assert server.calls.count(f"PATCH /invocations/inv_1/{verb}") == 1
    assert clock.sleeps, "a repeated write waits first"


def test_a_server_that_is_gone_before_the_first_write_is_an_error_of_its_own(serve: Serve) -> None:
    with pytest.raises(OperatorError) as raised:
        recover(serve(SERVICE, VERSION, whole(PAUSED), RESET))
    assert raised.value.code == "RESTATE_ADMIN_UNREACHABLE"


def test_a_query_that_fails_before_the_first_write_blocks_the_key(serve: Serve) -> None:
    server = serve(SERVICE, VERSION, whole(PAUSED), answer(500, {"message": "no leader"}))
    report = recover(server)
    assert report.error is not None
    assert report.error.reason == "query_failed"
    assert not report.changed
    assert all(call.startswith(("GET ", "POST /query")) for call in server.calls)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(
            invocation("inv_1", "invoked", created_at="2026-02-02T00:00:00.000Z"), id="is another run"
        ),
        pytest.param(invocation("inv_1", "completed", "run", "failure"), id="has failed by itself"),
    ],
)
def test_a_run_that_is_no_longer_what_was_planned_is_not_killed(now: Invocation, serve: Serve) -> None:
    server = serve(*UP_TO_THE_KILL[:-1], rows(now), rows(), NOTHING)
    report = recover(server)
    assert "PATCH /invocations/inv_1/kill" not in server.calls
    assert report.details["results"][0]["killed"] == []


def test_a_run_that_succeeded_after_the_plan_is_not_purged(serve: Serve) -> None:
    failed, succeeded = KILLED, invocation("inv_1", "completed", "run", "success")
    server = serve(SERVICE, VERSION, *of_key(failed), rows(succeeded), *of_key(succeeded), NOTHING)
    report = recover(server)
    assert report.error is not None
    assert report.error.reason == "already_succeeded"
    assert "PATCH /invocations/inv_1/purge" not in server.calls
