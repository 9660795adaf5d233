# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work a deployment still holds."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.pending import (
    count_pending,
    state_of,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import PendingCount
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, registry

SEEN = registry(
    deployment("dp_old", "A", "B", day=1),
    deployment("dp_new", "A", day=2),
    latest={"A": "dp_new", "B": "dp_old"},
)


def pinned(id_: str, status: str, n: int) -> PendingCount:
    return PendingCount("A", status, n, id_)


def unpinned(name: str, status: str, n: int, attempted: str | None = None) -> PendingCount:
    return PendingCount(name, status, n, last_attempt_deployment_id=attempted)


@pytest.mark.parametrize(("rows", "expected"), [
    pytest.param([], {"dp_old": 0, "dp_new": 0}, id="no work: every deployment has a count"),
    pytest.param([pinned("dp_old", "suspended", 2), pinned("dp_old", "paused", 1)], {"dp_old": 3, "dp_new": 0}, id="pinned work counts, whatever its status"),
    pytest.param([pinned("dp_gone", "invoked", 1)], {"dp_old": 0, "dp_new": 0, "dp_gone": 1}, id="a zombie belongs to no registered deployment"),
    pytest.param([unpinned("A", "pending", 3)], {"dp_old": 0, "dp_new": 3}, id="unpinned work belongs to its service's latest"),
    pytest.param([unpinned("B", "scheduled", 1)], {"dp_old": 1, "dp_new": 0}, id="unpinned work of a service that only the older one serves"),
    pytest.param([unpinned("Gone", "scheduled", 1)], {"dp_old": 0, "dp_new": 0}, id="unpinned work of a service that is gone is nowhere"),
    pytest.param([unpinned("A", "running", 1, "dp_old")], {"dp_old": 1, "dp_new": 1}, id="a first attempt on the older one may get pinned there"),
    pytest.param([unpinned("A", "running", 1, "dp_new")], {"dp_old": 0, "dp_new": 1}, id="a first attempt on the latest counts once"),
    pytest.param([unpinned("A", "backing-off", 1, "dp_old")], {"dp_old": 0, "dp_new": 1}, id="a past attempt does not hold a deployment"),
    pytest.param([pinned("dp_new", "running", 1), unpinned("A", "running", 2)], {"dp_old": 0, "dp_new": 3}, id="pinned and unpinned add up"),
    pytest.param([PendingCount("A", "running", 1, "dp_new", "dp_old")], {"dp_old": 0, "dp_new": 1}, id="where it is pinned counts, not where it was tried before"),
])  # fmt: skip
def test_pending(rows: list[PendingCount], expected: dict[str, int]) -> None:
    assert count_pending(SEEN, rows) == expected


@pytest.mark.parametrize(("latest", "pins", "expected"), [
    pytest.param({"A": "dp_old"}, [], "active", id="latest for a service"),
    pytest.param({"A": "dp_old"}, [pinned("dp_old", "paused", 1)], "active", id="latest, with work"),
    pytest.param({"A": "dp_new"}, [pinned("dp_old", "paused", 1)], "draining", id="superseded, with work"),
    pytest.param({"A": "dp_new"}, [pinned("dp_new", "paused", 1)], "drained", id="superseded, without work"),
    pytest.param({}, [], "drained", id="serves nothing"),
])  # fmt: skip
def test_state(latest: dict[str, str], pins: list[PendingCount], expected: str) -> None:
    seen = registry(deployment("dp_old", "A"), deployment("dp_new", "A"), latest=latest)
    assert state_of(seen, "dp_old", count_pending(seen, pins)["dp_old"]) == expected
