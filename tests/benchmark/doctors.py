# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor costs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmark.benchmark_server import BenchmarkServer
from tests.benchmark.measuring import in_turns, less_median, ratios, say
from tests.benchmark.run_submitter import RunSubmitter
from tests.benchmark.tables import Table

_WEEK = 7 * 24 * 3600
_COUNT = "SELECT status, COUNT(1) AS n FROM sys_invocation_status GROUP BY status"


def doctor(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the doctor with one request by `uri`, then with one aggregate on a server with many invocations."""
    playbooks = server.playbooks
    found = in_turns(
        server.runs,
        {
            "nothing": server.nothing,
            "doctor": lambda: playbooks.run("doctor"),
            "uri": lambda: playbooks.run("uri_get").seconds,
        },
    )
    nothing, uri = found["nothing"], found["uri"]
    whole = [run.seconds for run in found["doctor"]]
    own = [run.own_ms for run in found["doctor"]]
    task, request = less_median(whole, nothing), less_median(uri, nothing)
    table = Table("The doctor on a server with next to nothing")
    table.add("a playbook without a task", "s", nothing)
    table.add("`restate_doctor`, the whole playbook", "s", whole)
    table.add("... the cost of the task", "s", task, "less the playbook without a task")
    table.add("... the module's own part", "ms", own, "`audit.data.duration_ms`")
    table.add("`uri` with one GET of `/deployments`, the whole playbook", "s", uri)
    table.add("... the cost of the task", "s", request, "less the playbook without a task")
    table.add("cost of the doctor / of the request", "x", ratios(task, request))
    yield table
    yield _doctor_among_many(server, 100 * server.keys)


def _doctor_among_many(server: BenchmarkServer, invocations: int) -> Table:
    seconds = _submit_many(server.submitter, invocations)
    say(f"  submitted {invocations:,} runs in {seconds:.0f} s")
    found = in_turns(
        server.runs,
        {
            "nothing": server.nothing,
            "doctor": lambda: server.playbooks.run("doctor"),
            "SQL": lambda: _aggregate(server.submitter),
        },
    )
    counted = sum(found["doctor"][0].outcome["by_status"].values())
    if counted < invocations:
        raise RuntimeError(f"the doctor counted {counted} of {invocations} invocations")
    whole = [run.seconds for run in found["doctor"]]
    own = [run.own_ms for run in found["doctor"]]
    task = less_median(whole, found["nothing"])
    table = Table(f"The doctor on a server with {counted:,} invocations")
    table.add("`restate_doctor`, the whole playbook", "s", whole)
    table.add("... the cost of the task", "s", task, "less the playbook without a task")
    table.add("... the module's own part", "ms", own, "`audit.data.duration_ms`")
    table.add(f"`{_COUNT}`", "ms", found["SQL"], "one request, without a process")
    table.add("own part / SQL", "x", ratios(own, found["SQL"]))
    return table


def _submit_many(submitter: RunSubmitter, invocations: int) -> float:
    """Submit as many runs, and give the seconds that took.

    A tenth succeeded, a tenth failed, the rest is scheduled: quick to submit, since only a fifth runs.
    """
    started = time.monotonic()
    submitter.submit("OrderWorkflow", invocations // 10, {"mode": "ok"})
    submitter.submit("OrderWorkflow", invocations // 10, {"mode": "fail"})
    submitter.submit("OrderWorkflow", invocations - invocations // 10 * 2, {"mode": "ok"}, _WEEK)
    return time.monotonic() - started


def _aggregate(submitter: RunSubmitter) -> float:
    """Give the milliseconds of the bare aggregate."""
    started = time.monotonic()
    submitter.api.query(_COUNT)
    return (time.monotonic() - started) * 1000
