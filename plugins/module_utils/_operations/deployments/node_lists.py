# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the nodes of a cluster list the same deployments: a node that is cut off lists what it knew before."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._restate.wire import Deployment
from ..report import count, sample
from ..waiting import wait_until
from .registry import STALE_READ_SECONDS

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.server import Restate

_SILENT_SECONDS = 2.0
"""For how long a node may take to list its deployments; one that takes longer is not compared."""

_Key = tuple[str, datetime.datetime]
_List = frozenset[_Key]
_LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True)
class OddLists:
    """Which nodes list other deployments than most: `most` is a node that lists what most do.

    `differences` has, by the URL of each other node, the ids of the deployments about which it differs.
    """

    most: str
    differences: t.Mapping[str, t.Sequence[str]]

    @property
    def message(self) -> str:
        """It in a sentence."""
        told = "; ".join(f"{url}: {sample(ids)}" for url, ids in self.differences.items())
        return (
            f"{count(len(self.differences), 'node')} list other deployments than {self.most}, for longer than "
            f"{STALE_READ_SECONDS} s: {told}."
        )


def odd_lists(restate: Restate) -> OddLists | None:
    """Return which nodes list other deployments than most; None if all that answer agree, or there is one node only.

    Nodes differ for a moment after each registration, so this waits for as long as a list may be stale.
    """
    if len(restate.node_urls) < 2:
        return None
    found: OddLists | None = None

    def agree() -> bool:
        nonlocal found
        found = compare(_read(restate))
        return found is None

    wait_until(
        agree,
        clock=restate.clock,
        seconds=STALE_READ_SECONDS,
        pause=0.5,
        growth=1.5,
        progress=lambda: "waiting until all nodes list the same deployments",
    )
    return found


def ask_as_most_do(restate: Restate) -> None:
    """Ask a node that lists the deployments that most nodes list, and warn of the others."""
    found = odd_lists(restate)
    if found:
        restate.admin.prefer(found.most)
        restate.admin.warnings.append(
            f"{found.message} This task goes by {found.most}. Check the connection of the others to the cluster."
        )


def compare(lists: t.Mapping[str, _List]) -> OddLists | None:
    """Return which lists differ from that of most, or of those that as many have, from that with the newest entry."""
    if len(set(lists.values())) < 2:
        return None
    numbers = Counter(lists.values())
    common = max(
        numbers, key=lambda each: (numbers[each], max((created for _, created in each), default=_LONG_AGO))
    )
    return OddLists(
        next(url for url, each in lists.items() if each == common),
        {
            url: sorted({deployment_id for deployment_id, _ in each ^ common})
            for url, each in lists.items()
            if each != common
        },
    )


def _read(restate: Restate) -> dict[str, _List]:
    with ThreadPoolExecutor(max_workers=len(restate.node_urls)) as pool:
        lists = list(pool.map(_list_of, restate.admins_within(_SILENT_SECONDS)))
    return {url: each for url, each in zip(restate.node_urls, lists, strict=True) if each is not None}


def _list_of(start: t.Callable[[], AdminClient]) -> _List | None:
    admin = start()
    try:
        return frozenset(map(_key, admin.deployments()))
    except OperatorError:
        # Whoever works with that node is told.
        return None
    finally:
        admin.close()


def _key(deployment: Deployment) -> _Key:
    return deployment.id, deployment.created
