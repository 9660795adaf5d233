# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What recoveries of many runs cost."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmark.benchmark_server import FAILED, PAUSED, BenchmarkServer, RunsToRecover
from tests.benchmark.measuring import in_turns, less_median, ratios
from tests.benchmark.playbook_runs import PlaybookRun
from tests.benchmark.tables import Table

_LOOPED = 20


def failed(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the recovery of runs that failed for good with the `restate` command and with a loop."""
    yield _recovery(server, f"{server.keys:,} runs that failed for good", FAILED, loop=True)


def paused(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the recovery of paused runs, which must be killed, with the `restate` command."""
    yield _recovery(server, f"{server.keys:,} paused runs", PAUSED, loop=False)


def _recovery(server: BenchmarkServer, title: str, runs: RunsToRecover, *, loop: bool) -> Table:
    end = server.cli()
    looped = min(_LOOPED, server.keys)
    ways: dict[str, Callable[[], Any]] = {
        "nothing": server.nothing,
        "module": lambda: server.recover(runs, server.keys),
        "cli": lambda: end(runs, None),
        "cli, all at once": lambda: end(runs, server.keys),
    }
    if loop:
        ways["uri"] = lambda: server.loop(runs, looped)
    found = in_turns(server.runs, ways)
    nothing = found["nothing"]
    whole = [run.seconds for run in found["module"]]
    own = [run.own_ms for run in found["module"]]
    task = less_median(whole, nothing)
    cli, calls = zip(*found["cli"], strict=True)
    at_once, few_calls = zip(*found["cli, all at once"], strict=True)
    table = Table(title)
    table.add("a playbook without a task", "s", nothing)
    table.add("`restate_recover_workflow`, the whole playbook", "s", whole)
    table.add("... the cost of the task", "s", task, "less the playbook without a task")
    table.add("... the module's own part", "ms", own, "`audit.data.duration_ms`")
    table.add("`restate invocations kill` and `purge`", "s", cli, f"{max(calls)} processes")
    table.add(
        "... with `--limit` at the number of keys",
        "s",
        at_once,
        f"{max(few_calls)} processes, as the best it can do",
    )
    table.add("own part / CLI", "x", ratios([ms / 1000 for ms in own], cli))
    table.add("cost of the task / CLI", "x", ratios(task, cli), "target: less than 2")
    table.add("whole playbook / CLI", "x", ratios(whole, cli))
    if loop:
        _add_loop(table, server.keys, looped, found["uri"], nothing, whole)
    return table


def _add_loop(
    table: Table, keys: int, looped: int, uri: list[float], nothing: list[float], whole: list[float]
) -> None:
    """Add the loop, extrapolated from the keys that were looped over to all keys."""
    task = less_median(whole, nothing)
    loop = [seconds * keys / looped for seconds in less_median(uri, nothing)]
    note = f"extrapolated from {looped} keys; less the playbook without a task"
    table.add(f"`uri` looped over {looped} keys, the whole playbook", "s", uri, "kill, purge, state")
    table.add(f"... over {keys:,} keys, the cost of the tasks", "s", loop, note)
    table.add("cost of the loop / cost of the task", "x", ratios(loop, task), "target: at least 500")
    loops = [seconds + empty for seconds, empty in zip(loop, nothing, strict=True)]
    table.add("whole playbook with the loop / with the task", "x", ratios(loops, whole))


def many(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the recovery of ten times as many runs, as a module and in process."""
    sizes = (server.keys, 10 * server.keys)
    for title, way in (("as a module", {"probe": True}), ("in process", {"whole": True})):
        found = in_turns(
            server.runs,
            {f"{size:,}": functools.partial(server.recover, FAILED, size, **way) for size in sizes},
        )
        yield _ten_times(f"{sizes[1]:,} failed runs against {sizes[0]:,}, {title}", found, sizes)


def _ten_times(title: str, found: dict[str, list[PlaybookRun]], sizes: tuple[int, int]) -> Table:
    table = Table(title)
    for name, runs in found.items():
        table.add(f"{name} runs, the whole playbook", "s", [run.seconds for run in runs])
        table.add("... the task's own part", "ms", [run.own_ms for run in runs], "`audit.data.duration_ms`")
        table.add("... its process", "ms", [run.process_ms for run in runs], "start and imports included")
        table.add("... peak memory", "MiB", [run.process["peak_mib"] for run in runs], "of its process")
    fewer, more = found.values()
    own = ratios([run.own_ms for run in more], [run.own_ms for run in fewer])
    table.add("own part, ten times the runs / once", "x", own, "target: 10.5 at most; 10 is linear")
    kib = [
        1024 * (large.process["peak_mib"] - small.process["peak_mib"]) / (sizes[1] - sizes[0])
        for large, small in zip(more, fewer, strict=True)
    ]
    table.add("memory for each further run", "KiB", kib, "target: 5 at most")
    return table
