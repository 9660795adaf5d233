# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give stuck workflow keys a fresh start, and lose nothing that may still be wanted."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report, count
from ansible_collections.dalp.restate.plugins.module_utils._operations.termination import kill, planned_one
from ansible_collections.dalp.restate.plugins.module_utils._operations.workflow_key import (
    KeyPlan,
    Row,
    Rules,
    Situation,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.plugins.module_utils._restate.state_version import state_version

_CHUNK = 500
_SETTLE_SECONDS = 15
_POLL_SECONDS = 0.1
_DEPTH = 20


@dataclass(frozen=True)
class RecoveryRequest:
    """What the operator asked."""

    service_name: str
    service_key: str
    kill_active: str
    stuck_after_retries: int
    clear_orphaned_state: bool


@dataclass
class KeyResult:
    """What became of a key; in check mode, what would."""

    service_name: str
    service_key: str
    outcome: str
    reason: str | None = None
    message: str = ""
    invocation_ids: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    http: dict[str, t.Any] | None = None

    def block(
        self, reason: str, message: str, invocation_ids: list[str], http: dict[str, t.Any] | None = None
    ) -> None:
        """Say that the key was left, or left half-way, and why; O(http) is the request that failed."""
        self.outcome, self.reason, self.message, self.invocation_ids = (
            "blocked",
            reason,
            message,
            invocation_ids,
        )
        self.http = http

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as the result shows it; the request that failed is shown with the error."""
        return {name: value for name, value in vars(self).items() if name != "http"}


def recover_workflow(restate: Restate, request: RecoveryRequest) -> Report:
    """Bring a workflow key to where the next submission starts from nothing, or say what forbids it."""
    admin = restate.admin
    if not request.service_name or not request.service_key:
        raise OperatorError("RESTATE_INVALID_ARGUMENT", "service_name and service_key must not be empty.")
    rules = Rules(request.kill_active, request.stuck_after_retries, request.clear_orphaned_state)
    subject = f"{request.service_name}/{request.service_key}"
    report = Report(msg="", subject=subject)
    result = KeyResult(request.service_name, request.service_key, "blocked")
    plan = KeyPlan("blocked")
    try:
        run_handlers = _run_handlers(admin, request.service_name)
        seen = observe(admin, request.service_name, [request.service_key], run_handlers)[request.service_key]
        plan = make_plan(seen, rules)
        report.before = report.after = {subject: seen.described()}
        result.outcome, result.reason, result.message = plan.outcome, plan.reason, plan.explanation
        result.invocation_ids = plan.invocation_ids
        result.children = _children(admin, plan.kill)
        after = (
            _foreseen(seen, plan, result)
            if admin.check_mode
            else _Recovery(admin, seen, plan, result).carry_out()
        )
        report.after = {subject: after.described()}
        report.warnings += _warnings(seen, result)
        if not admin.version.at_least(1, 6):
            report.warnings += _warnings_of_1_5(seen, plan)
    except OperatorError as exc:
        if exc.code not in ("RESTATE_QUERY_FAILED", "RESTATE_UNEXPECTED_RESPONSE") and not admin.wrote:
            raise
        result.block("query_failed", exc.message, result.invocation_ids, exc.http)
    _finish(report, plan, result, check_mode=admin.check_mode)
    return report


# Observe


def _run_handlers(admin: AdminClient, name: str) -> frozenset[str]:
    """Return the names of the service's run handlers; raise RESTATE_INVALID_ARGUMENT unless it is a Workflow."""
    service = admin.service(name)
    if service and service.ty != "Workflow":
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} is a {service.ty}; only the keys of a Workflow can be given a fresh start.",
        )
    if service:
        return service.run_handlers
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
    return frozenset({"run"})


def observe(
    admin: AdminClient, service: str, keys: t.Sequence[str], run_handlers: frozenset[str]
) -> dict[str, Situation]:
    """Return, by key, all that Restate holds of each; scoped instances (1.7) are left out."""
    seen = {key: Situation(service, key, run_handlers=run_handlers) for key in keys}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        for row in admin.query(admin.sql.invocations_of_keys(service, chunk)):
            seen[row["target_service_key"]].invocations.append(row)
        for row in admin.query(admin.sql.state_of_keys(service, chunk)):
            seen[row["service_key"]].state.append(row["key"])
        for row in admin.query(admin.sql.promises_of_keys(service, chunk)):
            seen[row["service_key"]].promises.append(row["key"])
    invoked = {row["id"]: key for key in keys for row in seen[key].unfinished if row["status"] == "invoked"}
    ids = list(invoked)
    for start in range(0, len(ids), _CHUNK):
        for row in admin.query(admin.sql.invocations(ids[start : start + _CHUNK])):
            seen[invoked[row["id"]]].retries[row["id"]] = row.get("retry_count", 0)
    return seen


