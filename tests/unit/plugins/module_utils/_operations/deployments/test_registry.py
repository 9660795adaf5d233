# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work each deployment still holds, and which URLs name it."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.registry import (
    check_service_url,
    count_pending,
    state_of,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import Row, deployment, registry

SEEN = registry(
    deployment("dp_old", "A", "B", day=1),
    deployment("dp_new", "A", day=2),
    latest={"A": "dp_new", "B": "dp_old"},
)


def pinned(id_: str, status: str, n: int) -> Row:
    return {"pinned_deployment_id": id_, "status": status, "n": n}


def unpinned(name: str, status: str, n: int, attempted: str | None = None) -> Row:
    row: Row = {"target_service_name": name, "status": status, "n": n}
    return row | ({"last_attempt_deployment_id": attempted} if attempted else {})


@pytest.mark.parametrize(("pins", "others", "expected"), [
    pytest.param([], [], {"dp_old": {}, "dp_new": {}}, id="no work: every deployment has an empty count"),
    pytest.param([pinned("dp_old", "suspended", 2), pinned("dp_old", "paused", 1)], [], {"dp_old": {"suspended": 2, "paused": 1}, "dp_new": {}}, id="pinned work counts by status"),
    pytest.param([pinned("dp_gone", "invoked", 1)], [], {"dp_old": {}, "dp_new": {}, "dp_gone": {"invoked": 1}}, id="a zombie belongs to no registered deployment"),
    pytest.param([], [unpinned("A", "pending", 3)], {"dp_old": {}, "dp_new": {"pending": 3}}, id="unpinned work belongs to its service's latest"),
    pytest.param([], [unpinned("B", "scheduled", 1)], {"dp_old": {"scheduled": 1}, "dp_new": {}}, id="unpinned work of a service that only the older one serves"),
    pytest.param([], [unpinned("Gone", "scheduled", 1)], {"dp_old": {}, "dp_new": {}}, id="unpinned work of a service that is gone is nowhere"),
    pytest.param([], [unpinned("A", "running", 1, "dp_old")], {"dp_old": {"running": 1}, "dp_new": {"running": 1}}, id="a first attempt on the older one may get pinned there"),
    pytest.param([], [unpinned("A", "running", 1, "dp_new")], {"dp_old": {}, "dp_new": {"running": 1}}, id="a first attempt on the latest counts once"),
    pytest.param([], [unpinned("A", "backing-off", 1, "dp_old")], {"dp_old": {}, "dp_new": {"backing-off": 1}}, id="a past attempt does not hold a deployment"),
    pytest.param([pinned("dp_new", "running", 1)], [unpinned("A", "running", 2)], {"dp_old": {}, "dp_new": {"running": 3}}, id="pinned and unpinned add up"),
])  # fmt: skip
def test_pending(pins: list[Row], others: list[Row], expected: dict[str, dict[str, int]]) -> None:
    pending = count_pending(SEEN, pins, others)
    assert {id_: one.by_status for id_, one in pending.items()} == expected
    assert {id_: one.total for id_, one in pending.items()} == {
        id_: sum(numbers.values()) for id_, numbers in expected.items()
    }


@pytest.mark.parametrize(("latest", "pins", "expected"), [
    pytest.param({"A": "dp_old"}, [], "active", id="latest for a service"),
    pytest.param({"A": "dp_old"}, [pinned("dp_old", "paused", 1)], "active", id="latest, with work"),
    pytest.param({"A": "dp_new"}, [pinned("dp_old", "paused", 1)], "draining", id="superseded, with work"),
    pytest.param({"A": "dp_new"}, [pinned("dp_new", "paused", 1)], "drained", id="superseded, without work"),
    pytest.param({}, [], "drained", id="serves nothing"),
])  # fmt: skip
def test_state(latest: dict[str, str], pins: list[Row], expected: str) -> None:
    seen = registry(deployment("dp_old", "A"), deployment("dp_new", "A"), latest=latest)
    assert state_of(seen, "dp_old", count_pending(seen, pins, [])["dp_old"]) == expected


def test_the_newest_active_deployment_is_the_one_that_was_registered_last_among_the_active() -> None:
    seen = registry(
        deployment("dp_a", "A", day=1),
        deployment("dp_b", "B", day=2),
        deployment("dp_drained", "B", day=3),
        latest={"A": "dp_a", "B": "dp_b"},
    )
    assert seen.newest_active is not None
    assert seen.newest_active.id == "dp_b"
    assert registry(deployment("dp_a"), latest={}).newest_active is None


@pytest.mark.parametrize("url", ["http://h", "https://h:9080/base/", "http://[::1]:9080", "http://u:p@h/"])
def test_the_url_of_a_service_is_taken(url: str) -> None:
    check_service_url(url)


@pytest.mark.parametrize(("url", "code"), [
    pytest.param("arn:aws:lambda:eu-central-1:123456789012:function:f:1", "RESTATE_UNSUPPORTED", id="a Lambda"),
    pytest.param("", "RESTATE_INVALID_ARGUMENT", id="empty"),
    pytest.param("orders:9080", "RESTATE_INVALID_ARGUMENT", id="no scheme"),
    pytest.param("ftp://orders", "RESTATE_INVALID_ARGUMENT", id="another scheme"),
    pytest.param("http://", "RESTATE_INVALID_ARGUMENT", id="no host"),
    pytest.param("http://h:port", "RESTATE_INVALID_ARGUMENT", id="a port that is no number"),
    pytest.param("http://h:0", "RESTATE_INVALID_ARGUMENT", id="port 0"),
    pytest.param("http://h:99999", "RESTATE_INVALID_ARGUMENT", id="a port that is none"),
    pytest.param("http://[::1", "RESTATE_INVALID_ARGUMENT", id="a broken IPv6 address"),
    pytest.param("http://h/?a=b", "RESTATE_INVALID_ARGUMENT", id="a query, which Restate ignores"),
    pytest.param("http://h/#x", "RESTATE_INVALID_ARGUMENT", id="a fragment"),
])  # fmt: skip
def test_what_cannot_be_the_url_of_a_service_is_refused(url: str, code: str) -> None:
    with pytest.raises(OperatorError) as raised:
        check_service_url(url)
    assert raised.value.code == code
