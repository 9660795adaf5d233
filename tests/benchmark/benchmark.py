# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task of this collection costs beside other ways of doing the same, on a real Restate server.

    benchmark.py [--runs N] [--keys N] [--only NAME]

Prints Markdown tables of medians. Asserts no time; fails where an operation does not do what it should.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "roles" / "sandbox" / "files")]

from restate_sandbox import Sandbox  # noqa: E402
from stop_signals import Stopped, StopSignals  # noqa: E402

from tests.benchmark.measuring import Played, Player, Table, in_turns, say  # noqa: E402
from tests.benchmark.planting import Cli, Field, install_cli  # noqa: E402
from tests.benchmark.stages import stages  # noqa: E402

_LOOPED = 20
_WEEK = 7 * 24 * 3600
_COUNT = "SELECT status, COUNT(1) AS n FROM sys_invocation_status GROUP BY status"


@dataclass(frozen=True)
class Trouble:
    """Runs that need a recovery: how they are planted, and how they are selected."""

    service: str
    argument: dict[str, str]
    kind: str


FAILED = Trouble("OrderWorkflow", {"mode": "fail"}, "failed")
PAUSED = Trouble("PaymentWorkflow", {}, "paused")


class Bench:
    """One server with what is measured on it."""

    def __init__(self, sandbox: Sandbox, directory: Path, runs: int, keys: int) -> None:
        self.runs = runs
        self.keys = keys
        self.field = Field(sandbox)
        self.player = Player(directory, sandbox.admin_url)
        self._sandbox = sandbox
        self._directory = directory

    def nothing(self) -> float:
        """Give the seconds of a playbook without a task."""
        return self.player.play("nothing").seconds

    def recover(self, trouble: Trouble, keys: int, *, probe: bool = False, stages: bool = False) -> Played:
        """Plant trouble under new keys, and measure its recovery with one task."""
        self.field.plant(trouble.service, keys, trouble.argument)
        variables = {"service": trouble.service, "kinds": [trouble.kind], "keys": keys}
        played = self.player.play("recover", variables, probe=probe, stages=stages)
        summary = played.outcome["summary"]
        if (
            summary["recovered"] != keys
            or played.outcome["results"] != keys
            or self.field.left(trouble.service)
        ):
            raise RuntimeError(f"not all of {keys} keys were recovered: {summary}")
        return played

    def loop(self, trouble: Trouble, keys: int) -> float:
        """Plant trouble under new keys, and give the seconds of a playbook with three requests for each key."""
        chosen = self.field.plant(trouble.service, keys, trouble.argument)
        return self.player.play("uri_loop", {"service": trouble.service, "chosen": chosen}).seconds

    def cli(self) -> Callable[[Trouble, int | None], tuple[float, int]]:
        """Give what plants trouble, and gives the seconds and calls in which the `restate` command ends it."""
        cli = Cli(self.field, install_cli(self._sandbox), self._directory, self._sandbox.admin_url)

        def end(trouble: Trouble, limit: int | None) -> tuple[float, int]:
            self.field.plant(trouble.service, self.keys, trouble.argument)
            return cli.kill_and_purge(trouble.service, limit)

        return end


def failed(bench: Bench) -> Iterator[Table]:
    """Compare the recovery of runs that failed for good with the `restate` command and with a loop."""
    yield _recovery(bench, f"{bench.keys:,} runs that failed for good", FAILED, loop=True)


def paused(bench: Bench) -> Iterator[Table]:
    """Compare the recovery of paused runs, which must be killed, with the `restate` command."""
    yield _recovery(bench, f"{bench.keys:,} paused runs", PAUSED, loop=False)


def _recovery(bench: Bench, title: str, trouble: Trouble, *, loop: bool) -> Table:
    end = bench.cli()
    looped = min(_LOOPED, bench.keys)
    contenders: dict[str, Callable[[], Any]] = {
        "nothing": bench.nothing,
        "module": lambda: bench.recover(trouble, bench.keys),
        "cli": lambda: end(trouble, None),
        "cli, all at once": lambda: end(trouble, bench.keys),
    }
    if loop:
        contenders["uri"] = lambda: bench.loop(trouble, looped)
    found = in_turns(bench.runs, contenders)
    nothing = found["nothing"]
    whole = [played.seconds for played in found["module"]]
    task = _less(whole, nothing)
    cli, calls = ([one[part] for one in found["cli"]] for part in (0, 1))
    at_once, few_calls = ([one[part] for one in found["cli, all at once"]] for part in (0, 1))
    table = Table(title)
    table.add("a playbook without a task", "s", nothing)
    table.add("`restate_recover_workflow`, the whole playbook", "s", whole)
    table.add("... the cost of the task", "s", task, "less the playbook without a task")
    table.add("... the module's own part", "ms", _own(found["module"]), "`audit.data.duration_ms`")
    table.add("`restate invocations kill` and `purge`", "s", cli, f"{max(calls)} processes")
    table.add(
        "... with `--limit` at the number of keys",
        "s",
        at_once,
        f"{max(few_calls)} processes, as the best it can do",
    )
    table.add("own part / CLI", "x", _ratios([ms / 1000 for ms in _own(found["module"])], cli))
    table.add("cost of the task / CLI", "x", _ratios(task, cli), "target: less than 2")
    table.add("whole playbook / CLI", "x", _ratios(whole, cli))
    if loop:
        _add_loop(table, bench.keys, looped, found["uri"], nothing, whole)
    return table


