# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Restate holds of a workflow key."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._restate.rows import Invocation

NOT_BEGUN = ("inboxed", "scheduled")
"""The statuses of what leaves nothing to be purged when it is killed."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """What Restate holds of a key.

    O(run_handlers) are the handlers whose invocation is the run: one, unless the service is not registered and does not
    say which handler that is. O(retries) counts attempts by invocation id; O(state) and O(promises) are names, as far
    as these were read.
    """

    service: str
    key: str
    invocations: tuple[Invocation, ...] = ()
    run_handlers: frozenset[str] = frozenset()
    retries: t.Mapping[str, int] = field(default_factory=dict)
    state: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    name: str = field(init=False)
    """Service and key."""
    run: Invocation | None = field(init=False)
    """The run's invocation."""

    def __post_init__(self) -> None:
        """Tell once what is asked for many times of each of thousands of keys."""
        runs = (row for row in self.invocations if row.target_handler_name in self.run_handlers)
        object.__setattr__(self, "name", f"{self.service}/{self.key}")
        object.__setattr__(self, "run", next(runs, None))

    @property
    def has_begun(self) -> bool:
        """Whether it has a run that leaves something to be purged."""
        return self.run is not None and self.run.status not in NOT_BEGUN

    @property
    def unfinished(self) -> tuple[Invocation, ...]:
        """The invocations that have not completed."""
        return tuple(row for row in self.invocations if row.status != "completed")

    @property
    def is_blank(self) -> bool:
        """Whether the next submission starts from nothing."""
        return not (self.run or self.unfinished or self.state or self.promises)

    def to_result(self) -> dict[str, t.Any]:
        """Return it as a diff shows it."""
        if not (self.invocations or self.state or self.promises):
            return {}
        return {
            "invocations": {row.id: _status(row) for row in sorted(self.invocations, key=lambda row: row.id)},
            "state": sorted(self.state),
            "promises": sorted(self.promises),
        }


def _status(row: Invocation) -> str:
    result = row.completion_result
    return f"{row.target_handler_name} {row.status}" + (f" ({result})" if result else "")
