# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying a cleanup out, or predicting it, in the same words."""

from __future__ import annotations

import time
import typing as t

from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.wire import Deployment, Service
from ..deployments.registry import STALE_READ_SECONDS, Registry, read_pending
from ..invocations import migration
from ..invocations.termination import Terminated, kill
from ..report import count
from .plan import ASSUMED_ID, CleanupRequest, Observed, Plan, left

_SAMPLE = 20
_CANCEL_SECONDS = 5


class Run:
    """Carries a plan out, or predicts it, in the same words."""

    def __init__(self, admin: AdminClient, request: CleanupRequest, plan: Plan, observed: Observed) -> None:
        self._admin = admin
        self._request = request
        self._plan = plan
        self._observed = observed
        self._waiting = list(plan.candidates)
        self._offer: migration.Offer | None = None
        self.steps: list[dict[str, t.Any]] = []
        self.removed: list[str] = []
        self.migrated: list[str] = []
        self.cancelled: list[str] = []
        self.killed: list[str] = []
        self.abandoned: list[str] = []
        self.stuck: dict[str, dict[str, list[str]]] = {}
        self.warnings: list[str] = []
        self.error: OperatorError | None = None
        self._is_unsure = False

    # In check mode

    def predict(self) -> None:
        """Fill in what L(carry_out) would do; what depends on the wait is said to be conditional."""
        conditional = 0
        for deployment in list(self._waiting):
            pending = self._observed.pending[deployment.id]
            if not pending.total:
                self._plan_step("remove", deployment)
                self._note_removed(deployment)
            elif self._request.drain_timeout:
                self._plan_step("wait_then_remove", deployment, conditional=True)
                self._note_removed(deployment)
                conditional += 1
            elif self._request.force_drain:
                self._predict_forced(deployment)
            else:
                self._plan_step("wait_then_remove", deployment)
        if conditional:
            rest = (
                f"what is still pending then: {self._request.pending}"
                if self._request.force_drain
                else "what is still pending then makes the task fail with RESTATE_DRAIN_TIMEOUT"
            )
            self.warnings.append(
                f"{count(conditional, 'deployment')} must drain first: this holds if they do so within "
                f"{self._request.drain_timeout} s; {rest}."
            )
        self._finish()

    def _predict_forced(self, deployment: Deployment) -> None:
        rows = self._unfinished_on(deployment)
        self._plan_step(f"{self._request.pending}_then_remove", deployment)
        ids = [row["id"] for row in rows]
        if self._request.pending == "migrate":
            split = migration.split(rows, self._offered(), move_paused=self._request.migrate_paused)
            self.migrated += [row["id"] for row in split.movable]
            if split.left:
                self.stuck[deployment.id] = split.left
                return
        else:
            self._by_disposal()[self._request.pending].extend(ids)
        self._note_removed(deployment)

    # For real

    def carry_out(self) -> None:
        """Remove what is drained, wait for the rest, and do with what is left as was asked."""
        for deployment in self._waiting:
            drained = not self._observed.pending[deployment.id].total
            self._plan_step("remove" if drained else "wait_then_remove", deployment)
        try:
            self._drain()
            if self._request.force_drain:
                for deployment in list(self._waiting):
                    self._force(deployment)
            self._finish()
        except OperatorError as exc:
            self.error = exc
            self._note_interrupted()

    def _note_interrupted(self) -> None:
        """Say of what still waits that it was not come to, unless it was told already why it stays."""
        told = {entry["deployment_id"] for entry in self._plan.remaining}
        self._plan.remaining += [
            left(deployment, next(iter(self.stuck.get(deployment.id, {})), "interrupted"))
            for deployment in self._waiting
            if deployment.id not in told
        ]

    def _drain(self) -> None:
        deadline = time.monotonic() + self._request.drain_timeout
        pause = 0.5
        while True:
            registry = Registry.read(self._admin)
            pending = read_pending(self._admin, registry)
            for deployment in list(self._waiting):
                if deployment.id not in pending or not pending[deployment.id].total:
                    self._remove(deployment)
            left = deadline - time.monotonic()
            if not self._waiting or left <= 0:
                return
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, 5.0)

    def _force(self, deployment: Deployment) -> None:
        how = self._request.pending
        step = next(step for step in self.steps if step["deployment_id"] == deployment.id)
        step["action"] = f"{how}_then_remove"
        rows = self._unfinished_on(deployment)
        if how == "migrate":
            self._migrate(deployment, rows)
        elif how == "cancel":
            self._cancel(rows)
            self._wait_until_drained(deployment)
        elif how == "kill":
            self._kill(deployment, rows)
        self._remove(deployment, abandon=how == "abandon")

    def _cancel(self, rows: migration.Rows) -> None:
        for row in rows:
            if self._admin.cancel(row["id"]):
                self.cancelled.append(row["id"])

    def _kill(self, deployment: Deployment, rows: migration.Rows) -> None:
        result = Terminated()
        try:
            kill(self._admin, rows, result)
        finally:
            self.killed += [row["id"] for row in rows if row["id"] in result.done]
        if result.refused:
            self.stuck[deployment.id] = {"kill_failed": list(result.refused)}
            self.warnings += [
                f"{invocation_id} was not killed: {why}" for invocation_id, why in result.refused.items()
            ]

    def _migrate(self, deployment: Deployment, rows: migration.Rows) -> None:
        split = migration.split(rows, self._offered(), move_paused=self._request.migrate_paused)
        if split.movable and not self._admin.version.at_least(1, 6):
            split.left["migrate_unsupported"] = [row["id"] for row in split.movable]
            split.movable = []
        if split.movable:
            result = migration.move(self._admin, split.movable, self._plan.kept.id)
            self.migrated += result.moved
            self._is_unsure |= result.is_unknown
            if result.failed:
                split.left["migration_failed"] = list(result.failed)
                self.warnings += [
                    f"{invocation_id} was not moved: {why}" for invocation_id, why in result.failed.items()
                ]
            self._warn_of_mismatches(result)
        if split.left:
            self.stuck[deployment.id] = split.left

    def _warn_of_mismatches(self, result: migration.Moved) -> None:
        if result.mismatched:
            self.warnings.append(
                f"{count(len(result.mismatched), 'moved invocation')} met a journal mismatch (RT0016), since the kept "
                f"release takes other steps than the one they began on: {', '.join(result.mismatched[:_SAMPLE])}."
            )

    def _wait_until_drained(self, deployment: Deployment) -> None:
        deadline = time.monotonic() + max(self._request.drain_timeout, _CANCEL_SECONDS)
        while time.monotonic() < deadline and self._unfinished_on(deployment):
            time.sleep(0.2)

    def _remove(self, deployment: Deployment, *, abandon: bool = False) -> None:
        """Delete a deployment, unless what was read just before forbids it."""
        registry = Registry.read(self._admin)
        pending = read_pending(self._admin, registry).get(deployment.id)
        if pending is None:
            self._waiting.remove(deployment)
            return
        if pending.total and not abandon:
            return
        others = {
            service.name
            for other in registry.deployments
            if other.id != deployment.id
            for service in other.services
        }
        latest = registry.latest_at(deployment.id)
        if any(name in others or not self._request.allow_service_removal for name in latest):
            self.stuck[deployment.id] = {"became_latest": []}
            return
        abandoned = [row["id"] for row in self._unfinished_on(deployment)] if abandon else []
        self._admin.delete_deployment(deployment.id)
        self._note_removed(deployment)
        self.abandoned += abandoned
        self._wait_until_gone(deployment)
        self._look_for_zombies(deployment, set(abandoned))

    def _wait_until_gone(self, deployment: Deployment) -> None:
        deadline = time.monotonic() + STALE_READ_SECONDS
        while any(other.id == deployment.id for other in self._admin.deployments()):
            if time.monotonic() >= deadline:
                raise OperatorError(
                    "RESTATE_UNEXPECTED_RESPONSE",
                    f"{deployment.id} was deleted, but the server still lists it.",
                    deployment_ids=[deployment.id],
                )
            time.sleep(0.5)

    def _look_for_zombies(self, deployment: Deployment, expected: set[str]) -> None:
        """Find what got pinned between the last count and the delete, and move it where that is possible."""
        rows = self._admin.query(self._admin.sql.unfinished_on(deployment.id, ()))
        rows = [row for row in rows if row["id"] not in expected]
        if not rows:
            return
        left = [row["id"] for row in rows]
        if self._admin.version.at_least(1, 6):
            split = migration.split(rows, self._offered(), move_paused=False)
            result = migration.move(self._admin, split.movable, self._plan.kept.id)
            self.migrated += result.moved
            self._warn_of_mismatches(result)
            left = [invocation_id for invocation_id in left if invocation_id not in result.moved]
        if left:
            self.warnings.append(
                f"{count(len(left), 'invocation')} got pinned to {deployment.id} while it was deleted and cannot go on "
                f"(RT0011): {', '.join(left[:_SAMPLE])}. Resume them on the latest deployment."
            )

    # For both

    def _unfinished_on(self, deployment: Deployment) -> migration.Rows:
        latest = self._observed.registry.latest_at(deployment.id)
        return self._admin.query(self._admin.sql.unfinished_on(deployment.id, latest))

    def _ids_on(self, deployment: Deployment) -> list[str]:
        return [row["id"] for row in self._unfinished_on(deployment)]

    def _offered(self) -> migration.Offer:
        """Return what the kept deployment serves, by its own revision of each service."""
        if self._offer is None:
            kept = self._plan.kept.id
            latest = self._observed.registry.latest.values()
            services: t.Iterable[Service] = [service for service in latest if service.deployment_id == kept]
            if kept != ASSUMED_ID and not self._request.assume_registered:
                detail = self._admin.deployment(kept)
                services = detail.services if detail else ()
            self._offer = {
                service.name: frozenset(handler.name for handler in service.handlers) for service in services
            }
        return self._offer

    def _plan_step(self, action: str, deployment: Deployment, **more: t.Any) -> None:
        pending = self._observed.pending[deployment.id]
        step = {"action": action, "deployment_id": deployment.id, "service_url": deployment.shown_url}
        self.steps.append({**step, "pending_invocations": pending.total, **more})

    def _note_removed(self, deployment: Deployment) -> None:
        self.removed.append(deployment.id)
        self._waiting.remove(deployment)

    def _by_disposal(self) -> dict[str, list[str]]:
        return {"cancel": self.cancelled, "kill": self.killed, "abandon": self.abandoned}

    def _finish(self) -> None:
        """Say what is left of the plan and why, and fail for it."""
        if not self._waiting:
            return
        reasons = set()
        samples: list[str] = []
        parts = []
        for deployment in self._waiting:
            reasons_here = self.stuck.get(deployment.id) or {"drain_timeout": self._ids_on(deployment)}
            reasons |= set(reasons_here)
            ids = [invocation_id for ids in reasons_here.values() for invocation_id in ids]
            samples += ids
            self._plan.remaining.append(
                left(
                    deployment,
                    next(iter(reasons_here)),
                    pending_invocations=len(ids),
                    invocation_ids=ids[:_SAMPLE],
                )
            )
            parts.append(
                f"{deployment.id} at {deployment.shown_url} ({len(ids)} pending, {', '.join(reasons_here)})"
            )
        reason = min(reasons) if len(reasons) == 1 else "several"
        self.error = OperatorError(
            "RESTATE_DRAIN_TIMEOUT",
            f"{count(len(parts), 'deployment')} could not be removed after {self._request.drain_timeout} s: "
            f"{'; '.join(parts)}.",
            remedy=_REMEDIES.get(reason, ""),
            reason=reason,
            invocation_ids=samples[:_SAMPLE],
            deployment_ids=[deployment.id for deployment in self._waiting],
        )

    @property
    def changed(self) -> bool:
        """Whether anything was done, would be in check mode, or may have been where an answer was lost."""
        may_have = self.error is not None and self.error.outcome_unknown
        return (
            may_have
            or self._is_unsure
            or bool(self.removed or self.migrated or self.cancelled or self.killed)
        )

    @property
    def done(self) -> list[dict[str, t.Any]]:
        """The steps that were carried out."""
        return (
            []
            if self._admin.check_mode
            else [step for step in self.steps if step["deployment_id"] in self.removed]
        )

    @property
    def not_done(self) -> list[dict[str, t.Any]]:
        """The steps that were not."""
        return [step for step in self.steps if step not in self.done]

    def shown(self, plan: Plan) -> dict[str, t.Any]:
        """Return the result's own keys."""
        kept = {"service_url": plan.kept.shown_url}
        if plan.kept.id != ASSUMED_ID:
            kept["deployment_id"] = plan.kept.id
        return {
            "kept": kept,
            "removed": self.removed,
            "remaining": plan.remaining,
            "migrated": self.migrated,
            "cancelled": self.cancelled,
            "killed": self.killed,
            "abandoned": self.abandoned,
            "steps": self.steps,
        }

    def sentence(self) -> str:
        """Return what happened, in one sentence."""
        kept = self._plan.kept.shown_url
        if not self._plan.candidates:
            return f"Nothing to remove: {kept} is kept, {count(len(self._plan.remaining), 'other deployment')} stay."
        would = "Would remove" if self._admin.check_mode else "Removed"
        parts = [f"{would} {count(len(self.removed), 'deployment')}"]
        for verb, ids in (
            ("migrated", self.migrated),
            ("cancelled", self.cancelled),
            ("killed", self.killed),
            ("abandoned", self.abandoned),
        ):
            if ids:
                parts.append(f"{count(len(ids), 'invocation')} {verb}")
        return f"{', '.join(parts)}; {kept} is kept."


_REMEDIES = {
    "paused_invocations": "They may have been paused on purpose: resume them, or set migrate_paused to true.",
    "handler_not_served": "Keep this deployment, or let the work finish: the kept one does not serve its handler.",
    "became_latest": "Another release was registered meanwhile: run restate_doctor.",
}
