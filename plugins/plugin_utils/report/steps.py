# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was planned, and what became of it: the steps of a run, and the writes of each."""

from __future__ import annotations

import typing as t

from ..summary import Result, Run, Step
from .page import BAD, GOOD, INFO, QUIET, WARN, Block, Card, Cell, Folded, Listing, Section, Table, Text, Word
from .texts import count

_MOST_WRITES = 200
_MOST_IDS = 200
_WORDS = {
    "register": "register",
    "overwrite": "register again",
    "apply_settings": "set the settings of",
    "remove": "remove",
    "wait_then_remove": "remove once drained",
    "migrate_then_remove": "move what pends, then remove",
    "cancel_then_remove": "cancel what pends, then remove",
    "kill_then_remove": "kill what pends, then remove",
    "abandon_then_remove": "abandon what pends, and remove",
    "clear_state": "clear the state",
}
_SUBJECTS = ("service_url", "deployment_id", "invocation_id", "workflow", "service")
_MOVED = {
    "migrated": "Moved to the kept deployment",
    "cancelled": "Cancelled",
    "killed": "Killed",
    "abandoned": "Left without a deployment",
}


def steps_of(run: Run) -> Section | None:
    """Return what each step was to do and did; None for a runbook that only examines."""
    cards = [_card(run, step) for step in run.steps if not _is_silent(step)]
    if not cards:
        return None
    title = "What would be done" if run.is_dry else "What was planned, and what became of it"
    return Section("done", title, cards)


def _is_silent(step: Step) -> bool:
    """Whether there is nothing to tell of a step: an examination, or a look that refused nothing."""
    looked = "check" in step.name and not step.has_failed
    return "findings" in step.result or looked


def _card(run: Run, step: Step) -> Card:
    if not step.has_run:
        why = f"Not tried, since {run.failed[0].name} failed." if run.failed else "Nothing asked for it."
        return Card(step.name, Word("not tried", WARN if run.failed else QUIET), [Text(why)])
    blocks: list[Block] = [Text(step.message, BAD if step.has_failed else "")]
    warnings = [str(each) for each in step.result.get("warnings") or []]
    if step.result.get("changed_reason"):
        warnings.insert(0, str(step.result["changed_reason"]))
    blocks += [Listing(warnings)] if warnings else []
    blocks += _writes(step)
    blocks += [
        Folded(f"{title}: {count(len(ids), 'invocation')}", [Listing(_shortened(ids))])
        for name, title in _MOVED.items()
        if (ids := step.result.get(name))
    ]
    return Card(step.name, word_of(step), blocks)


def word_of(step: Step) -> Word:
    """Return how a step ended, in a word."""
    if step.has_failed:
        outcome = step.result.get("audit", {}).get("data", {}).get("outcome")
        return Word("refused" if outcome == "refused" else "failed", BAD)
    if not step.result.get("changed"):
        return Word("nothing to do")
    return Word("would change", INFO) if step.is_dry else Word("changed", GOOD)


def _shortened(ids: t.Sequence[str]) -> list[str]:
    more = len(ids) - _MOST_IDS
    return [*ids[:_MOST_IDS], *([f"and {more:,} more; the result names all"] if more > 0 else [])]


def _writes(step: Step) -> list[Block]:
    """Return the writes of the plan, each with what became of it."""
    writes = step.result.get("steps") or []
    rows: list[list[Cell]] = [[_sentence(each), became(step, each)] for each in writes[:_MOST_WRITES]]
    if not rows:
        return []
    column = "The real run" if step.is_dry else "What became of it"
    more = len(writes) - len(rows)
    note: list[Block] = [Text(f"and {count(more, 'more write')}; the result names all.")] if more > 0 else []
    return [Table("Writes, in their order", ("Planned", column), rows), *note]


def _sentence(write: Result) -> str:
    action = str(write.get("action"))
    subject = " ".join(str(write[name]) for name in _SUBJECTS if write.get(name))
    pending = write.get("pending_invocations")
    held = f" ({pending:,} pending)" if pending else ""
    return f"{_WORDS.get(action, action.replace('_', ' '))} {subject}{held}".strip()


def became(step: Step, write: Result) -> Word:
    """Return what became of a planned write; of a dry run, what would."""
    told = _of_deployment(step, write) if write.get("deployment_id") else None
    if told:
        return told
    if step.is_dry:
        if_drained = write.get("conditional") and not step.has_failed
        return Word("would be done if it drains in time", WARN) if if_drained else _unless_failed(step)
    if not step.has_failed:
        return Word("done", GOOD)
    if write in step.result.get("done", []):
        return Word("done", GOOD)
    if write in step.result.get("unknown", []):
        return Word("unknown: no answer tells", BAD)
    return Word("not done", WARN)


def _unless_failed(step: Step) -> Word:
    return Word("would not be done", WARN) if step.has_failed else Word("would be done", INFO)


def _of_deployment(step: Step, write: Result) -> Word | None:
    """Return what became of a deployment that was to go, where the result names it."""
    id_, result = write["deployment_id"], step.result
    stays = next((each for each in result.get("remaining") or [] if each["deployment_id"] == id_), None)
    if stays:
        return Word(f"{'would stay' if step.is_dry else 'stays'}: {stays['reason']}", WARN)
    if id_ in (result.get("already_gone") or []):
        return Word("somebody else had removed it")
    if id_ in (result.get("removed") or []) and not step.is_dry:
        return Word("done", GOOD)
    return None
