# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes random worlds on a real server, runs a random task in each, and looks for what does not fit together.

    worlds.py [--worlds N] [--seed N] [--only SEED-NUMBER] [--version VERSION]

Prints each mismatch with the seed of its world. Exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "roles" / "sandbox" / "files")]

import restate_server  # noqa: E402
from restate_sandbox import Sandbox  # noqa: E402
from stop_signals import Stopped, StopSignals  # noqa: E402
from waiting import SandboxError  # noqa: E402

from tests.integration.preloaded_python import preloaded_python  # noqa: E402
from tests.integration.proxy import proxy_of  # noqa: E402
from tests.integration.server import Server  # noqa: E402
from tests.integration.services import Services  # noqa: E402
from tests.worlds.checks import Trial  # noqa: E402
from tests.worlds.tasks import choose_task  # noqa: E402
from tests.worlds.world import World  # noqa: E402


def main() -> int:
    """Make as many worlds as the command line says; give the exit status."""
    parser = argparse.ArgumentParser(
        description="Run random tasks in random worlds, and look for what is wrong."
    )
    parser.add_argument("--worlds", type=int, default=300, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of what is chosen")
    parser.add_argument("--only", metavar="SEED", help="one world: its seed as it was printed")
    parser.add_argument("--version", default=restate_server.DEFAULT_VERSION, help="of Restate")
    parser.add_argument("--module", help="tasks of this module only, such as cleanup")
    options = parser.parse_args()
    seeds = [options.only] if options.only else [f"{options.seed}-{n}" for n in range(1, options.worlds + 1)]
    counts: Counter[tuple[str, bool]] = Counter()
    began = time.monotonic()
    try:
        with StopSignals():
            _try_all(seeds, options.version, options.module, counts, is_told=bool(options.only))
    except Stopped as stopped:
        return 128 + stopped.number
    finally:
        _print_table(counts, time.monotonic() - began)
        print(f"seed: {options.only or options.seed}")
    return 1 if any(is_wrong for _module, is_wrong in counts) else 0


def _try_all(
    seeds: list[str], version: str, module: str | None, counts: Counter[tuple[str, bool]], *, is_told: bool
) -> None:
    cache = Path(os.environ["SANDBOX_CACHE"])
    remaining = iter(seeds)
    with Services(cache) as services, preloaded_python() as python:
        is_over = False
        while not is_over:
            with Sandbox(version) as sandbox, contextlib.closing(Server(sandbox, services, python)) as server:
                is_over = _try_while_blank(server, remaining, module, counts, is_told=is_told)


def _try_while_blank(
    server: Server,
    seeds: Iterator[str],
    module: str | None,
    counts: Counter[tuple[str, bool]],
    *,
    is_told: bool,
) -> bool:
    """Try worlds until there are no more (True), or until the server cannot be made blank again."""
    for seed in seeds:
        name, wrong = _try_once(server, seed, module, is_told=is_told)
        if name:
            counts[name, bool(wrong)] += 1
        try:
            # Restate 1.7.12 keeps the attempts of some runs that were paused and killed for ever.
            server.reset()
        except SandboxError:
            return False
    return True


def _try_once(server: Server, seed: str, module: str | None, *, is_told: bool) -> tuple[str, list[str]]:
    """Make the world of this seed, and try its task; return the module and what was wrong."""
    world = World(server, Random(seed))
    world.make()
    with tempfile.TemporaryDirectory(prefix="restate-world-") as folder, proxy_of(server.admin_url) as proxy:
        task = choose_task(world, Path(folder))
        if module not in (None, task.module):
            return "", []
        trial = Trial(world, task, proxy)
        try:
            trial.run()
        except SandboxError as error:
            trial.wrong.append(f"the world does not come to rest: {error}")
        if trial.wrong or is_told:
            _tell(seed, world, task.module, task.args, trial)
    return task.module, trial.wrong


def _tell(seed: str, world: World, module: str, args: dict[str, object], trial: Trial) -> None:
    print(f"--only {seed}: {module} {json.dumps(args)}")
    print(f"    world: {', '.join(world.told)}")
    for name, result in trial.results.items():
        print(f"    {name}: {result['msg'][:400]}")
    for each in trial.wrong:
        print(f"    WRONG: {each}")
    sys.stdout.flush()


def _print_table(counts: Counter[tuple[str, bool]], seconds: float) -> None:
    print("| module | worlds | mismatches |\n|---|---|---|")
    for module in sorted({name for name, _is_wrong in counts}):
        print(f"| {module} | {counts[module, False] + counts[module, True]} | {counts[module, True]} |")
    print(f"| all | {counts.total()} | {sum(n for (_m, is_wrong), n in counts.items() if is_wrong)} |")
    if counts:
        print(f"\n{seconds / counts.total():.1f} s a world")


if __name__ == "__main__":
    sys.exit(main())
