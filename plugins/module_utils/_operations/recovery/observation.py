# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workflow keys a recovery is about, and what Restate holds of them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.wire import Service
from ..invocations.termination import chunks
from .plan import Row, Situation

_DEPTH = 20
_DEFAULT_RETENTION = 86400
# As Restate writes durations, in the long and the short form; what is not known counts as nothing.
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hou": 3600, "hr": 3600, "d": 86400, "day": 86400}


@dataclass(frozen=True)
class Workflow:
    """A workflow service. O(service) is None where it is no longer registered but still has rows."""

    name: str
    run_handlers: frozenset[str]
    service: Service | None

    @property
    def retention(self) -> int:
        """For how long at least a run leaves a row when it has completed, in seconds; zero where it leaves none."""
        text = self.service.workflow_completion_retention if self.service else None
        if text is None:
            return _DEFAULT_RETENTION
        amounts: list[tuple[str, str]] = re.findall(r"(\d+)\s*([a-z]*)", text)
        return sum(int(number) * _UNITS.get(unit[:3], 0) for number, unit in amounts)


def read_workflow(admin: AdminClient, name: str) -> Workflow:
    """Return a workflow service; raise RESTATE_INVALID_ARGUMENT where there is none of that name."""
    service = admin.service(name)
    if service and service.ty != "Workflow":
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} is a {service.ty}; only the keys of a Workflow can be given a fresh start.",
        )
    if service:
        return Workflow(name, service.run_handlers, service)
    rows = admin.query(admin.sql.any_of_service(name))
    if not rows and not admin.query(admin.sql.any_state_of_service(name)):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"There is no service {name}: it is not registered, and Restate holds nothing of it.",
            remedy="Run restate_doctor and use the service's exact name.",
        )
    if rows and rows[0]["target_service_ty"] != "workflow":
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} was a {rows[0]['target_service_ty']}; only the keys of a Workflow can be given a fresh start.",
        )
    # Restate's name for it; a service that is no longer registered cannot say another.
    return Workflow(name, frozenset({"run"}), None)


def observe(admin: AdminClient, workflow: Workflow, keys: t.Sequence[str]) -> dict[str, Situation]:
    """Return, by key, all that Restate holds of each; scoped instances (1.7) are left out."""
    seen = {key: Situation(workflow.name, key, run_handlers=workflow.run_handlers) for key in keys}
    for chunk in chunks(keys):
        invocations, state, promises = admin.queries(
            admin.sql.invocations_of_keys(workflow.name, chunk),
            admin.sql.state_of_keys(workflow.name, chunk),
            admin.sql.promises_of_keys(workflow.name, chunk),
        )
        for row in invocations:
            seen[row["target_service_key"]].invocations.append(row)
        for row in state:
            seen[row["service_key"]].state.append(row["key"])
        for row in promises:
            seen[row["service_key"]].promises.append(row["key"])
    invoked = {row["id"]: key for key in keys for row in seen[key].unfinished if row["status"] == "invoked"}
    for chunk in chunks(list(invoked)):
        for row in admin.query(admin.sql.invocations(chunk)):
            seen[invoked[row["id"]]].retries[row["id"]] = row.get("retry_count", 0)
    return seen


def read_children(admin: AdminClient, parents: t.Mapping[str, str]) -> dict[str, list[str]]:
    """Return, by key, the unfinished invocations below these (id to key), which a kill takes along."""
    found: dict[str, list[str]] = {key: [] for key in parents.values()}
    level = dict(parents)
    known = set(parents)
    for _depth in range(_DEPTH):
        below: dict[str, str] = {}
        for chunk in chunks(list(level)):
            for row in admin.query(admin.sql.children(chunk)):
                if row["id"] not in known:
                    below[row["id"]] = level[row["invoked_by_id"]]
        if not below:
            break
        known |= set(below)
        for invocation_id, key in below.items():
            found[key].append(invocation_id)
        level = below
    return found


def unplanned(now: Situation, planned: t.Iterable[Row]) -> bool:
    """Whether the key's run is another than those that were planned."""
    run = now.run
    return run is not None and (run["id"], run["created_at"]) not in {
        (row["id"], row["created_at"]) for row in planned
    }
