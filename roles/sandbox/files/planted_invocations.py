# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments and invocations in each state that operators meet, planted on purpose in a blank sandbox.

| deployment | how it comes about | state afterwards |
|---|---|---|
| release-0 | registered first, one run is pinned to it, then deleted by force and shut down | gone, with a zombie |
| drained | registered before release 1 takes over, never used | drained |
| release-1 | everything else is pinned to it | draining once release 2 is registered, else active |
| release-2 | registered last, or left for a release runbook to register | active |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from restate_api import RestateApi, Row
from waiting import wait_until

DEPLOYMENTS = {
    "release-0": "release-1",
    "drained": "release-1",
    "release-1": "release-1",
    "release-2": "release-2",
}
"""The deployments that are planted, and the variant of the services that each one serves."""

_PLANTING_TIMEOUT = 30.0


@dataclass(frozen=True)
class PlantedInvocation:
    """One invocation: how it is made, and how to tell that it is in its state."""

    kind: str
    service: str
    key: str
    handler: str
    argument: object | None
    what: str
    in_state: Callable[[Row], bool]


def _failed(row: Row) -> bool:
    return row["status"] == "completed" and row.get("completion_result") == "failure"


def _succeeded(row: Row) -> bool:
    return row["status"] == "completed" and row.get("completion_result") == "success"


def _retrying(row: Row) -> bool:
    return row.get("retry_count", 0) >= 3 and "database is down" in row.get("last_failure", "")


def _paused(row: Row) -> bool:
    return bool(row["status"] == "paused")


def _waits_for_promise(row: Row) -> bool:
    return row["status"] in ("running", "suspended") and bool(row["waits"])


def _zombie(row: Row) -> bool:
    return row.get("last_failure_error_code") == "RT0011"


def _run(kind: str, key: str, mode: str, what: str, in_state: Callable[[Row], bool]) -> PlantedInvocation:
    return PlantedInvocation(kind, "OrderWorkflow", key, "run", {"mode": mode}, what, in_state)


_ZOMBIE = _run(
    "zombie", "order-1007", "wait", "its deployment was deleted while it waited", _waits_for_promise
)

_ON_RELEASE_1 = (
    _run("failed", "order-1001", "fail", "failed for good: the payment provider refused the card", _failed),
    _run("failed", "order-1002", "fail", "failed for good: the payment provider refused the card", _failed),
    _run("retrying", "order-1003", "retry", "keeps retrying: the database is down", _retrying),
    _run("waiting", "order-1004", "wait", "nothing is wrong, it waits for its approval", _waits_for_promise),
    _run("succeeded", "order-1005", "ok", "nothing is wrong, it succeeded", _succeeded),
    PlantedInvocation(
        "waiting-shared",
        "OrderWorkflow",
        "order-1006",
        "await_approval",
        None,
        "waits for the approval of an order that was never placed",
        _waits_for_promise,
    ),
    PlantedInvocation(
        "paused", "PaymentWorkflow", "payment-2001", "run", {}, "paused: the bank gateway timed out", _paused
    ),
)


def plant(
    api: RestateApi,
    urls: Mapping[str, str],
    shut_down: Callable[[str], None],
    *,
    register_release_2: bool,
) -> dict[str, Any]:
    """Plant everything in a blank server, and return once all of it is there.

    `urls` has where each of `DEPLOYMENTS` is served, `shut_down` ends the service of one. Gives what can be
    written as JSON: `deployments` by name (id, url, registered) and `invocations` by workflow key (kind,
    service, key, handler, invocation_id, deployment_id, what). Raises SandboxError when an invocation does not
    reach its state in time.
    """
    ids: dict[str, str | None] = {"release-0": api.register(urls["release-0"])}
    zombie = _submitted(api, _ZOMBIE)
    _wait_for(api, {zombie: _ZOMBIE}, str(ids["release-0"]))

    ids["drained"] = api.register(urls["drained"])
    ids["release-1"] = api.register(urls["release-1"])
    planted = {_submitted(api, one): one for one in _ON_RELEASE_1}
    _wait_for(api, planted, str(ids["release-1"]))

    api.delete_deployment(str(ids["release-0"]))
    # The open connection would carry the run on, as if the deployment were still there.
    shut_down("release-0")
    _wait_for(api, {zombie: _ZOMBIE}, str(ids["release-0"]), _zombie)

    ids["release-2"] = api.register(urls["release-2"]) if register_release_2 else None
    registered = set(api.deployments())
    return {
        "deployments": {
            name: {"id": ids[name], "url": urls[name], "registered": ids[name] in registered}
            for name in DEPLOYMENTS
        },
        "invocations": {
            one.key: _described(one, invocation_id, str(ids[release]))
            for release, invocations in (("release-0", {zombie: _ZOMBIE}), ("release-1", planted))
            for invocation_id, one in invocations.items()
        },
    }


def _submitted(api: RestateApi, invocation: PlantedInvocation) -> str:
    return api.submit(invocation.service, invocation.key, invocation.handler, invocation.argument)


def _described(invocation: PlantedInvocation, invocation_id: str, deployment_id: str) -> dict[str, str]:
    return {
        "kind": invocation.kind,
        "service": invocation.service,
        "key": invocation.key,
        "handler": invocation.handler,
        "invocation_id": invocation_id,
        "deployment_id": deployment_id,
        "what": invocation.what,
    }


def _wait_for(
    api: RestateApi,
    invocations: Mapping[str, PlantedInvocation],
    deployment_id: str,
    in_state: Callable[[Row], bool] | None = None,
) -> None:
    """Wait until each invocation is in its state (or in the one that is given), and pinned to the deployment.

    The conditions are collected over several looks: a retrying invocation reads as running now and then.
    """
    missing = dict(invocations)
    seen: dict[str, Row] = {}

    def all_reached() -> bool:
        for row in _rows(api, missing):
            seen[row["id"]] = row
            reached = in_state or missing[row["id"]].in_state
            if row.get("pinned_deployment_id") == deployment_id and reached(row):
                del missing[row["id"]]
        return not missing

    wait_until(
        f"state of {', '.join(one.key for one in invocations.values())}",
        all_reached,
        _PLANTING_TIMEOUT,
        seen=lambda: [seen.get(one, one) for one in missing],
    )


def _rows(api: RestateApi, ids: Mapping[str, PlantedInvocation]) -> list[Row]:
    listed = ", ".join(f"'{one}'" for one in ids)
    rows = api.query(
        "SELECT id, status, completion_result, retry_count, last_failure, last_failure_error_code,"
        f" pinned_deployment_id FROM sys_invocation WHERE id IN ({listed})"
    )
    # `running` alone does not tell that the promise was reached: the journal does.
    waiting = api.query(
        f"SELECT DISTINCT id FROM sys_journal WHERE id IN ({listed}) AND entry_type LIKE '%GetPromise%'"
    )
    waiting_ids = {row["id"] for row in waiting}
    return [{**row, "waits": row["id"] in waiting_ids} for row in rows]
