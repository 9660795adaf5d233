# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workflow runs an operator means by select."""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import typing as t
from dataclasses import dataclass, field

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.rows import TroubledRun
from ..._restate.troubled_runs import Page
from ..operation import INSTANT

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

PAGE = 2000
"""How many runs one question asks for."""


@dataclass(frozen=True)
class Select:
    """The option select. An age is one until `at` makes a timestamp of it."""

    kinds: list[str]
    limit: int
    service_name: str | None = None
    failed_before: str | _timestamps.Age | None = field(default=None, metadata=INSTANT)
    failed_after: str | _timestamps.Age | None = field(default=None, metadata=INSTANT)
    failure_matches: str | None = None

    def __post_init__(self) -> None:
        """Raise RESTATE_INVALID_ARGUMENT where the option cannot be right."""
        if self.limit < 1:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.limit must be 1 or more.")
        if not self.kinds:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.kinds must name one kind or more.")
        if self._are_times_swapped:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "select.failed_after must be earlier than select.failed_before: of two ages, it is the longer one.",
            )

    @property
    def _are_times_swapped(self) -> bool:
        """Whether nothing can be between the two times, as far as that can be known without a clock."""
        before, after = self.failed_before, self.failed_after
        if isinstance(before, _timestamps.Age) and isinstance(after, _timestamps.Age):
            return before.seconds >= after.seconds
        return isinstance(before, str) and isinstance(after, str) and before <= after

    @property
    def has_ages(self) -> bool:
        """Whether a clock is needed to know what is meant."""
        return any(isinstance(each, _timestamps.Age) for each in (self.failed_before, self.failed_after))

    def at(self, now: datetime.datetime) -> Select:
        """Return the same selection with timestamps; raise RESTATE_INVALID_ARGUMENT if nothing can be between them."""

        def timestamp(given: str | _timestamps.Age | None) -> str | None:
            return given.at(now) if isinstance(given, _timestamps.Age) else given

        before, after = timestamp(self.failed_before), timestamp(self.failed_after)
        return dataclasses.replace(self, failed_before=before, failed_after=after)


@dataclass(frozen=True)
class Selected:
    """The selected runs, the oldest failure first, and how many more there are beyond the limit."""

    runs: list[TroubledRun]
    beyond_limit: int = 0


def select_runs(admin: AdminClient, select: Select, *, page: int = PAGE) -> Selected:
    """Return the runs that are meant.

    Raises RESTATE_INVALID_ARGUMENT for a service that is no registered workflow, for what is no regular expression, and
    for times in the wrong order.
    """
    if select.has_ages:
        select = select.at(admin.now())
    pattern = _pattern(admin, select.failure_matches)
    workflows = {
        service.name: service.run_handlers
        for service in admin.services()
        if service.ty == "Workflow" and select.service_name in (None, service.name)
    }
    if workflows:
        pages = [
            _of_kind(admin, select, pattern, kind, workflows, page) for kind in dict.fromkeys(select.kinds)
        ]
        return _first(heapq.merge(*pages, key=_age), select.limit)
    if select.service_name is None:
        return Selected([])
    raise OperatorError(
        "RESTATE_INVALID_ARGUMENT",
        f"select.service_name: there is no Workflow {select.service_name}.",
        remedy="Run restate_doctor and use the service's exact name.",
    )


def _age(run: TroubledRun) -> tuple[t.Any, str]:
    return _timestamps.parse(run.failed_at), run.id


def _first(found: t.Iterable[TroubledRun], limit: int) -> Selected:
    chosen: dict[str, TroubledRun] = {}
    beyond_limit = 0
    for run in found:
        if len(chosen) < limit:
            chosen[run.id] = run
        elif run.id not in chosen:
            beyond_limit += 1
    return Selected(list(chosen.values()), beyond_limit)


class _Pattern(t.NamedTuple):
    """A regular expression that the server takes, and whether it matches an empty text."""

    text: str
    matches_empty: bool


def _pattern(admin: AdminClient, text: str | None) -> _Pattern | None:
    return None if text is None else _Pattern(text, admin.matches_empty("select.failure_matches", text))


def _of_kind(
    admin: AdminClient,
    select: Select,
    pattern: _Pattern | None,
    kind: str,
    workflows: dict[str, frozenset[str]],
    page: int,
) -> t.Iterator[TroubledRun]:
    """Yield the runs of a kind, a page at a time, so that memory does not grow with their number."""
    after: tuple[str, str] | None = None
    before, since = (t.cast("str | None", each) for each in (select.failed_before, select.failed_after))
    while True:
        question = Page(
            kind=kind,
            workflows=workflows,
            before=before,
            since=since,
            after=after,
            limit=page,
            matches=pattern.text if pattern else None,
        )
        rows = admin.query(admin.questions.troubled_runs(question))
        yield from _paused_with(admin, rows, pattern) if kind == "paused" and pattern and rows else rows
        if len(rows) < page:
            return
        after = (rows[-1].failed_at, rows[-1].id)


def _paused_with(admin: AdminClient, rows: list[TroubledRun], pattern: _Pattern) -> t.Iterator[TroubledRun]:
    """Yield the paused runs whose failure matches: the last event of their journal has it, if there is one."""
    events = admin.query(admin.questions.events_match([row.id for row in rows], pattern.text))
    matches = {event.id: event.matches for event in events}
    for row in rows:
        if matches.get(row.id, pattern.matches_empty):
            yield row
