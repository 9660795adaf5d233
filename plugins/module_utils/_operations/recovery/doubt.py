# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes of earlier tasks on a key that may still be delivered: a pure function of what is there now.

The run of a key always has the same ID. A kill or a purge that is delivered late therefore ends the run that was
submitted after it.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ... import _timestamps
from ..invocations.termination import KILLED
from ..open_actions import OpenAction
from .key_state import KeyState


@dataclass(frozen=True)
class Doubts:
    """The kills and purges of earlier tasks, and for how many seconds after they were sent they are in doubt."""

    writes: tuple[OpenAction, ...] = ()
    grace: float = 0.0

    def of(self, seen: KeyState, run_id: str | None, now: datetime.datetime) -> KeyDoubt:
        """Return those of a key; `run_id` is that of a run that is not there any more."""
        if not self.writes:
            return KeyDoubt()
        rows = {row.id: row for row in seen.invocations}
        own = [each for each in self.writes if each.key == seen.name or each.subject in (*rows, run_id)]
        settled = tuple(each for each in own if _is_settled(each, seen, now))
        unsettled = tuple(each for each in own if each not in settled)
        last = max((each.sent_at for each in unsettled), default=None)
        until = last + datetime.timedelta(seconds=self.grace) if last else None
        return KeyDoubt(unsettled, settled, until if until and until > now else None)


@dataclass(frozen=True)
class KeyDoubt:
    """The writes on a key: those that may still be delivered, whatever their age, and those that certainly were.

    `until` is from when the key can be taken up, or None if that is so already.
    """

    unsettled: tuple[OpenAction, ...] = ()
    settled: tuple[OpenAction, ...] = ()
    until: datetime.datetime | None = None

    @property
    def message(self) -> str:
        """What a person is told of it."""
        last = max(self.unsettled, key=lambda each: each.sent_at)
        return (
            f"a {last.action} of {last.subject}, sent at {_timestamps.write(last.sent_at)}, was not answered and may "
            f"still be carried out; it can be taken up from {latest([self.until] if self.until else [])}"
        )


def _is_settled(write: OpenAction, seen: KeyState, now: datetime.datetime) -> bool:
    """Whether it is seen that a write was carried out."""
    row = next((row for row in seen.invocations if row.id == write.subject), None)
    if write.action == "kill":
        return row is not None and row.completion_failure == KILLED
    # It cannot have expired before that time.
    return row is None and write.retained_until is not None and now < write.retained_until


def latest(times: t.Iterable[datetime.datetime]) -> str | None:
    """Return the latest of these times as a result shows it, or None if there is none."""
    last = max(times, default=None)
    return _timestamps.write(last) if last else None
