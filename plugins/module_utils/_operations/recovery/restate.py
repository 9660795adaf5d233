# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give stuck workflow keys a fresh start, and lose nothing that may still be wanted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ..._errors import OperatorError
from ..._restate.ingress import IngressClient
from ..._restate.server import Restate
from ..invocations.selection import Select, select_runs
from ..invocations.termination import chunks
from ..report import Report, count, cut_off, left_behind, tally
from .observation import Workflow, read_workflow
from .plan import KeyPlan, Rules, Situation
from .recovery_run import OUTCOMES, Item, KeyResult, KeyRun, Resubmission
from .snapshots import Owed, Snapshots

_SAMPLE = 20


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """What the operator asked: one key, a list of keys, or a selection."""

    service_name: str | None = None
    service_key: str | None = None
    workflows: list[dict[str, str]] | None = None
    select: dict[str, t.Any] | None = None
    kill_active: str
    stuck_after_retries: int = 3
    clear_orphaned_state: bool = False
    snapshot_dir: str | None = None
    resubmit: str | None = None
    skip_blocked: bool

    def __post_init__(self) -> None:
        if self.resubmit and not self.snapshot_dir:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "resubmit needs snapshot_dir: what is destroyed and not yet submitted again is kept there.",
            )


class _Recovery:
    """One task: the keys in their order, and what became of each."""

    def __init__(self, restate: Restate, request: RecoveryRequest) -> None:
        self._restate = restate
        self.admin = restate.admin
        self._request = request
        self._rules = Rules(request.kill_active, request.stuck_after_retries, request.clear_orphaned_state)
        self._ingress: IngressClient | None = None
        self._snapshots: Snapshots | None = None
        self._owed: dict[tuple[str, str], Owed] = {}
        self.items: list[Item] = []
        self.asked: list[tuple[str, str]] = []
        self.left_over = 0
        self.error: OperatorError | None = None
        self.warnings: list[str] = []

    def run(self) -> None:
        """Find the keys, then recover them chunk by chunk; one key's trouble does not stop the others."""
        request = self._request
        if request.snapshot_dir:
            admin_url = self.admin.connection.shown_url
            self._snapshots = Snapshots(
                request.snapshot_dir, admin_url=admin_url, check_mode=self.admin.check_mode
            )
            if request.resubmit:
                self._owed = self._snapshots.owed()
                self._warn_of(self._snapshots.foreign)
        self.asked = self._keys()
        workflows = {
            name: read_workflow(self.admin, name) for name in dict.fromkeys(name for name, _key in self.asked)
        }
        resubmissions = {name: self._resubmission(workflow) for name, workflow in workflows.items()}
        try:
            for name, workflow in workflows.items():
                keys = [key for service, key in self.asked if service == name]
                run = KeyRun(
                    self.admin,
                    workflow,
                    self._rules,
                    snapshots=self._snapshots,
                    owed={key: owed for (service, key), owed in self._owed.items() if service == name},
                    resubmission=resubmissions[name],
                )
                for chunk in chunks(keys):
                    self._recover(run, name, chunk)
        except OperatorError as exc:
            self.error = exc
        finally:
            if self._ingress:
                self._ingress.close()

    def _warn_of(self, foreign: list[Path]) -> None:
        if foreign:
            self.warnings.append(
                f"{count(len(foreign), 'snapshot')} in snapshot_dir owe a resubmission to another admin_url, and were "
                f"left: {', '.join(str(path) for path in foreign[:_SAMPLE])}."
            )

    def _keys(self) -> list[tuple[str, str]]:
        request = self._request
        if request.select is not None:
            runs, self.left_over = select_runs(self.admin, Select.read(request.select))
            chosen = [(run.service, run.key) for run in runs]
            # What a run of this task that was cut off still owes is no longer to be found by its failure.
            wanted = request.select["service_name"]
            owed = [name for name in self._owed if wanted in (None, name[0])]
            return list(dict.fromkeys([*chosen, *owed]))
        if request.workflows is not None:
            asked = [(entry["service_name"], entry["service_key"]) for entry in request.workflows]
        else:
            asked = [(request.service_name or "", request.service_key or "")]
        if not all(name and key for name, key in asked):
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "service_name and service_key must not be empty.")
        return list(dict.fromkeys(asked))

    def _resubmission(self, workflow: Workflow) -> Resubmission | None:
        """Return how to submit again; raise before anything is touched where that cannot be done."""
        if not self._snapshots or not self._request.resubmit:
            return None
        service = workflow.service
        handlers = [handler for handler in service.handlers if handler.ty == "Workflow"] if service else []
        if not handlers or (service and service.public is False) or handlers[0].public is False:
            raise OperatorError(
                "RESTATE_UNSUPPORTED",
                f"{workflow.name} cannot be submitted through the ingress: its run handler is not registered or not "
                "public. Nothing was touched.",
                remedy="Leave out resubmit, and have its callers submit it again.",
            )
        if self._ingress is None:
            client = self._restate.ingress.connect(lambda: self.admin.version.ingress_endpoint)
            self._ingress = client
        return Resubmission(self._ingress, handlers[0].name, self._snapshots)

    def _recover(self, run: KeyRun, name: str, keys: t.Sequence[str]) -> None:
        before = len(self.items)
        try:
            run.recover(keys, self.items)
        except OperatorError as exc:
            if exc.code not in ("RESTATE_QUERY_FAILED", "RESTATE_UNEXPECTED_RESPONSE"):
                _stop_unfinished(self.items[before:], "failed", "interrupted", exc)
                raise
            _stop_unfinished(self.items[before:], "blocked", "query_failed", exc)
            looked_at = {item.key for item in self.items[before:]}
            self.items += [
                _unseen(name, key, "blocked", "query_failed", exc.message, exc.http)
                for key in keys
                if key not in looked_at
            ]


