# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills nodes of a cluster, and breaks its network, in the middle of tasks; compares what they report with the truth.

    proof.py [--kills N] [--faults N] [--seed N] [--only NAME]

Prints tables of what was killed and broken, and each wrong outcome. Exits with 1 if there is any.
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
from tests.proof.faults import FaultOutcome, pairs_of_faults, try_once  # noqa: E402
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
        """Say what was wrong."""
        return _summary(self.wrong, str(self.moment))


def _summary(wrong: list[str], moment: str) -> str:
    """Say what was wrong: how often, and of which key first."""
    if not wrong:
        return "nothing wrong"
    alike: dict[str, list[str]] = {}
    for each in wrong:
        key, _, text = each.partition(": ")
        if " " in key:
            key, text = "the task", each
        alike.setdefault(text, []).append(key)
    lines = [f"\n    {len(keys)} x {text} ({keys[0]})" for text, keys in alike.items()]
    return f"WRONG, at {moment}" + "".join(lines)


def main() -> int:
    """Kill and break as often as the command line says; give the exit status."""
    parser = argparse.ArgumentParser(
        description="Kill nodes, and break their network, in the middle of tasks, and look for what is wrong."
    )
    parser.add_argument("--kills", type=int, help="how many nodes (default: 40, or 0 with --faults)")
    parser.add_argument(
        "--faults", type=int, help="how many faults of the network (default: 30, or 0 with --kills)"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of what is chosen")
    parser.add_argument("--only", choices=[each.name for each in WORKS], help="one kind of work")
    options = parser.parse_args()
    is_all = options.kills is None and options.faults is None
    kills, faults = (40, 30) if is_all else (options.kills or 0, options.faults or 0)
    killed: list[Outcome] = []
    broken: list[FaultOutcome] = []
    works = [each for each in WORKS if options.only in (None, each.name)]
    cache = Path(os.environ["SANDBOX_CACHE"])
    try:
        with (
            StopSignals(),
            Services(cache) as services,
            preloaded_python() as python,
            Sandbox(nodes=3) as sandbox,
        ):
            cluster = Cluster(sandbox, services, python)
            _kill(cluster, works, killed, kills, options.seed)
            _break(cluster, works, broken, faults, options.seed)
            cluster.close()
    except Stopped as stopped:
        return 128 + stopped.number
    finally:
        if killed:
            _print_table("killed", Counter((each.work, each.victim) for each in killed), _wrong_kills(killed))
        if broken:
            _print_table("fault", Counter(_kind(each) for each in broken), _wrong_faults(broken))
        print(f"\nseed: {options.seed}")
    return 1 if any(each.wrong for each in killed) or any(each.wrong for each in broken) else 0


def _kill(cluster: Cluster, works: list[type[Work]], outcomes: list[Outcome], kills: int, seed: int) -> None:
    """Kill, and append what came of it."""
    pairs = [(work, victim) for work in works for victim in VICTIMS]
    Random(seed).shuffle(pairs)
    for number, (work, victim) in enumerate(itertools.islice(itertools.cycle(pairs), kills), start=1):
        # each kill has a seed of its own: what one chooses does not depend on what others met
        outcome = _kill_once(cluster, work, victim, Random(f"{seed}-{number}"))
        outcomes.append(outcome)
        _say(f"{number}/{kills} {outcome.work}, {outcome.victim}: {outcome.summary()}")


def _break(
    cluster: Cluster, works: list[type[Work]], outcomes: list[FaultOutcome], faults: int, seed: int
) -> None:
    """Break the network, and append what came of it."""
    random = Random(seed)
    triples = [(work, kind, place) for work in works for kind, place in pairs_of_faults()]
    random.shuffle(triples)
    for number, (work, kind, place) in enumerate(itertools.islice(itertools.cycle(triples), faults), start=1):
        outcome = try_once(cluster, work, kind, place, Random(f"{seed}-fault-{number}"))
        outcomes.append(outcome)
        where = f"{outcome.fault}, delivered {outcome.delivery} ({outcome.delivered})"
        what = _summary(outcome.wrong, where)
        _say(f"{number}/{faults} {outcome.work}, {kind} at {place}, {outcome.longest:.0f} s: {what}")


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


def _wrong_kills(outcomes: list[Outcome]) -> Counter[tuple[str, str]]:
    return Counter((each.work, each.victim) for each in outcomes if each.wrong)


def _kind(outcome: FaultOutcome) -> tuple[str, str]:
    return outcome.work, outcome.fault.kind


def _wrong_faults(outcomes: list[FaultOutcome]) -> Counter[tuple[str, str]]:
    return Counter(_kind(each) for each in outcomes if each.wrong)


def _print_table(what: str, trials: Counter[tuple[str, str]], wrong: Counter[tuple[str, str]]) -> None:
    print(f"| work | {what} | trials | wrong outcomes |\n|---|---|---|---|")
    for pair, count in sorted(trials.items()):
        print(f"| {pair[0]} | {pair[1]} | {count} | {wrong[pair]} |")
    print(f"| all | | {trials.total()} | {wrong.total()} |")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
