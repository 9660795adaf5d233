# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fault of the network in the middle of a task, reruns while calls are still held, and their late delivery."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.integration.cluster import Cluster, Truth
from tests.integration.server import Server
from tests.proof.network import KINDS, PLACES, Network, NetworkFault, choose_fault, network_of
from tests.proof.work import Attempt, Work

REQUEST_TIMEOUT = 2
WRITE_GRACE = 40
"""Nothing is held for longer, as the option demands of a network."""
_OUTAGES = 60.0
"""What a task waits in all for server errors, broken connections and unknown outcomes (docs/clusters.md)."""
_OWN_TIME = 45.0
"""What an attempt takes without any fault, and what waits for other reasons: verification, draining, late lists."""
_ATTEMPTS = 6
_DELIVERIES = ("before the first rerun", "after the first rerun", "after the second rerun")


@dataclass(frozen=True)
class FaultOutcome:
    """One trial: what was done to whom, how long the longest attempt took, and what was wrong."""

    work: str
    fault: NetworkFault
    delivery: str
    delivered: int
    longest: float
    wrong: list[str]


def pairs_of_faults() -> Iterator[tuple[str, str]]:
    """The kinds and places of faults."""
    return ((kind, place) for kind in KINDS for place in PLACES)


def try_once(cluster: Cluster, kind: type[Work], fault_kind: str, place: str, random: Random) -> FaultOutcome:
    """Do the work with one such fault, repeat it until it is done, and judge what was said and what is true."""
    cluster.reset()
    with tempfile.TemporaryDirectory(prefix="restate-proof-") as folder:
        work = kind(cluster, Path(folder))
        work.prepare()
        work.truths.append(cluster.truth())
        fault = choose_fault(random, fault_kind, place, work.moment(random))
        first = random.choice(cluster.others())
        with network_of(cluster, first) as network:
            trial = _Trial(cluster, work, network, fault, random.choice(_DELIVERIES))
            network.break_with(fault, random)
            wrong = trial.run(first) + work.wrong_at_end() + _wrong_of_submissions(network)
        return FaultOutcome(work.name, fault, trial.delivery, trial.delivered, trial.longest, wrong)


class _Trial:
    """The attempts of one work, and the deliveries between them."""

    def __init__(
        self, cluster: Cluster, work: Work, network: Network, fault: NetworkFault, delivery: str
    ) -> None:
        self._cluster = cluster
        self._work = work
        self._network = network
        self._fault = fault
        self.delivery = delivery
        self.delivered = 0
        self.longest = 0.0
        self._held_since = 0.0

    def run(self, first: str) -> list[str]:
        """Attempt the work until it is done; return what was wrong."""
        attempt, wrong = self._attempt(first)
        is_healed_by_time = self._fault.place == "all"
        if is_healed_by_time:
            self._network.heal()
        message = attempt.message
        for number in range(_ATTEMPTS):
            if number >= _DELIVERIES.index(self.delivery):
                self._network.heal()
                wrong += self._deliver()
            if attempt.is_done and not self._network.holds_writes:
                return wrong
            if number >= len(_DELIVERIES):
                # Only what is in doubt is left by now.
                time.sleep(WRITE_GRACE / (_ATTEMPTS - len(_DELIVERIES)))
            attempt, found = self._attempt(first)
            wrong += found
            message = attempt.message
        self._network.heal()
        wrong += self._deliver()
        return wrong if attempt.is_done else [*wrong, f"not done after {_ATTEMPTS} more attempts: {message}"]

    def _attempt(self, first: str) -> tuple[Attempt, list[str]]:
        wrong = self._deliver() if self._network.held_for > WRITE_GRACE * 0.5 else []
        server = _through(self._cluster.nodes[first], self._network)
        began = time.monotonic()
        attempt = self._work.attempt(server, self._network.admin_url)
        seconds = time.monotonic() - began
        self.longest = max(self.longest, seconds)
        wrong += attempt.wrong
        bound = self._work.tasks * (_OUTAGES + _OWN_TIME + REQUEST_TIMEOUT * len(self._cluster.nodes))
        if seconds > bound:
            wrong.append(f"an attempt took {seconds:.0f} s, and {bound:.0f} s is its bound")
        return attempt, wrong

    def _deliver(self) -> list[str]:
        """Deliver what is held; return what is wrong then: it may only do what it was sent for."""
        number = self._network.deliver()
        if not number:
            return []
        self.delivered += number
        before, after = self._work.look()
        return _wrong_of_late(self._work.truths[0], before, after)


def _through(server: Server, network: Network) -> Server:
    """Return the server as it is reached through the network."""
    there = copy.copy(server)
    options: dict[str, Any] = {"request_timeout": REQUEST_TIMEOUT, "write_grace": WRITE_GRACE}
    there.connection = {"admin_url": network.admin_url, "ingress_url": network.ingress_url, **options}
    return there


def _wrong_of_late(first: Truth, before: Truth, after: Truth) -> list[str]:
    """What was destroyed by calls that were delivered late, and was not there when they were sent."""
    wrong = []
    for invocation_id, seen in before.invocations.items():
        was_there = first.invocations.get(invocation_id)
        is_new = was_there is None or was_there.created_at != seen.created_at
        now = after.invocations.get(invocation_id)
        if not is_new:
            continue
        if now is None:
            wrong.append(f"{seen.key}: the new run was destroyed by a late call")
        elif now.result == "failure" and seen.result != "failure":
            wrong.append(f"{seen.key}: the new run was ended by a late call")
    gone = before.deployments - after.deployments - first.deployments
    return wrong + [f"{each}: the new deployment was removed by a late call" for each in gone]


def _wrong_of_submissions(network: Network) -> list[str]:
    return [f"{key}: was started {times} times" for key, times in network.started.items() if times > 1]
