# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an audit log: its records, and the verdict on its chain."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import OperatorError
from .chain import Chain, read, without_outcome


@dataclass(frozen=True, kw_only=True)
class LogRequest:
    """What is wanted of a log. O(since) and O(until) are timestamps; a O(limit) of zero is none."""

    path: str
    operation: str | None = None
    actor: str | None = None
    outcome: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int = 0
    fail_if_broken: bool = False

    def __post_init__(self) -> None:
        """Raise RESTATE_INVALID_ARGUMENT for what cannot be right."""
        if self.limit < 0:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"limit must be 0 (for all) or the number of the last records that are wanted; it is {self.limit}.",
            )

    def wants(self, record: dict[str, t.Any]) -> bool:
        """Whether a record is one of those that are wanted."""
        data = record["data"]
        wanted = {"operation": self.operation, "actor": self.actor, "outcome": self.outcome}
        if any(value not in (None, data[name]) for name, value in wanted.items()):
            return False
        is_before = self.since is not None and record["time"] < self.since
        is_after = self.until is not None and record["time"] >= self.until
        return not (is_before or is_after)


def read_log(request: LogRequest) -> dict[str, t.Any]:
    """Return the result of reading a log, with an C(error) where its chain is broken and must not be.

    Raises RESTATE_AUDIT_UNAVAILABLE where it cannot be read.
    """
    chain = read(request.path)
    wanted = [record for record in chain.records if request.wants(record)]
    result = {
        "changed": False,
        "msg": sentence(chain),
        "verified": chain.broken is None,
        "broken": chain.broken,
        "torn_lines": chain.torn,
        "follows": chain.follows,
        "lines": len(chain.lines),
        "last_hash": chain.lines[-1].hash if chain.lines else "",
        "without_outcome": without_outcome(chain.records),
        "matching": len(wanted),
        "records": wanted[-request.limit :] if request.limit else wanted,
    }
    if request.fail_if_broken and chain.broken:
        error = OperatorError("RESTATE_AUDIT_UNAVAILABLE", sentence(chain), reason=chain.broken["reason"])
        result["error"] = error.to_result()
    return result


def sentence(chain: Chain) -> str:
    """Return the verdict on a log."""
    number = _count(len(chain.records), "record")
    if chain.broken:
        place = f"line {chain.broken['line']} of {chain.broken['file']}"
        return (
            f"The chain of {number} is broken: {place} is not as it was written ({chain.broken['reason']})."
        )
    notes = []
    if chain.torn:
        notes.append(f"{_count(len(chain.torn), 'half line')} left by a crash")
    open_attempts = without_outcome(chain.records)
    if open_attempts:
        notes.append(f"{_count(len(open_attempts), 'attempt')} without an outcome")
    return f"The chain of {number} is whole{'; ' + ', '.join(notes) if notes else ''}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
