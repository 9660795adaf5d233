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

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.ingress import IngressClient
from ..._restate.state_version import state_version
from ..invocations import termination
from . import resubmission
from .observation import Workflow, observe, read_children, unplanned
from .plan import KeyPlan, Row, Rules, Situation, make_plan
from .snapshots import Input, Owed, Snapshots, digest

_SETTLE_SECONDS = 15
_POLL_SECONDS = 0.1


OUTCOMES = ("blank", "recovered", "blocked", "failed")


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
    http: dict[str, t.Any] | None = None

    @property
    def name(self) -> str:
        """Service and key."""
        return f"{self.service_name}/{self.service_key}"

    @property
    def changed(self) -> bool:
        """Whether anything was done to the key."""
        return bool(self.killed or self.purged or self.cleared or self.resubmitted)

    def stop(
        self,
        outcome: str,
        reason: str,
        message: str,
        invocation_ids: t.Sequence[str] = (),
        http: dict[str, t.Any] | None = None,
    ) -> None:
        """Say that the key was left, or left half-way, and why; O(http) is the request that failed."""
        self.outcome, self.reason, self.message, self.http = outcome, reason, message, http
        self.invocation_ids = list(invocation_ids)

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it; the request that failed is shown with the error."""
        return {name: value for name, value in vars(self).items() if name != "http"}


@dataclass
class Item:
    """A key in work: what was seen, what is planned, what became of it.

    O(after) is what is there now, or None where that is unknown: something was sent, and not read again since.
    """

    key: str
    seen: Situation
    plan: KeyPlan
    result: KeyResult
    owed: Owed | None = None
    input: Input | None = None
    after: Situation | None = field(init=False)

    def __post_init__(self) -> None:
        self.after = self.seen

    @property
    def is_in_work(self) -> bool:
        """Whether the key is to be, or was, recovered."""
        return self.result.outcome == "recovered"

    @property
    def born(self) -> str:
        """When the run that the snapshot is of was created."""
        if self.owed:
            return self.owed.created_at
        return str(self.seen.run["created_at"]) if self.seen.run else ""

    @property
    def is_run_gone(self) -> bool:
        """Whether the run was destroyed, so that its resubmission is owed."""
        run = self.seen.run
        if run is None:
            return True
        # One that never began is gone once it was killed.
        return run["id"] in (self.result.purged if run in self.plan.purge else self.result.killed)

    def described_after(self) -> dict[str, t.Any]:
        """Return what is there now as a diff shows it; what is unknown is said to be unknown."""
        if self.after is None:
            return {"unknown": "the task was cut off before it could read this again"}
        shown = self.after.described()
        return {**shown, "resubmitted": self.result.resubmitted} if self.result.resubmitted else shown


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
        self._lost_ingress: OperatorError | None = None

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
        for item in mine:
            if item.is_in_work and item.plan.steps:
                item.after = None
        try:
            self._kill(mine)
            self._purge(mine)
            self._clear_state(mine)
            self._verify(mine)
            if self._resubmission:
                self._resubmit(mine, self._resubmission)
                self._forgive(mine, self._resubmission.snapshots)
        finally:
            if self._snapshots:
                self._show_snapshots(mine, self._snapshots)

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
        if run and run["created_at"] == owed.created_at:
            # It was cut off before the purge.
            item.input = owed.input
        elif run:
            self._settle_resubmitted(item, run, owed, snapshots)
        elif item.plan.outcome == "blank":
            age = datetime.datetime.now(datetime.UTC) - owed.taken_at
            if owed.was_sent and age.total_seconds() >= self._workflow.retention:
                item.result.stop(
                    "blocked",
                    "resubmission_unknown",
                    "whether its input was submitted again before is unknown, since its run would leave no trace by "
                    f"now: see {owed.path}",
                )
                return
            item.owed, item.input = owed, owed.input
            item.result.snapshot = str(snapshots.path(self._workflow.name, item.key, owed.created_at))
            item.plan = KeyPlan("recovered")
            item.result.outcome = "recovered"

    def _settle_resubmitted(self, item: Item, run: Row, owed: Owed, snapshots: Snapshots) -> None:
        """Note that it was cut off after the submission, or that somebody else submitted it."""
        has_failed = run["status"] == "completed" and run.get("completion_result") == "failure"
        if item.plan.outcome == "blocked" or not has_failed:
            # Also where it might be killed: that was asked of the run before it.
            item.plan = KeyPlan("recovered")
            item.result = KeyResult(self._workflow.name, item.key, "recovered")
            item.result.message = "was submitted again already"
            item.result.resubmitted, item.result.resubmitted_at = run["id"], run["created_at"]
        if not self._admin.check_mode:
            self._close(item, owed.created_at, snapshots, run["id"], run["created_at"])

    def _close(
        self, item: Item, created_at: str, snapshots: Snapshots, run_id: str, born: str | None
    ) -> None:
        """Note that nothing is owed any more. Where that fails, the run that is there tells the next task the same."""
        try:
            snapshots.close(
                self._workflow.name, item.key, created_at, {"invocation_id": run_id, "created_at": born}
            )
        except OSError as exc:
            item.result.message = f"its snapshot could not be closed: {exc}"

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
            item.input = inputs.get(invocation_id) or item.input
        if self._resubmission:
            for item in going:
                if item.input is None:
                    ids = [row["id"] for row in item.seen.invocations]
                    item.result.stop("blocked", "input_unavailable", "its input is no longer retained", ids)
        going = [item for item in going if item.is_in_work]
        state, promises = self._read_contents([item.key for item in going])
        for item in going:
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
            # Without a run, what is kept tells one snapshot of a key from another.
            kept_as = item.born or digest({**content, "taken_at": None})
            item.result.snapshot = str(snapshots.path(name, item.key, kept_as))
            if admin.check_mode:
                continue
            try:
                snapshots.write(content, kept_as, owes_resubmission=self._resubmission is not None)
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
            result.resubmitted = item.owed.run_id if item.owed else str(item.seen.run and item.seen.run["id"])

    # Apply

    def _kill(self, items: list[Item]) -> None:
        planned = [row for item in items if item.is_in_work for row in item.plan.kill]
        killed = termination.Terminated()
        try:
            if planned:
                termination.kill(self._admin, planned, killed)
        finally:
            for item in items:
                item.result.killed = [row["id"] for row in item.plan.kill if row["id"] in killed.done]
        for item in items:
            refused = [row["id"] for row in item.plan.kill if row["id"] in killed.refused]
            if refused:
                words = killed.refused[refused[0]]
                item.result.stop("blocked", "kill_failed", words, refused, killed.http)

    def _purge(self, items: list[Item]) -> None:
        """Purge the runs, and then, of the keys whose run is gone, the rest."""
        self._wait_until_let_go(items)
        working = [item for item in items if item.is_in_work]
        runs = {item.seen.run["id"] for item in working if item.seen.run}
        for of_run in (True, False):
            planned = {
                row["id"]: row
                for item in working
                if item.is_in_work
                for row in item.plan.purge
                if (row["id"] in runs) is of_run
            }
            purged = termination.Terminated()
            try:
                if planned:
                    termination.purge(self._admin, list(planned.values()), purged, runs=runs)
            finally:
                for item in working:
                    item.result.purged += [row["id"] for row in item.plan.purge if row["id"] in purged.done]
            for item in working:
                _stop_unpurged(item, purged)

    def _wait_until_let_go(self, items: list[Item]) -> None:
        """Wait until no attempt of the runs is under way, on servers where another run could meet it.

        1.5.3 aborts an attempt of what was killed only once the service is silent for its inactivity_timeout (a minute
        by default). A run that is submitted after a purge has the same id, and the partition that is asked to start it
        before that panics, and stays down. A key whose run is still held after a while is left half-way.
        """
        if self._admin.version.at_least(1, 6):
            return
        deadline = time.monotonic() + _SETTLE_SECONDS
        runs = {
            run["id"]: item
            for item in items
            if item.is_in_work and (run := item.seen.run) and run in item.plan.purge
        }
        while runs:
            held = {
                row["id"]
                for chunk in termination.chunks(list(runs))
                for row in self._admin.query(self._admin.sql.held_by_invoker(chunk))
            }
            runs = {run_id: item for run_id, item in runs.items() if run_id in held}
            if runs and time.monotonic() >= deadline:
                for run_id, item in runs.items():
                    why = "an attempt of its killed run is still under way"
                    item.result.stop("blocked", "purge_failed", why, [run_id])
                return
            if runs:
                time.sleep(_POLL_SECONDS)

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
        left = [item for item in items if item.after is None]
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
        sent: dict[str, Item] = {}
        try:
            for item in items:
                if item.is_in_work and item.input is not None and not item.result.resubmitted:
                    run_id = self._submit(item, item.input, how)
                    if run_id:
                        sent[run_id] = item
                        item.after = None
            births = resubmission.read_births(self._admin, list(sent)) if sent else {}
        except OperatorError:
            # What was sent is not proved yet: the snapshots still say that it may have been.
            for run_id, item in sent.items():
                item.result.resubmitted = run_id
            raise
        for run_id, item in sent.items():
            item.after = Situation(self._workflow.name, item.key)
            born = births.get(run_id)
            if born == item.born or (born is None and self._workflow.retention):
                item.result.stop(
                    "failed",
                    "resubmission_failed",
                    f"the ingress took its input as {run_id}, but this Restate shows no new run: is ingress_url "
                    "its own?",
                    [run_id],
                )
                continue
            item.result.resubmitted, item.result.resubmitted_at = run_id, born
            self._close(item, item.born, how.snapshots, run_id, born)

    def _submit(self, item: Item, content: Input, how: Resubmission) -> str | None:
        """Submit a key's input, and return the id of its run; None, and why in the result, where that failed."""
        name, result = self._workflow.name, item.result
        failed = "it is blank, but could not be submitted again: "
        if self._lost_ingress:
            # Where it is gone or takes nothing from us, every other submission would wait for the same.
            result.stop("failed", "resubmission_failed", failed + self._lost_ingress.message)
            return None
        try:
            how.snapshots.submitting(name, item.key, item.born)
            return resubmission.submit(self._admin, how.ingress, (name, item.key, how.handler), content)
        except OSError as exc:
            result.stop("failed", "resubmission_failed", f"{failed}its snapshot could not be renamed: {exc}")
        except OperatorError as exc:
            result.stop("failed", "resubmission_failed", failed + exc.message, http=exc.http)
            if exc.outcome_unknown:
                item.after = None
            elif not (item.owed and item.owed.was_sent):
                self._note_unsent(item, how.snapshots)
            if exc.status is None or exc.status in (401, 403, 429):
                self._lost_ingress = exc
        return None

    def _note_unsent(self, item: Item, snapshots: Snapshots) -> None:
        try:
            snapshots.unsent(self._workflow.name, item.key, item.born)
        except OSError as exc:
            item.result.message += f"; its snapshot still says that it may have been: {exc}"

    def _forgive(self, items: list[Item], snapshots: Snapshots) -> None:
        """Take back what the snapshots say is owed for keys whose run was left: it may yet succeed."""
        for item in items:
            if item.result.outcome == "blocked" and item.result.snapshot and not item.is_run_gone:
                try:
                    snapshots.forgive(self._workflow.name, item.key, item.born)
                except OSError as exc:
                    item.result.message += f"; its snapshot still says that a resubmission is owed: {exc}"

    def _show_snapshots(self, items: list[Item], snapshots: Snapshots) -> None:
        """Name the files as they are called now: while a resubmission is owed, that shows."""
        for item in items:
            if item.result.snapshot and item.born:
                item.result.snapshot = str(snapshots.existing(self._workflow.name, item.key, item.born))


def _stop_unpurged(item: Item, purged: termination.Terminated) -> None:
    for row in item.plan.purge:
        if row["id"] in purged.succeeded:
            item.result.stop("blocked", "already_succeeded", "its run succeeded meanwhile", [row["id"]])
        elif row["id"] in purged.refused:
            words = purged.refused[row["id"]]
            item.result.stop("blocked", "purge_failed", words, [row["id"]], purged.http)


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