def _add_loop(
    table: Table, keys: int, looped: int, uri: list[float], nothing: list[float], whole: list[float]
) -> None:
    """Add the loop, extrapolated from the keys that were looped over to all keys."""
    task = _less(whole, nothing)
    loop = [seconds * keys / looped for seconds in _less(uri, nothing)]
    note = f"extrapolated from {looped} keys; less the playbook without a task"
    table.add(f"`uri` looped over {looped} keys, the whole playbook", "s", uri, "kill, purge, state")
    table.add(f"... over {keys:,} keys, the cost of the tasks", "s", loop, note)
    table.add("cost of the loop / cost of the task", "x", _ratios(loop, task), "target: at least 500")
    loops = [seconds + empty for seconds, empty in zip(loop, nothing, strict=True)]
    table.add("whole playbook with the loop / with the task", "x", _ratios(loops, whole))


def many(bench: Bench) -> Iterator[Table]:
    """Compare the recovery of ten times as many runs."""
    sizes = (bench.keys, 10 * bench.keys)
    found = in_turns(
        bench.runs,
        {f"{size:,}": lambda size=size: bench.recover(FAILED, size, probe=True) for size in sizes},  # type: ignore[misc]
    )
    table = Table(f"{sizes[1]:,} failed runs against {sizes[0]:,}")
    for name, played in found.items():
        table.add(f"{name} runs, the whole playbook", "s", [each.seconds for each in played])
        table.add("... the module's own part", "ms", _own(played), "`audit.data.duration_ms`")
        table.add(
            "... the module's process",
            "ms",
            [_process_ms(each) for each in played],
            "start and imports included",
        )
        table.add("... its peak memory", "MiB", [each.process["peak_mib"] for each in played], "resident")
    fewer, more = found.values()
    table.add("own part, ten times the runs / once", "x", _ratios(_own(more), _own(fewer)), "10 is linear")
    yield table


def doctor(bench: Bench) -> Iterator[Table]:
    """Compare the doctor with one request by `uri`, then with one aggregate on a server with many invocations."""
    player = bench.player
    found = in_turns(
        bench.runs,
        {
            "nothing": bench.nothing,
            "doctor": lambda: player.play("doctor"),
            "uri": lambda: player.play("uri_get").seconds,
        },
    )
    nothing, uri = found["nothing"], found["uri"]
    whole = [played.seconds for played in found["doctor"]]
    table = Table("The doctor on a server with next to nothing")
    table.add("a playbook without a task", "s", nothing)
    table.add("`restate_doctor`, the whole playbook", "s", whole)
    table.add("... the cost of the task", "s", _less(whole, nothing), "less the playbook without a task")
    table.add("... the module's own part", "ms", _own(found["doctor"]), "`audit.data.duration_ms`")
    table.add("`uri` with one GET of `/deployments`, the whole playbook", "s", uri)
    table.add("... the cost of the task", "s", _less(uri, nothing), "less the playbook without a task")
    table.add("cost of the doctor / of the request", "x", _ratios(_less(whole, nothing), _less(uri, nothing)))
    yield table
    yield _doctor_among_many(bench, 100 * bench.keys)


