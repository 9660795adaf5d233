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

SAMPLE = 20
"""How many ids an error, a warning or a finding names at most; lists in results are whole."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of an operation, derived from its plan and journal.

    O(details) are the operation's own result keys; O(before) and O(after) are the diff. With an O(error) the task
    fails, and still shows the rest. O(done), O(unknown) and O(not_done) are the plan's steps by what became of them.
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
    done: t.Sequence[dict[str, t.Any]] = ()
    unknown: t.Sequence[dict[str, t.Any]] = ()
    not_done: t.Sequence[dict[str, t.Any]] = ()

    @property
    def before_digest(self) -> str:
        """Tells what was there before from anything else."""
        return digest(self.before)

    @property
    def after_digest(self) -> str:
        """Tells what was there after from anything else."""
        return digest(self.after)

    def to_result(self, *, wrote: bool) -> dict[str, t.Any]:
        """Return the result of the task; O(wrote) says whether any write call was sent."""
        result: dict[str, t.Any] = {
            "changed": self.changed,
            "msg": self.message,
            "diff": {"before": self.before, "after": self.after},
            **self.details,
        }
        if self.error:
            result["msg"] = f"{self.error.message} What to do: {self.error.remedy}"
            result["error"] = self.error.to_result()
            if wrote:
                result |= {"done": list(self.done), "not_done": list(self.not_done)}
                if self.unknown:
                    result["unknown"] = list(self.unknown)
        elif self.is_write:
            result["acknowledged"] = True
        return result


def digest(content: t.Any) -> str:
    """Return the SHA-256 of the content as canonical JSON, in hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def cut_off(message: str, error: OperatorError | None, *, remedy: str = "") -> OperatorError | None:
    """Return what ended the task half-way, with how far it had come (O(message)); None where nothing did."""
    if error is None:
        return None
    return OperatorError(
        error.code,
        f"{message} The task was cut off: {error.message}",
        remedy=f"{error.remedy} {remedy}".rstrip(),
        reason="interrupted",
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
