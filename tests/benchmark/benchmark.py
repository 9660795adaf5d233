# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task of this collection costs beside other ways of doing the same, on a real Restate server.

    benchmark.py [--runs N] [--keys N] [--only NAME]

Prints Markdown tables of medians. Asserts no time; fails where an operation does not do what it should.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "roles" / "sandbox" / "files")]

from restate_sandbox import Sandbox  # noqa: E402
from stop_signals import Stopped, StopSignals  # noqa: E402

from tests.benchmark.benchmark_server import BenchmarkServer  # noqa: E402
from tests.benchmark.comparisons import cleanup, environments, release, tasks  # noqa: E402
from tests.benchmark.doctors import doctor  # noqa: E402
from tests.benchmark.measuring import say  # noqa: E402
from tests.benchmark.recoveries import failed, many, paused  # noqa: E402
from tests.benchmark.tables import Table  # noqa: E402
from tests.benchmark.time_split import split  # noqa: E402

PARTS: dict[str, Callable[[BenchmarkServer], Iterator[Table]]] = {
    "tasks": tasks,
    "release": release,
    "cleanup": cleanup,
    "environments": environments,
    "failed": failed,
    "paused": paused,
    "many": many,
    "doctor": doctor,
    "split": split,
}
"""What can be measured, by name."""


def _measure(name: str, runs: int, keys: int) -> None:
    """Measure a part on a server of its own, and print its tables."""
    say(name)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="restate-benchmark-") as directory:
        for table in PARTS[name](BenchmarkServer(sandbox, Path(directory), runs, keys)):
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