def _stop_unfinished(items: t.Iterable[Item], outcome: str, reason: str, error: OperatorError) -> None:
    for item in items:
        if item.is_in_work:
            item.result.stop(outcome, reason, error.message, http=error.http)


def _unseen(
    service: str, key: str, outcome: str, reason: str, message: str, http: dict[str, t.Any] | None = None
) -> Item:
    """Return a key that could not be looked at."""
    result = KeyResult(service, key)
    result.stop(outcome, reason, message, http=http)
    return Item(key, Situation(service, key), KeyPlan(outcome), result)


# Show


def recover_workflow(restate: Restate, request: RecoveryRequest) -> Report:
    """Bring workflow keys to where their next submission starts from nothing, or say what forbids it."""
    recovery = _Recovery(restate, request)
    recovery.run()
    looked_at = {(item.result.service_name, item.key) for item in recovery.items}
    items = recovery.items + [
        _unseen(name, key, "failed", "not_tried", "the task ended before")
        for name, key in recovery.asked
        if (name, key) not in looked_at
    ]
    if recovery.error and not restate.wrote:
        raise recovery.error
    results = [item.result for item in items]
    summary = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        summary[result.outcome] += 1
    report = Report(
        msg=_sentence(results, summary, check_mode=restate.admin.check_mode),
        subject=results[0].name if len(results) == 1 else _subject(request, len(results)),
        changed=any(result.changed for result in results),
        details={"results": [result.as_dict() for result in results], "summary": summary},
        before={item.result.name: item.seen.described() for item in items},
        after={item.result.name: item.described_after() for item in items},
        warnings=_warnings(items, recovery),
    )
    if request.select is not None:
        report.details["left_over"] = recovery.left_over
    if request.service_key is not None:
        _add_single(report, items[0])
    report.error = cut_off(report.msg, recovery.error, remedy=_REMEDIES["interrupted"]) or _error(
        report.msg, results, request
    )
    report.acknowledged = report.error is None
    return report


def _subject(request: RecoveryRequest, number: int) -> str:
    services = {entry["service_name"] for entry in request.workflows or []}
    if request.select and request.select["service_name"]:
        services = {request.select["service_name"]}
    return f"{', '.join(sorted(services)) or 'all services'}: {count(number, 'key')}"


def _add_single(report: Report, item: Item) -> None:
    result, steps = item.result, item.plan.steps
    report.details |= {"outcome": result.outcome, "steps": steps}
    if result.outcome not in ("recovered", "blank"):
        done = {("kill", each) for each in result.killed} | {("purge", each) for each in result.purged}
        if result.cleared:
            done.add(("clear_state", ""))
        report.done = [step for step in steps if (step["action"], step.get("invocation_id", "")) in done]
        report.not_done = [step for step in steps if step not in report.done]