def _doctor_among_many(bench: Bench, invocations: int) -> Table:
    seconds = _crowd(bench.field, invocations)
    say(f"  planted {invocations:,} invocations in {seconds:.0f} s")
    found = in_turns(
        bench.runs,
        {
            "nothing": bench.nothing,
            "doctor": lambda: bench.player.play("doctor"),
            "SQL": lambda: _aggregate(bench.field),
        },
    )
    counted = sum(found["doctor"][0].outcome["by_status"].values())
    if counted < invocations:
        raise RuntimeError(f"the doctor counted {counted} of {invocations} invocations")
    whole = [played.seconds for played in found["doctor"]]
    own = _own(found["doctor"])
    table = Table(f"The doctor on a server with {counted:,} invocations")
    table.add("`restate_doctor`, the whole playbook", "s", whole)
    table.add(
        "... the cost of the task", "s", _less(whole, found["nothing"]), "less the playbook without a task"
    )
    table.add("... the module's own part", "ms", own, "`audit.data.duration_ms`")
    table.add(f"`{_COUNT}`", "ms", found["SQL"], "one request, without a process")
    table.add("own part / SQL", "x", _ratios(own, found["SQL"]))
    return table


def _crowd(field: Field, invocations: int) -> float:
    """Plant as many invocations, and give the seconds that took.

    A tenth succeeded, a tenth failed, the rest is scheduled: quick to plant, since only a fifth runs.
    """
    started = time.monotonic()
    field.plant("OrderWorkflow", invocations // 10, {"mode": "ok"})
    field.plant("OrderWorkflow", invocations // 10, {"mode": "fail"})
    field.plant("OrderWorkflow", invocations - invocations // 10 * 2, {"mode": "ok"}, _WEEK)
    return time.monotonic() - started


def _aggregate(field: Field) -> float:
    """Give the milliseconds of the bare aggregate."""
    started = time.monotonic()
    field.api.query(_COUNT)
    return (time.monotonic() - started) * 1000


def split(bench: Bench) -> Iterator[Table]:
    """Split the time of a task of the doctor, on a server with next to nothing, and of a recovery."""
    yield _split(
        bench,
        "the doctor",
        lambda: bench.player.play("doctor", probe=True),
        lambda: bench.player.play("doctor", stages=True),
    )
    yield _split(
        bench,
        f"a recovery of {bench.keys:,} failed runs",
        lambda: bench.recover(FAILED, bench.keys, probe=True),
        lambda: bench.recover(FAILED, bench.keys, stages=True),
    )


def _split(bench: Bench, what: str, plain: Callable[[], Played], watched: Callable[[], Played]) -> Table:
    found = in_turns(bench.runs, {"nothing": bench.nothing, "plain": plain, "watched": watched})
    task = _less([played.seconds for played in found["plain"]], found["nothing"])
    process = [_process_ms(played) for played in found["plain"]]
    parts = [stages(played.process) for played in found["watched"]]
    rest = [1000 * seconds - own for seconds, own in zip(task, process, strict=True)]
    table = Table(f"Where the time of {what} goes")
    table.add("the task", "ms", [1000 * seconds for seconds in task], "less the playbook without a task")
    table.add("... ansible-core", "ms", rest, "building and copying the module, taking its result")
    table.add("... the module's process", "ms", process)
    table.add("the module's process, watched", "ms", [_process_ms(played) for played in found["watched"]])
    for name in parts[0]:
        table.add(f"... {name}", "ms", [each[name] for each in parts])
    return table


PARTS: dict[str, Callable[[Bench], Iterator[Table]]] = {
    "failed": failed,
    "paused": paused,
    "many": many,
    "doctor": doctor,
    "split": split,
}
"""What can be measured, by name."""


def _own(played: list[Played]) -> list[float]:
    return [each.outcome["duration_ms"] for each in played]


def _process_ms(played: Played) -> float:
    return float(played.process["ended"] - played.process["started"]) * 1000


def _less(values: list[float], base: list[float]) -> list[float]:
    """Give the values less the median of `base`, which varies less than single runs of it do."""
    middle = statistics.median(base)
    return [value - middle for value in values]


def _ratios(values: list[float], others: list[float]) -> list[float]:
    return [value / other for value, other in zip(values, others, strict=True)]


def _measure(name: str, runs: int, keys: int) -> None:
    """Measure a part on a server of its own, and print its tables."""
    say(name)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="restate-benchmark-") as directory:
        for table in PARTS[name](Bench(sandbox, Path(directory), runs, keys)):
            print(table.markdown(), end="\n\n", flush=True)


def main() -> int:
    """Run the parts that the command line names and give the exit status."""
    parser = argparse.ArgumentParser(description="Measure the collection on a real Restate server.")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--keys", type=int, default=1000, help="how many keys are recovered (default: 1000)")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part, may be given more than once")
    options = parser.parse_args()
    try:
        with StopSignals():
            for name in options.only or PARTS:
                _measure(name, options.runs, options.keys)
    except Stopped as stopped:
        return 128 + stopped.number
    return 0


if __name__ == "__main__":
    sys.exit(main())
