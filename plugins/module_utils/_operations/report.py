# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation tells its caller, in check mode and out of it."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from .._errors import OperatorError
from .journal import DONE, NOT_DONE, UNKNOWN

Step = dict[str, t.Any]
StepsByState = t.Mapping[str, list[Step]]

FEW = 100
"""Of how many subjects a result always has a diff; of more it has one where it is asked for."""
SAMPLE = 20
"""How many ids an error, a warning or a finding names at most; lists in results are whole."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of an operation, derived from its plan and journal.

    O(details) are the operation's own result keys; O(before) and O(after) are the diff. With an O(error) the task
    fails, and still shows the rest.
    """

    message: str
    subject: str
    changed: bool
    details: dict[str, t.Any]
    before: dict[str, t.Any] = field(default_factory=dict)
    after: dict[str, t.Any] = field(default_factory=dict)
    warnings: t.Sequence[str] = ()
    error: OperatorError | None = None
    is_write: bool = True
    """Whether the operation is one that writes, and so is acknowledged where it succeeds."""
    steps: StepsByState = field(default_factory=dict)
    """The plan's steps by what became of them: DONE, UNKNOWN or NOT_DONE."""

    @property
    def before_digest(self) -> str:
        """Tells what was there before from anything else."""
        return digest(self.before)

    @property
    def after_digest(self) -> str:
        """Tells what was there after from anything else."""
        return digest(self.after)

    def to_result(self, *, wrote: bool, with_diff: bool) -> dict[str, t.Any]:
        """Return the result of the task, O(with_diff) where one is asked for; O(wrote) says whether any call wrote."""
        result: dict[str, t.Any] = {"changed": self.changed, "msg": self.message, **self.details}
        if with_diff or len(self.before) <= FEW:
            result["diff"] = {"before": self.before, "after": self.after}
        if self.error:
            result["msg"] = f"{self.error.message} What to do: {self.error.remedy}"
            result["error"] = self.error.to_result()
            if wrote:
                result |= {DONE: self.steps.get(DONE, []), NOT_DONE: self.steps.get(NOT_DONE, [])}
                if self.steps.get(UNKNOWN):
                    result[UNKNOWN] = self.steps[UNKNOWN]
        elif self.is_write:
            result["acknowledged"] = True
        return result


def by_state(steps: t.Iterable[tuple[Step, str | None]]) -> StepsByState:
    """Return steps by what became of them; what was not come to was not done."""
    sorted_: dict[str, list[Step]] = {DONE: [], UNKNOWN: [], NOT_DONE: []}
    for step, state in steps:
        sorted_[state or NOT_DONE].append(step)
    return sorted_


def digest(content: t.Any) -> str:
    """Return the SHA-256 of the content as canonical JSON, in hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def cut_off(message: str, error: OperatorError | None, *, remedy: str = "") -> OperatorError | None:
    """Return what ended the task half-way, with how far it had come (O(message)); None where nothing did."""
    if error is None or error.code == "RESTATE_PLAN_CHANGED":
        # It had not begun then.
        return error
    return OperatorError(
        error.code,
        f"{message} The task was cut off: {error.message}",
        remedy=f"{error.remedy} {remedy}".rstrip(),
        reason=error.reason if error.code == "RESTATE_INTERRUPTED" else "interrupted",
        invocation_ids=error.invocation_ids,
        http=error.http,
        outcome_unknown=error.outcome_unknown,
    )


def count(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural where it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sample(ids: t.Iterable[str]) -> str:
    """Return the first ids, as a sentence names them."""
    return ", ".join(list(ids)[:SAMPLE])