def _error(message: str, results: list[KeyResult], request: RecoveryRequest) -> OperatorError | None:
    tolerated = ("blank", "recovered", "blocked") if request.skip_blocked else ("blank", "recovered")
    error = left_behind(
        results,
        tolerated=tolerated,
        noun="workflow",
        remedies=_REMEDIES,
        message=message if len(results) == 1 else None,
    )
    if error:
        failed = (result.http for result in results if result.outcome not in tolerated)
        error.http = next((http for http in failed if http), None)
    return error


def _warnings(items: list[Item], recovery: _Recovery) -> list[str]:
    warnings = list(recovery.warnings)
    children = [child for item in items for child in item.result.children]
    if children:
        warnings.append(
            f"The kill takes {count(len(children), 'unfinished invocation')} along that were called: "
            f"{', '.join(children[:_SAMPLE])}."
        )
    if items and not recovery.admin.version.at_least(1, 6):
        warnings += _warnings_of_1_5(items)
    kept = sum(len(item.seen.invocations) for item in items if item.result.outcome == "blank")
    if kept:
        warnings.append(
            f"{count(kept, 'completed shared invocation')} of blank keys are kept; they do not matter to the next "
            "submission."
        )
    if recovery.left_over:
        warnings.append(
            f"{count(recovery.left_over, 'more run')} match the selection: beyond select.limit, and left."
        )
    return warnings


def _warnings_of_1_5(items: list[Item]) -> list[str]:
    attempted = [
        run["id"]
        for item in items
        if (run := item.seen.run)
        and run in item.plan.kill
        and run["status"] == "invoked"
        and item.seen.retries.get(run["id"], 0) <= 1
    ]
    if not attempted:
        return []
    return [
        f"An attempt of {', '.join(attempted[:_SAMPLE])} ({count(len(attempted), 'run')}) is under way, and this "
        "server lets go of it only when the service has been silent for its inactivity_timeout (a minute by default). "
        "Before that the run is killed but not purged, since the server could not bear that the key is submitted "
        "again: then run the task again after a minute."
    ]


def _sentence(results: list[KeyResult], summary: dict[str, int], *, check_mode: bool) -> str:
    if not results:
        return "No workflow matches the selection; nothing to do."
    if len(results) == 1:
        return _sentence_of_one(results[0], check_mode=check_mode)
    would = "would be " if check_mode else ""
    parts = [f"{summary['recovered']} of {count(len(results), 'workflow')} {would}recovered"]
    resubmitted = sum(result.resubmitted is not None for result in results)
    if resubmitted:
        parts[0] += f" ({resubmitted} submitted again)"
    if summary["blank"]:
        parts.append(f"{summary['blank']} blank already")
    parts += [tally(results, outcome) for outcome in ("blocked", "failed") if summary[outcome]]
    return "; ".join(parts) + "."


def _sentence_of_one(result: KeyResult, *, check_mode: bool) -> str:
    if result.outcome == "blank":
        return f"{result.name} is blank already: the next submission starts from nothing."
    if result.outcome == "recovered" and result.resubmitted:
        verb = "would be" if check_mode else "was"
        return f"{result.name} {verb} recovered and submitted again as {result.resubmitted}."
    if result.outcome == "recovered":
        verb = "would be" if check_mode else "is"
        return (
            f"{result.name} {verb} recovered ({len(result.killed)} killed, {len(result.purged)} purged): submit it "
            "again to start it from nothing."
        )
    left = "could not be recovered fully" if result.changed else "was left"
    return f"{result.name} {left}: {result.message} (reason {result.reason})."


_REMEDIES = {
    "already_succeeded": "Nothing to recover: submit under another key, or wait until its retention is over.",
    "active_invocation": "Let it finish or resume it (restate_resume). Where it is stuck: kill_active: stuck; to "
    "give it up in any case: kill_active: any. Dry-run it first.",
    "run_unknown": "Make sure that no run of this key succeeded; then set clear_orphaned_state to true.",
    "promise_without_run": "Submit the workflow (its promise may be wanted), or use another key.",
    "input_unavailable": "Recover it without resubmit, and have its caller submit it again.",
    "snapshot_failed": "Make room in snapshot_dir or choose another, then run the task again.",
    "resubmission_failed": "Run the same task again: what is owed is in snapshot_dir.",
    "resubmission_unknown": "Find out whether it ran; then move the snapshot away, or submit its input by hand.",
    "purge_failed": "Wait a minute and run the task again: it goes on where it was.",
    "kill_failed": "Read the server's own words, then run the same task again.",
    "interrupted": "Run the same task again: it takes up what is left.",
}
