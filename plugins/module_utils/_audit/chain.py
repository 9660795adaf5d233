# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an audit log, and holding its chain against what was written."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import OperatorError
from .log import FIRST, is_record, line_hash, rotated


@dataclass(frozen=True)
class Line:
    """A line of a log. O(record) is None where it is none."""

    file: str
    number: int
    hash: str
    record: dict[str, t.Any] | None

    @property
    def place(self) -> dict[str, t.Any]:
        """Return where it stands."""
        return {"file": self.file, "line": self.number}


@dataclass
class Chain:
    """What a log says of itself.

    O(broken) is the first line that is not as it was written, with the reason: V(reordered), V(not_a_record) or
    V(edited_or_followed_by_removed_lines), which the chain cannot tell apart. O(torn) are half lines that a
    crash left and the log went on after; they break nothing.
    """

    lines: list[Line] = field(default_factory=list)
    broken: dict[str, t.Any] | None = None
    torn: list[dict[str, t.Any]] = field(default_factory=list)
    follows: str = FIRST

    @property
    def records(self) -> list[dict[str, t.Any]]:
        """All records, in their order."""
        return [line.record for line in self.lines if line.record is not None]


def read(path: str) -> Chain:
    """Return a log with the files it was rotated to, verified; raise RESTATE_AUDIT_UNAVAILABLE if it cannot be read."""
    log = Path(path)
    chain = Chain()
    try:
        for file in [*rotated(log), log]:
            for number, line in enumerate(file.read_bytes().splitlines(), start=1):
                record = json.loads(line) if is_record(line) else None
                chain.lines.append(Line(str(file), number, line_hash(line), record))
    except OSError as exc:
        raise OperatorError(
            "RESTATE_AUDIT_UNAVAILABLE", f"The audit log {path} cannot be read: {exc.strerror or exc}."
        ) from exc
    _verify(chain)
    return chain


def _verify(chain: Chain) -> None:
    places = {line.hash: index for index, line in enumerate(chain.lines)}
    for index, line in enumerate(chain.lines):
        before = chain.lines[index - 1] if index else None
        if line.record is None:
            follower = chain.lines[index + 1] if index + 1 < len(chain.lines) else None
            is_torn = follower is None or (follower.record or {}).get("previoushash") == line.hash
            if is_torn:
                chain.torn.append(line.place)
            elif chain.broken is None:
                chain.broken = {**line.place, "reason": "not_a_record"}
            continue
        previous = line.record.get("previoushash")
        if before is None:
            chain.follows = str(previous or FIRST)
        elif previous != before.hash and chain.broken is None:
            chain.broken = _why(line, before, previous, places)


def _why(line: Line, before: Line, previous: t.Any, places: dict[str, int]) -> dict[str, t.Any]:
    if previous in places:
        # The line that it followed stands elsewhere now.
        return {**line.place, "reason": "reordered"}
    return {**before.place, "reason": "edited_or_followed_by_removed_lines"}


def without_outcome(records: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the records of attempts that began to write and whose end was never recorded."""
    ended = {record["data"]["attempt"] for record in records if record["data"]["outcome"] != "attempted"}
    return [
        record
        for record in records
        if record["data"]["outcome"] == "attempted" and record["data"]["attempt"] not in ended
    ]