def _children(admin: AdminClient, rows: list[Row]) -> list[str]:
    """Return the unfinished invocations below these, which a kill takes along."""
    found: list[str] = []
    parents = [row["id"] for row in rows]
    for _level in range(_DEPTH):
        if not parents:
            break
        parents = [row["id"] for row in admin.query(admin.sql.children(parents)) if row["id"] not in found]
        found += parents
    return found


def _foreseen(seen: Situation, plan: KeyPlan, result: KeyResult) -> Situation:
    """Fill in the result as L(_Recovery) would, and return what would be there afterwards."""
    if plan.outcome != "recovered":
        return seen
    result.killed = [row["id"] for row in plan.kill]
    result.purged = [row["id"] for row in plan.purge]
    result.cleared = list(seen.state) if plan.clear_state else []
    return Situation(seen.service, seen.key)


# Apply and verify


class _Recovery:
    """Carries out the plan of one key, and reads before each step that could hit another than what was planned."""

    def __init__(self, admin: AdminClient, seen: Situation, plan: KeyPlan, result: KeyResult) -> None:
        self._admin = admin
        self._seen = seen
        self._plan = plan
        self._result = result

    def carry_out(self) -> Situation:
        """Kill, purge or clear, and return what is there afterwards."""
        if self._plan.outcome != "recovered":
            return self._seen
        for row in self._plan.kill:
            if kill(self._admin, row):
                self._result.killed.append(row["id"])
        for row in self._plan.purge:
            if not self._purge(row):
                return self._read()
        if self._plan.clear_state:
            self._clear_state()
        return self._verify()

    def _read(self) -> Situation:
        return observe(self._admin, self._seen.service, [self._seen.key], self._seen.run_handlers)[
            self._seen.key
        ]

    def _purge(self, planned: Row) -> bool:
        """Purge, unless it is gone or is another now; return False where the key is blocked by it."""
        if planned is self._seen.run and not self._is_let_go(planned):
            self._result.block(
                "purge_failed", "an attempt of its killed run is still under way", [planned["id"]]
            )
            return False
        deadline = time.monotonic() + _SETTLE_SECONDS
        tries_left = self._admin.connection.retries
        answer_was_lost = False
        while True:
            now = planned_one(self._admin, planned)
            if now is None:
                if answer_was_lost:
                    self._result.purged.append(planned["id"])
                return True
            has_succeeded = now["status"] == "completed" and now.get("completion_result") != "failure"
            if has_succeeded and planned is self._seen.run:
                self._result.block("already_succeeded", "its run succeeded meanwhile", [planned["id"]])
                return False
            try:
                self._admin.purge(planned["id"])
            except OperatorError as exc:
                if exc.status == 409 and self._plan.kill and time.monotonic() < deadline:
                    # A kill is applied at once where the leader answers; a stale read may still say otherwise.
                    time.sleep(_POLL_SECONDS)
                    continue
                if exc.outcome_unknown and tries_left:
                    answer_was_lost = True
                    time.sleep(self._admin.connection.back_off(tries_left))
                    tries_left -= 1
                    continue
                self._result.block("purge_failed", exc.message, [planned["id"]], exc.http)
                return False
            self._result.purged.append(planned["id"])
            return True

    def _is_let_go(self, run: Row) -> bool:
        """Wait until no attempt of the run is under way, on servers where another run could meet it.

        1.5.3 aborts an attempt of what was killed only once the service is silent for its inactivity_timeout (a minute
        by default). A run that is submitted after a purge has the same id, and the partition that is asked to start it
        before that panics, and stays down.
        """
        if self._admin.version.at_least(1, 6):
            return True
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._admin.query(self._admin.sql.held_by_invoker([run["id"]])):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _clear_state(self) -> None:
        """Clear orphaned state if it is still what is read now and no run has come meanwhile."""
        rows = self._admin.query(self._admin.sql.state_values(self._seen.service, self._seen.key))
        entries = {row["key"]: bytes.fromhex(row.get("value", "")) for row in rows}
        now = self._read()
        if now.invocations or now.promises:
            self._result.block(
                "active_invocation", "it was submitted meanwhile", [row["id"] for row in now.invocations]
            )
            return
        if entries:
            self._admin.clear_state(self._seen.service, self._seen.key, state_version(entries))
            self._result.cleared = sorted(entries)

    def _verify(self) -> Situation:
        """Read until nothing of what was planned is left, and return what is there."""
        planned = {(row["id"], row["created_at"]) for row in self._plan.purge}
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            now = self._read()
            left = [row["id"] for row in now.invocations if (row["id"], row["created_at"]) in planned]
            # A run that was submitted meanwhile has state and promises of its own.
            orphaned = not now.run and (now.state or now.promises)
            if not left and not orphaned:
                return now
            if time.monotonic() >= deadline:
                if self._result.outcome != "blocked":
                    self._result.block("purge_failed", "some of it is still there after the purge", left)
                return now
            if self._result.outcome == "blocked":
                return now
            time.sleep(_POLL_SECONDS)


