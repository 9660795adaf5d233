# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done while a node is killed: work that is prepared, attempted until it is done, and judged by the truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.integration.cluster import Cluster, Truth
from tests.integration.kills import Moment
from tests.integration.server import Server


@dataclass(frozen=True)
class Attempt:
    """One attempt: whether all is done, what was said last, and what of all that was said is wrong."""

    is_done: bool
    message: str
    wrong: list[str]


class Work(ABC):
    """One kind of work, on a cluster that is blank before; `folder` is for snapshots and logs."""

    name: str
    tasks = 1
    """How many tasks an attempt has, each of which waits for itself."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.truths: list[Truth] = []
        """What was true before the first attempt, and after each."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what is to be worked on."""

    @abstractmethod
    def moment(self, random: Random) -> Moment:
        """Choose the call at which the node is killed."""

    @abstractmethod
    def attempt(self, server: Server, admin_url: str) -> Attempt:
        """Do the work at a node, whose admin API is reached by this URL, and judge what was said."""

    @abstractmethod
    def wrong_at_end(self) -> list[str]:
        """What is wrong once the work is done."""

    def look(self) -> tuple[Truth, Truth]:
        """Look at the cluster; give what was true before, and what is true now."""
        self.truths.append(self.cluster.truth())
        return self.truths[-2], self.truths[-1]


def choose(random: Random, *places: tuple[str, str, int]) -> Moment:
    """Choose one of the places: a method, a path, and how many such calls there are at least."""
    method, path, calls = random.choice(places)
    when = random.choice(("before", "during", "after"))
    seconds = random.uniform(0.0, 0.03)
    return Moment(method, path, random.randint(1, calls), when, seconds)
