# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which first attempt of a resumed invocation failed: rows in the orders in which a server may show them."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.attempts import (
    FirstAttempts,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation, columns
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import Request, answer
from ansible_collections.dalp.restate.tests.unit.operating import restate_at
from ansible_collections.dalp.restate.tests.unit.wire_objects import invocation

OLD_START = "2026-01-01T00:00:00.000Z"


def row(status: str, start: int = 0, code: str | None = "RT0016") -> Invocation:
    """Make a row of an attempt that began at this second; an attempt keeps the failure of the one before it."""
    failure: dict[str, Any] = {"last_failure": "no", "last_failure_error_code": code} if code else {}
    return invocation("inv_1", status, last_start_at=f"2026-01-01T00:00:{start:02}.000Z", **failure)


@pytest.mark.parametrize(("seen", "failures"), [
    pytest.param([row("running", 1)], {}, id="an attempt that lasts keeps the old failure"),
    pytest.param([row("backing-off"), row("ready"), row("running", 1)], {}, id="an attempt that lasts, after a while"),
    pytest.param([row("running", 1), row("backing-off", 1)], {"inv_1": "RT0016"}, id="an attempt that fails"),
    pytest.param([row("running", each) for each in range(1, 60)], {"inv_1": "RT0016"}, id="one attempt after the other"),
    pytest.param([row("backing-off", 1, "RT0007")], {}, id="another failure"),
    pytest.param([row("backing-off")], {}, id="never tried"),
    pytest.param([row("running", 1), row("suspended", 1)], {}, id="it waits"),
    pytest.param([row("running", 1), row("completed", 1)], {}, id="it completes"),
])  # fmt: skip
def test_only_the_end_of_an_attempt_tells_that_it_failed(
    seen: list[Invocation], failures: dict[str, str], serve: Serve
) -> None:
    shown = iter(seen)
    last = [seen[-1]]

    def answered(request: Request) -> bytes:
        if request.target == "/version":
            return answer(200, {"version": "1.7.12"})
        return answer(200, {"rows": [columns(next(shown, last[0]))]})

    admin = restate_at(serve(*[answered] * 100), clock=FakeClock()).admin
    attempts = FirstAttempts(admin, lambda now: now.last_start_at != OLD_START)
    assert attempts.failures(attempts.watch(["inv_1"]).values()) == failures


def test_nothing_is_asked_of_nothing(serve: Serve) -> None:
    server = serve()
    attempts = FirstAttempts(restate_at(server).admin, lambda _row: True)
    assert attempts.watch([]) == {}
    assert server.requests == []
