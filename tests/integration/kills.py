# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that is killed while a task works: which node, and at which of the task's calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.integration.cluster import Cluster
from tests.integration.proxy import Answer, Fault, Forward, Proxy, Request, after, before, during, proxy_of

VICTIMS = ("leader", "admin", "other")
"""The leader of most partitions, the node that the task uses, the third one."""


@dataclass(frozen=True)
class Moment:
    """The call at which a node is killed: the `number`th write of this method and path, counted from 1.

    `when` is before it reaches the server, during it (`seconds` after it has), or after it and before its answer.
    """

    method: str
    path: str
    number: int = 1
    when: str = "before"
    seconds: float = 0.0


@dataclass(frozen=True)
class Kill:
    """Whom to kill, when; the names of nodes."""

    used: str
    victim: str
    moment: Moment


@contextmanager
def killing(cluster: Cluster, kill: Kill) -> Iterator[Proxy]:
    """Give a proxy in front of the node that the task uses, at which the node is killed at the moment."""
    with proxy_of(cluster.nodes[kill.used].admin_url) as proxy:

        def die() -> None:
            cluster.sandbox.kill(kill.victim)
            if kill.victim == kill.used:
                proxy.refuse()

        moment = kill.moment
        faults = {"before": before(die), "during": during(moment.seconds, die), "after": after(die)}
        _at_write(proxy, moment, faults[moment.when])
        yield proxy


def _at_write(proxy: Proxy, moment: Moment, fault: Fault) -> None:
    remaining = [moment.number]

    def met(request: Request, forward: Forward) -> Answer:
        if request.writes:
            remaining[0] -= 1
        if remaining[0] == 0:
            return fault(request, forward)
        proxy.once(moment.method, moment.path, met)
        return forward()

    proxy.once(moment.method, moment.path, met)
