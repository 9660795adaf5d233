# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out the fresh start of many keys of one service together."""

from __future__ import annotations

import base64
import datetime
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations import resubmission, termination
from ansible_collections.dalp.restate.plugins.module_utils._operations.snapshots import Input, Owed, Snapshots
from ansible_collections.dalp.restate.plugins.module_utils._operations.workflow_key import (
    KeyPlan,
    Rules,
    Situation,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.worklist import (
    Workflow,
    observe,
    read_children,
    unplanned,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import IngressClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.state_version import state_version

_SETTLE_SECONDS = 15
_POLL_SECONDS = 0.1


@dataclass
class KeyResult:
    """What became of a key; in check mode, what would."""

    service_name: str
    service_key: str
    outcome: str = "failed"
    reason: str | None = None
    message: str = ""
    invocation_ids: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    snapshot: str | None = None
    resubmitted: str | None = None
    resubmitted_at: str | None = None

    @property
    def name(self) -> str:
        """Service and key."""
        return f"{self.service_name}/{self.service_key}"

    @property
    def changed(self) -> bool:
        """Whether anything was done to the key."""
        return bool(self.killed or self.purged or self.cleared or self.resubmitted)

    def stop(self, outcome: str, reason: str, message: str, invocation_ids: t.Sequence[str] = ()) -> None:
        """Say that the key was left, or left half-way, and why."""
        self.outcome, self.reason, self.message = outcome, reason, message
        self.invocation_ids = list(invocation_ids)

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it."""
        return dict(vars(self))


@dataclass
class Item:
    """A key in work: what was seen, what is planned, what became of it."""

    key: str
    seen: Situation
    plan: KeyPlan
    result: KeyResult
    owed: Owed | None = None
    input: Input | None = None
    after: Situation | None = None

    @property
    def is_in_work(self) -> bool:
        """Whether the key is to be, or was, recovered."""
        return self.result.outcome == "recovered"

    @property
    def born(self) -> str:
        """When the run that the snapshot is of was created."""
        if self.owed:
            return str(self.owed.content["created_at"])
        return str(self.seen.run["created_at"]) if self.seen.run else ""


@dataclass(frozen=True)
class Resubmission:
    """How inputs are submitted again."""

    ingress: IngressClient
    handler: str
    snapshots: Snapshots


class KeyRun:
    """Recovers keys of one workflow, in chunks that keep memory bounded."""

    def __init__(
        self,
        admin: AdminClient,
        workflow: Workflow,
        rules: Rules,
        *,
        snapshots: Snapshots | None = None,
        owed: t.Mapping[str, Owed] | None = None,
        resubmission: Resubmission | None = None,
    ) -> None:
        self._admin = admin
        self._workflow = workflow
        self._rules = rules
        self._snapshots = snapshots
        self._owed = owed or {}
        self._resubmission = resubmission

    def recover(self, keys: t.Sequence[str], items: list[Item]) -> None:
        """Recover these keys and add each to O(items), as soon as it was looked at."""
        admin = self._admin
        seen = observe(admin, self._workflow, keys)
        mine = [self._item(key, seen[key]) for key in keys]
        items += mine
        self._note_children(mine)
        if self._snapshots:
            self._keep(mine, self._snapshots)
        if admin.check_mode:
            for item in mine:
                self._foresee(item)
            return
        self._kill(mine)
        self._purge(mine)
        self._clear_state(mine)
        self._verify(mine)
        if self._resubmission:
            self._resubmit(mine, self._resubmission)

    # Plan

    def _item(self, key: str, seen: Situation) -> Item:
        plan = make_plan(seen, self._rules)
        result = KeyResult(
            self._workflow.name, key, plan.outcome, plan.reason, plan.explanation, plan.invocation_ids
        )
        item = Item(key, seen, plan, result)
        owed = self._owed.get(key)
        if owed and self._resubmission:
            self._settle(item, owed, self._resubmission.snapshots)
        return item

    def _settle(self, item: Item, owed: Owed, snapshots: Snapshots) -> None:
        """Take up what a run of the task that was cut off left to do for this key."""
        run = item.seen.run
        if run and run["created_at"] == owed.content["created_at"]:
            # It was cut off before the purge.
            return
        if run:
            # It was cut off after the submission, or somebody else submitted it.
            if not self._admin.check_mode:
                born = {"invocation_id": run["id"], "created_at": run["created_at"]}
                snapshots.close(self._workflow.name, item.key, owed.content["created_at"], born)
            if item.plan.outcome == "blocked":
                item.plan = KeyPlan("recovered")
                item.result = KeyResult(self._workflow.name, item.key, "recovered")
                item.result.message = "was submitted again already"
                item.result.resubmitted, item.result.resubmitted_at = run["id"], run["created_at"]
        elif item.plan.outcome == "blank":
            if owed.was_sent and self._workflow.forgets_completed_runs:
                item.result.stop(
                    "blocked",
                    "resubmission_unknown",
                    "whether its input was submitted again before is unknown, since its runs leave no trace: "
                    f"see {owed.path}",
                )
                return
            item.owed, item.input = owed, owed.input
            item.result.snapshot = str(snapshots.path(self._workflow.name, item.key, item.born))
            item.plan = KeyPlan("recovered")
            item.result.outcome = "recovered"

    def _note_children(self, items: list[Item]) -> None:
        parents = {row["id"]: item.key for item in items if item.is_in_work for row in item.plan.kill}
        if parents:
            children = read_children(self._admin, parents)
            for item in items:
                item.result.children = children.get(item.key, [])

    # Keep

    def _keep(self, items: list[Item], snapshots: Snapshots) -> None:
        """Write the snapshots of what is to be destroyed; a key whose snapshot cannot be written is left."""
        admin, name = self._admin, self._workflow.name
        going = [item for item in items if item.is_in_work and item.plan.steps]
        runs = {item.seen.run["id"]: item for item in going if item.seen.run}
        inputs = resubmission.read_inputs(admin, list(runs)) if runs else {}
        for invocation_id, item in runs.items():
            item.input = inputs.get(invocation_id)
        if self._resubmission:
            for item in going:
                if item.input is None:
                    ids = [row["id"] for row in item.seen.invocations]
                    item.result.stop("blocked", "input_unavailable", "its input is no longer retained", ids)
        going = [item for item in going if item.is_in_work]
        state, promises = self._read_contents([item.key for item in going])
        for item in going:
            item.result.snapshot = str(snapshots.path(name, item.key, item.born))
            if admin.check_mode:
                continue
            content = {
                "service_name": name,
                "service_key": item.key,
                "taken_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
                "created_at": item.born,
                "run_id": item.seen.run["id"] if item.seen.run else None,
                "failure": item.seen.run.get("completion_failure") if item.seen.run else None,
                "input": _as_json(item.input),
                "state": state.get(item.key, {}),
                "promises": promises.get(item.key, []),
                "invocations": item.seen.invocations,
            }
            try:
                snapshots.write(content, item.born, owes_resubmission=self._resubmission is not None)
            except OSError as exc:
                item.result.snapshot = None
                item.result.stop("blocked", "snapshot_failed", f"its snapshot could not be written: {exc}")

    def _read_contents(
        self, keys: list[str]
    ) -> tuple[dict[str, dict[str, str]], dict[str, list[dict[str, t.Any]]]]:
        """Return, by key, the state (values in base64) and the promises."""
        state: dict[str, dict[str, str]] = {}
        promises: dict[str, list[dict[str, t.Any]]] = {}
        sql, name = self._admin.sql, self._workflow.name
        for chunk in termination.chunks(keys):
            for row in self._admin.query(sql.state_values(name, chunk)):
                value = base64.b64encode(bytes.fromhex(row.get("value", ""))).decode()
                state.setdefault(row["service_key"], {})[row["key"]] = value
            for row in self._admin.query(sql.promise_values(name, chunk)):
                promises.setdefault(row["service_key"], []).append(row)
        return state, promises

    # Check mode

    def _foresee(self, item: Item) -> None:
        item.after = item.seen
        if not item.is_in_work:
            return
        result = item.result
        result.killed = [row["id"] for row in item.plan.kill]
        result.purged = [row["id"] for row in item.plan.purge]
        result.cleared = sorted(item.seen.state) if item.plan.clear_state else []
        if item.plan.steps:
            item.after = Situation(self._workflow.name, item.key)
        if self._resubmission and item.input is not None:
            # The id of a workflow's run is a function of its service and key.
            result.resubmitted = (
                item.owed.content["run_id"] if item.owed else str(item.seen.run and item.seen.run["id"])
            )

    # Apply

    def _kill(self, items: list[Item]) -> None:
        planned = [row for item in items if item.is_in_work for row in item.plan.kill]
        killed = termination.kill(self._admin, planned) if planned else set()
        for item in items:
            item.result.killed = [row["id"] for row in item.plan.kill if row["id"] in killed]

    def _purge(self, items: list[Item]) -> None:
        """Purge the runs, and then, of the keys whose run is gone, the rest."""
        working = [item for item in items if item.is_in_work]
        runs = {item.seen.run["id"] for item in working if item.seen.run}
        for of_run in (True, False):
            planned = [
                row
                for item in working
                if item.is_in_work
                for row in item.plan.purge
                if (row["id"] in runs) is of_run
            ]
            purged = termination.purge(self._admin, planned, runs=runs) if planned else termination.Purged()
            for item in working:
                for row in item.plan.purge:
                    if row["id"] in purged.done:
                        item.result.purged.append(row["id"])
                    elif row["id"] in purged.succeeded:
                        item.result.stop(
                            "blocked", "already_succeeded", "its run succeeded meanwhile", [row["id"]]
                        )
                    elif row["id"] in purged.refused:
                        item.result.stop("blocked", "purge_failed", purged.refused[row["id"]], [row["id"]])

    def _clear_state(self, items: list[Item]) -> None:
        """Clear orphaned state if it is still what is read now and no run has come meanwhile.

        Never after a purge of a run: that has cleared the state, and what is there then is another run's.
        """
        for item in items:
            if not (item.is_in_work and item.plan.clear_state):
                continue
            rows = self._admin.query(self._admin.sql.state_values(self._workflow.name, [item.key]))
            entries = {row["key"]: bytes.fromhex(row.get("value", "")) for row in rows}
            now = observe(self._admin, self._workflow, [item.key])[item.key]
            if now.invocations or now.promises:
                ids = [row["id"] for row in now.invocations]
                item.result.stop("blocked", "active_invocation", "it was submitted meanwhile", ids)
            elif entries:
                self._admin.clear_state(self._workflow.name, item.key, state_version(entries))
                item.result.cleared = sorted(entries)

    def _verify(self, items: list[Item]) -> None:
        """Read until nothing of what was planned is left."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        for item in items:
            item.after = item.seen
        left = [item for item in items if item.plan.steps and (item.is_in_work or item.result.changed)]
        while left:
            now = observe(self._admin, self._workflow, [item.key for item in left])
            for item in left:
                item.after = now[item.key]
            left = [item for item in left if item.is_in_work and _is_left(item, now[item.key])]
            if left and time.monotonic() >= deadline:
                for item in left:
                    ids = [row["id"] for row in now[item.key].invocations]
                    item.result.stop(
                        "blocked", "purge_failed", "some of it is still there after the purge", ids
                    )
                return
            if left:
                time.sleep(_POLL_SECONDS)

    # Resubmit

    def _resubmit(self, items: list[Item], how: Resubmission) -> None:
        name = self._workflow.name
        sent: dict[str, Item] = {}
        for item in items:
            if not item.is_in_work or item.input is None or item.result.resubmitted:
                continue
            how.snapshots.submitting(name, item.key, item.born)
            try:
                run_id = resubmission.submit(
                    self._admin, how.ingress, (name, item.key, how.handler), item.input
                )
            except OperatorError as exc:
                item.result.stop(
                    "failed",
                    "resubmission_failed",
                    f"it is blank, but could not be submitted again: {exc.message}",
                )
                continue
            sent[run_id] = item
        births = resubmission.read_births(self._admin, list(sent)) if sent else {}
        for run_id, item in sent.items():
            born = births.get(run_id)
            if born == item.born or (born is None and not self._workflow.forgets_completed_runs):
                item.result.stop(
                    "failed",
                    "resubmission_failed",
                    f"the ingress took its input as {run_id}, but this Restate shows no new run: is ingress_url "
                    "its own?",
                    [run_id],
                )
                continue
            item.result.resubmitted, item.result.resubmitted_at = run_id, born
            how.snapshots.close(name, item.key, item.born, {"invocation_id": run_id, "created_at": born})


def _is_left(item: Item, now: Situation) -> bool:
    planned = {(row["id"], row["created_at"]) for row in item.plan.purge}
    if any((row["id"], row["created_at"]) in planned for row in now.invocations):
        return True
    # A run that was submitted meanwhile has state and promises of its own.
    return not unplanned(now, item.plan.purge) and bool(now.state or now.promises)


def _as_json(content: Input | None) -> dict[str, t.Any] | None:
    if content is None:
        return None
    return {"payload": base64.b64encode(content.payload).decode(), "headers": content.headers}
