# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has become of a plan: what was done, what was not, and of what that is unknown."""

from __future__ import annotations

import contextlib
import datetime
import functools
import typing as t
from dataclasses import dataclass, field

from .. import _timestamps
from .._errors import OperatorError

DONE = "done"
NOT_DONE = "not_done"
UNKNOWN = "unknown"
"""It was sent, and no answer tells whether it was carried out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of an action on a subject (the id of a deployment or an invocation, or a workflow key).

    O(reason) and O(message) tell why it was not done, O(http) is the request that failed, and O(facts) are what else
    was learned.
    """

    action: str
    state: str
    reason: str = ""
    message: str = ""
    http: dict[str, t.Any] | None = None
    facts: dict[str, t.Any] = field(default_factory=dict)


@functools.cache
def _done(action: str) -> Entry:
    """Return the entry that thousands of subjects share, however many are noted at a time."""
    return Entry(action, DONE)


class Journal:
    """Is only ever appended to. Of several entries of one action on one subject the last one holds.

    In check mode a plan's prediction is the journal that applying it would leave (O(is_prediction)).
    """

    def __init__(self, *, is_prediction: bool = False) -> None:
        self.is_prediction = is_prediction
        self._last: dict[str, dict[str, Entry]] = {}
        self._sent_at: dict[str, dict[str, datetime.datetime]] = {}
        self.seen_after: dict[str, t.Any] = {}
        """What was read again after the work, by subject; a subject that was not read again is absent."""
        self._learned: dict[str, dict[str, t.Any]] = {}
        self.begun: set[str] = set()
        """The subjects that work has begun on, whatever has become of it."""
        self.services: dict[str, str] = {}
        """The service of each invocation that was to be written to, as far as its impact is reported."""
        self.warnings: list[str] = []
        self.ended_by: OperatorError | None = None
        """What ended the task before its end."""

    # Writing

    def sending(self, action: str, subjects: t.Iterable[str]) -> None:
        """Note that a write is about to be sent: until its answer is noted, what became of it is unknown."""
        subjects = list(subjects)
        self._sent_at.setdefault(action, {}).update(dict.fromkeys(subjects, _timestamps.now()))
        self._append(Entry(action, UNKNOWN, UNKNOWN), subjects)

    def unknown(
        self, action: str, subjects: t.Iterable[str], message: str, http: dict[str, t.Any] | None = None
    ) -> None:
        """Note that what became of a write cannot be told, and why."""
        self._append(Entry(action, UNKNOWN, UNKNOWN, message, http), subjects)

    def done(self, action: str, subjects: t.Iterable[str], **facts: t.Any) -> None:
        """Note that a write was acknowledged, or was seen to have happened."""
        self._append(Entry(action, DONE, facts=facts) if facts else _done(action), subjects)

    def not_done(
        self,
        action: str,
        subjects: t.Iterable[str],
        reason: str,
        message: str = "",
        http: dict[str, t.Any] | None = None,
        **facts: t.Any,
    ) -> None:
        """Note that a write certainly was not carried out, or was not sent, and why."""
        self._append(Entry(action, NOT_DONE, reason, message, http, facts), subjects)

    @contextlib.contextmanager
    def attempt(self, action: str, subject: str, *, reason: str = "refused") -> t.Iterator[None]:
        """Note a single write that the block sends.

        It is done where the block ends, not done (for O(reason)) where an error says so, else unknown.
        """
        self.sending(action, [subject])
        try:
            yield
        except OperatorError as exc:
            if not exc.outcome_unknown:
                self.not_done(action, [subject], reason, exc.message, exc.http)
            raise
        self.done(action, [subject])

    def learn(self, subject: str, **facts: t.Any) -> None:
        """Note what else was learned of a subject."""
        self._learned.setdefault(subject, {}).update(facts)

    def warn(self, warning: str) -> None:
        """Note what an operator should know."""
        self.warnings.append(warning)

    def cut_off(self, error: OperatorError) -> None:
        """Note what ended the task before its end."""
        self.ended_by = error

    def _append(self, entry: Entry, subjects: t.Iterable[str]) -> None:
        # One entry serves all its subjects, so that thousands of them cost little.
        self._last.setdefault(entry.action, {}).update(dict.fromkeys(subjects, entry))

    # Reading

    def entry(self, action: str, subject: str) -> Entry | None:
        """Return what became of an action on a subject, or None where it was not come to."""
        return self._last.get(action, {}).get(subject)

    def state(self, action: str, subject: str) -> str | None:
        """Return DONE, NOT_DONE or UNKNOWN, or None where the action was not come to."""
        entry = self.entry(action, subject)
        return entry.state if entry else None

    def sent_at(self, action: str, subject: str) -> datetime.datetime:
        """Return when a write was sent last; now, if that was not noted."""
        return self._sent_at.get(action, {}).get(subject) or _timestamps.now()

    def is_done(self, action: str, subject: str) -> bool:
        """Whether an action on a subject was acknowledged."""
        return self.state(action, subject) == DONE

    def subjects(self, action: str, state: str = DONE) -> list[str]:
        """Return the subjects of an action that are in this state, in the order in which they were first noted."""
        return [subject for subject, entry in self._last.get(action, {}).items() if entry.state == state]

    def entries(self, action: str) -> dict[str, Entry]:
        """Return the last entry of each subject of an action."""
        return dict(self._last.get(action, {}))

    def learned(self, subject: str, fact: str) -> t.Any:
        """Return what else was learned of a subject, or None."""
        return self._learned.get(subject, {}).get(fact)

    @property
    def changed(self) -> bool:
        """Whether anything was done, or may have been."""
        return any(entry.state != NOT_DONE for entries in self._last.values() for entry in entries.values())
