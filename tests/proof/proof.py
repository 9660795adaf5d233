# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills nodes of a cluster in the middle of tasks, and holds what the tasks said against the truth.

    proof.py [--kills N] [--seed N] [--only NAME]

Prints a table of what was killed, and each wrong outcome. Exits with 1 where there is any.
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "roles" / "sandbox" / "files")]

from restate_sandbox import Sandbox  # noqa: E402
from stop_signals import Stopped, StopSignals  # noqa: E402

from tests.integration.cluster import Cluster  # noqa: E402
from tests.integration.kills import VICTIMS, Kill, Moment, killing  # noqa: E402
from tests.integration.preloaded_python import preloaded_python  # noqa: E402
from tests.integration.services import Services  # noqa: E402
from tests.proof.recoveries import RecoverFailed, Recovery, RecoveryOfPaused, Resubmission  # noqa: E402
from tests.proof.releases import CleanupOfRetrying, CleanupOfSuspended, Release  # noqa: E402
from tests.proof.work import Work  # noqa: E402

WORKS: tuple[type[Work], ...] = (
    Recovery,
    RecoveryOfPaused,
    Resubmission,
    CleanupOfSuspended,
    CleanupOfRetrying,
    Release,
    RecoverFailed,
)
_RERUNS = 3


@dataclass(frozen=True)
class Outcome:
    """One kill, and what was wrong after it."""

    work: str
    victim: str
    moment: Moment
    wrong: list[str]

    def summary(self) -> str:
        """Say what was wrong: how often, and of which key first."""
        if not self.wrong:
            return "nothing wrong"
        alike: dict[str, list[str]] = {}
        for each in self.wrong:
            key, _, text = each.partition(": ")
            if " " in key:
                key, text = "the task", each
            alike.setdefault(text, []).append(key)
        lines = [f"\n    {len(keys)} x {text} ({keys[0]})" for text, keys in alike.items()]
        return f"WRONG, at {self.moment}" + "".join(lines)


def main() -> int:
    """Kill as often as the command line says; give the exit status."""
    parser = argparse.ArgumentParser(
        description="Kill nodes in the middle of tasks, and look for what is wrong."
    )
    parser.add_argument("--kills", type=int, default=40, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of what is chosen")
    parser.add_argument("--only", choices=[each.name for each in WORKS], help="one kind of work")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    try:
        with StopSignals():
            _prove(outcomes, options.kills, options.seed, options.only)
    except Stopped as stopped:
        return 128 + stopped.number
    finally:
        _print_table(outcomes, options.seed)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


def _prove(outcomes: list[Outcome], kills: int, seed: int, only: str | None) -> None:
    """Kill, and append what came of it."""
    random = Random(seed)
    pairs = [(work, victim) for work in WORKS for victim in VICTIMS if only in (None, work.name)]
    random.shuffle(pairs)
    cache = Path(os.environ["SANDBOX_CACHE"])
    with Services(cache) as services, preloaded_python() as python, Sandbox(nodes=3) as sandbox:
        cluster = Cluster(sandbox, services, python)
        for number, (work, victim) in enumerate(itertools.islice(itertools.cycle(pairs), kills), start=1):
            # each kill has a seed of its own: what one chooses does not depend on what others met
            outcome = _kill_once(cluster, work, victim, Random(f"{seed}-{number}"))
            outcomes.append(outcome)
            _say(f"{number}/{kills} {outcome.work}, {outcome.victim}: {outcome.summary()}")
        cluster.close()


def _kill_once(cluster: Cluster, kind: type[Work], victim: str, random: Random) -> Outcome:
    cluster.reset()
    with tempfile.TemporaryDirectory(prefix="restate-proof-") as folder:
        work = kind(cluster, Path(folder))
        work.prepare()
        work.truths.append(cluster.truth())
        kill = _whom(cluster, victim, work, random)
        with killing(cluster, kill) as proxy:
            first = work.attempt(cluster.nodes[kill.used], proxy.url)
            if not proxy.is_used_up:
                return Outcome(work.name, victim, kill.moment, [f"nobody was killed; {first.message}"])
        wrong = first.wrong + _rerun(cluster, work, random) + work.wrong_at_end()
        return Outcome(work.name, victim, kill.moment, wrong)


def _rerun(cluster: Cluster, work: Work, random: Random) -> list[str]:
    """Repeat the work at any of the nodes that run until it is done; give what was wrong."""
    wrong: list[str] = []
    message = ""
    for _attempt in range(_RERUNS):
        server = cluster.nodes[random.choice(cluster.others())]
        attempt = work.attempt(server, server.admin_url)
        wrong += attempt.wrong
        if attempt.is_done:
            return wrong
        message = attempt.message
    return [*wrong, f"not done after {_RERUNS} more attempts: {message}"]


def _whom(cluster: Cluster, victim: str, work: Work, random: Random) -> Kill:
    """The task uses a node that is not the leader of most partitions."""
    leader = cluster.leader()
    used, other = random.sample(cluster.others(leader), 2)
    names = {"leader": leader, "admin": used, "other": other}
    return Kill(used, names[victim], work.moment(random))


def _print_table(outcomes: list[Outcome], seed: int) -> None:
    kills = Counter((outcome.work, outcome.victim) for outcome in outcomes)
    wrong = Counter((outcome.work, outcome.victim) for outcome in outcomes if outcome.wrong)
    print("| work | killed | kills | wrong outcomes |\n|---|---|---|---|")
    for pair, count in sorted(kills.items()):
        print(f"| {pair[0]} | {pair[1]} | {count} | {wrong[pair]} |")
    print(f"| all | | {len(outcomes)} | {sum(wrong.values())} |\n\nseed: {seed}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