# Show


def _warnings_of_1_5(seen: Situation, plan: KeyPlan) -> list[str]:
    run = seen.run
    if (
        run is None
        or run not in plan.kill
        or run["status"] != "invoked"
        or seen.retries.get(run["id"], 0) > 1
    ):
        return []
    return [
        f"An attempt of {run['id']} is under way, and this server lets go of it only when the service has been silent "
        "for its inactivity_timeout (a minute by default). Before that the run is killed but not purged, since the "
        "server could not bear that the key is submitted again: then run the task again after a minute."
    ]


def _warnings(seen: Situation, result: KeyResult) -> list[str]:
    warnings = []
    if result.children:
        warnings.append(
            f"The kill takes {count(len(result.children), 'unfinished invocation')} along that it called: "
            f"{', '.join(result.children[:20])}."
        )
    if result.outcome == "blank" and seen.invocations:
        warnings.append(
            f"{count(len(seen.invocations), 'completed shared invocation')} of the key are kept; they do not matter "
            "to the next submission."
        )
    return warnings


def _finish(report: Report, plan: KeyPlan, result: KeyResult, *, check_mode: bool) -> None:
    summary = {"blank": 0, "recovered": 0, "blocked": 0}
    summary[result.outcome] += 1
    report.details = {
        "results": [result.as_dict()],
        "summary": summary,
        "outcome": result.outcome,
        "steps": plan.steps,
    }
    report.changed = bool(result.killed or result.purged or result.cleared)
    report.acknowledged = result.outcome != "blocked"
    name = report.subject
    if result.outcome == "blocked":
        report.msg = f"{name} was left: {result.message} (reason {result.reason})."
        if report.changed:
            report.msg = f"{name} could not be recovered fully: {result.message} (reason {result.reason})."
        report.error = OperatorError(
            "RESTATE_WORKFLOW_RETRY_BLOCKED",
            report.msg,
            remedy=_REMEDIES.get(result.reason or ""),
            reason=result.reason,
            invocation_ids=result.invocation_ids,
            http=result.http,
        )
        done = {("kill", one) for one in result.killed} | {("purge", one) for one in result.purged}
        if result.cleared:
            done.add(("clear_state", ""))
        report.done = [step for step in plan.steps if (step["action"], step.get("invocation_id", "")) in done]
        report.not_done = [step for step in plan.steps if step not in report.done]
    elif result.outcome == "blank":
        report.msg = f"{name} is blank already: the next submission starts from nothing."
    else:
        verb = "would be" if check_mode else "is"
        report.msg = (
            f"{name} {verb} recovered ({len(result.killed)} killed, {len(result.purged)} purged): submit it again to "
            "start it from nothing."
        )


_REMEDIES = {
    "already_succeeded": "Nothing to recover: submit under another key, or wait until its retention is over.",
    "active_invocation": "Let it finish or resume it. Where it is stuck: kill_active: stuck; to give it up in any "
    "case: kill_active: any. Dry-run it first.",
    "run_unknown": "Make sure that no run of this key succeeded; then set clear_orphaned_state to true.",
    "purge_failed": "Wait a minute and run the task again: it goes on where it was.",
    "promise_without_run": "Submit the workflow (its promise may be wanted), or use another key.",
}
