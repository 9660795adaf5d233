# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time of a task goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.benchmark.benchmark_server import FAILED, BenchmarkServer
from tests.benchmark.measuring import in_turns, less_median
from tests.benchmark.playbook_runs import PlaybookRun
from tests.benchmark.stages import stages
from tests.benchmark.tables import Table


def split(server: BenchmarkServer) -> Iterator[Table]:
    """Split the time of a task of the doctor, on a server with next to nothing, and of a recovery."""
    yield _split(
        server,
        "the doctor",
        lambda: server.playbooks.run("doctor", probe=True),
        lambda: server.playbooks.run("doctor", stages=True),
    )
    yield _split(
        server,
        f"a recovery of {server.keys:,} failed runs",
        lambda: server.recover(FAILED, server.keys, probe=True),
        lambda: server.recover(FAILED, server.keys, stages=True),
    )


def _split(
    server: BenchmarkServer, what: str, plain: Callable[[], PlaybookRun], watched: Callable[[], PlaybookRun]
) -> Table:
    found = in_turns(server.runs, {"nothing": server.nothing, "plain": plain, "watched": watched})
    task = less_median([run.seconds for run in found["plain"]], found["nothing"])
    process = [run.process_ms for run in found["plain"]]
    parts = [stages(run.process) for run in found["watched"]]
    rest = [1000 * seconds - own for seconds, own in zip(task, process, strict=True)]
    table = Table(f"Where the time of {what} goes")
    table.add("the task", "ms", [1000 * seconds for seconds in task], "less the playbook without a task")
    table.add("... ansible-core", "ms", rest, "building and copying the module, taking its result")
    table.add("... the module's process", "ms", process)
    table.add("the module's process, watched", "ms", [run.process_ms for run in found["watched"]])
    for name in parts[0]:
        table.add(f"... {name}", "ms", [each[name] for each in parts])
    return table
