# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recoveries: by the module, with and without resubmission, and by the playbook recover_failed."""

from __future__ import annotations

from random import Random
from typing import Any

from waiting import SandboxError

from tests.integration.cluster import Truth
from tests.integration.cluster_work import failed_payments, paused_payments, wait_for_truth
from tests.integration.kills import Moment
from tests.integration.recovery_claims import pending_snapshots, wrong_of_recovery
from tests.integration.server import Server
from tests.proof.playbook_results import playbook_results
from tests.proof.work import Attempt, Work, choose

_BATCH = "/internal/invocations_batch_operations"
_PURGE = ("POST", f"{_BATCH}/purge$", 1)
_SETTLED = (None, "already_succeeded")


class Recovery(Work):
    """Runs that failed, or are paused, get a fresh start, and are not submitted again."""

    name = "recovery"

    def prepare(self) -> None:
        self.keys = failed_payments(self.cluster, 100)

    def moment(self, random: Random) -> Moment:
        return choose(random, _PURGE)

    def attempt(self, server: Server, admin_url: str) -> Attempt:
        result = server.task("recover_workflow", workflows=self.keys, admin_url=admin_url, **self.options())
        before, now = self.look()
        wrong = wrong_of_recovery(result, before, now, self.folder if self.resubmits() else None)
        is_done = bool(result.get("results")) and all(
            each["reason"] in _SETTLED for each in result["results"]
        )
        return Attempt(is_done, result["msg"], wrong)

    def wrong_at_end(self) -> list[str]:
        return [f"{seen.key}: is there" for seen in self.truths[-1].invocations.values()]

    def options(self) -> dict[str, Any]:
        return {}

    def resubmits(self) -> bool:
        return "resubmit" in self.options()


class RecoveryOfPaused(Recovery):
    """Runs that are paused are killed and purged."""

    name = "recovery of paused runs"

    def prepare(self) -> None:
        self.keys = paused_payments(self.cluster, 100)

    def moment(self, random: Random) -> Moment:
        return choose(random, ("POST", f"{_BATCH}/kill$", 1), _PURGE)

    def options(self) -> dict[str, Any]:
        return {"kill_active": "stuck"}


class Resubmission(Recovery):
    """Runs that failed are purged and submitted again."""

    name = "recovery with resubmission"

    def options(self) -> dict[str, Any]:
        return {
            "snapshot_dir": str(self.folder),
            "resubmit": "original_input",
            # what the first attempt submitted has succeeded by now
            "skip_blocked": True,
        }

    def wrong_at_end(self) -> list[str]:
        return _wrong_of_resubmissions(self)


class RecoverFailed(Work):
    """The playbook: runs that are paused go on, runs that failed are submitted again."""

    name = "recover_failed"
    tasks = 4

    def prepare(self) -> None:
        failed_payments(self.cluster, 40)
        self.cluster.services.put("release-1", "release-1")
        paused_payments(self.cluster, 20, "paused")
        self.cluster.services.put("release-1", "release-2")

    def moment(self, random: Random) -> Moment:
        return choose(random, _PURGE, ("PATCH", "/resume$", 15))

    def attempt(self, server: Server, admin_url: str) -> Attempt:
        connection = {f"restate_{name}": value for name, value in server.connection.items()}
        variables = {
            **connection,
            "restate_admin_url": admin_url,
            "restate_snapshot_dir": str(self.folder),
            "restate_resubmit": "original_input",
            "restate_limit": 100,
            "restate_skip_blocked": True,
        }
        status, results = playbook_results("recover_failed", self.folder, variables)
        before, now = self.look()
        nothing: dict[str, Any] = {"changed": False, "results": []}
        resumed = results.get("dalp.restate.restate_resume", nothing)
        recovered = results.get("dalp.restate.restate_recover_workflow", nothing)
        wrong = wrong_of_recovery(recovered, before, now, self.folder)
        wrong += _wrong_of_resume(resumed, before, now)
        message = " / ".join(str(each.get("msg", "")) for each in (resumed, recovered))
        return Attempt(status == 0, message, wrong)

    def wrong_at_end(self) -> list[str]:
        return _wrong_of_resubmissions(self)


def _wrong_of_resume(result: dict[str, Any], before: Truth, after: Truth) -> list[str]:
    claimed = {each["invocation_id"]: each["outcome"] for each in result.get("results", [])}
    unsure = str([result.get(name) for name in ("unknown", "msg", "error", "warnings")])
    wrong = []
    for invocation_id, seen in before.invocations.items():
        now = after.invocations.get(invocation_id)
        if not seen.is_paused or now is None:
            continue
        is_told = claimed.get(invocation_id) == "resumed"
        if is_told and now.is_paused:
            wrong.append(f"{seen.key}: is said to be resumed, and is paused")
        if not now.is_paused and not is_told and invocation_id not in unsure:
            wrong.append(f"{seen.key}: goes on, which is not said")
    return wrong


def _wrong_of_resubmissions(work: Work) -> list[str]:
    """Each run that failed was submitted again exactly once, and all have succeeded."""
    first = work.truths[0]
    wrong: list[str] = []
    try:
        end = wait_for_truth(work.cluster, "all succeeded", _all_succeeded)
    except SandboxError:
        end = work.truths[-1]
        wrong.append("not all that is there has succeeded")
    for run, seen in first.invocations.items():
        found = [truth.invocations[run] for truth in (*work.truths, end) if run in truth.invocations]
        times = {each.created_at for each in found}
        if run not in end.invocations:
            wrong.append(f"{seen.key}: is lost")
        elif len(times) != (2 if seen.result == "failure" else 1):
            wrong.append(f"{seen.key}: was submitted {len(times)} times in all")
    return wrong + [f"{key}: its snapshot is open" for _service, key in pending_snapshots(work.folder)]


def _all_succeeded(truth: Truth) -> bool:
    return all(seen.result == "success" for seen in truth.invocations.values())
