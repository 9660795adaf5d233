# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workflow runs an operator means by select."""

from __future__ import annotations

import heapq
import re
import typing as t
from dataclasses import dataclass, field

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.rows import TroubledRun
from ..._restate.troubled_runs import Page
from ..operation import INSTANT, PATTERN

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient

PAGE = 2000
"""How many runs one question asks for."""


@dataclass(frozen=True)
class Select:
    """The option select."""

    kinds: list[str]
    limit: int
    service_name: str | None = None
    failed_before: str | None = field(default=None, metadata=INSTANT)
    failed_after: str | None = field(default=None, metadata=INSTANT)
    failure_matches: re.Pattern[str] | None = field(default=None, metadata=PATTERN)

    def __post_init__(self) -> None:
        """Raise RESTATE_INVALID_ARGUMENT where the option cannot be right."""
        if self.limit < 1:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.limit must be 1 or more.")
        if not self.kinds:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.kinds must name one kind or more.")
        before, after = self.failed_before, self.failed_after
        if before and after and before <= after:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "select.failed_after must be earlier than select.failed_before: of two ages, it is the longer one.",
            )


@dataclass(frozen=True)
class Selected:
    """The selected runs, the oldest failure first, and how many more there are beyond the limit."""

    runs: list[TroubledRun]
    beyond_limit: int = 0


def select_runs(admin: AdminClient, select: Select, *, page: int = PAGE) -> Selected:
    """Return the runs that are meant; raise RESTATE_INVALID_ARGUMENT for a service that is no registered workflow."""
    workflows = {
        service.name: service.run_handlers
        for service in admin.services()
        if service.ty == "Workflow" and select.service_name in (None, service.name)
    }
    if workflows:
        pages = [_of_kind(admin, select, kind, workflows, page) for kind in dict.fromkeys(select.kinds)]
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


def _of_kind(
    admin: AdminClient, select: Select, kind: str, workflows: dict[str, frozenset[str]], page: int
) -> t.Iterator[TroubledRun]:
    """Yield the runs of a kind, a page at a time, so that memory does not grow with their number."""
    after: tuple[str, str] | None = None
    while True:
        question = Page(
            kind=kind,
            workflows=workflows,
            before=select.failed_before,
            since=select.failed_after,
            after=after,
            limit=page,
            with_failure=select.failure_matches is not None,
        )
        rows = admin.query(admin.questions.troubled_runs(question))
        yield from _matching(admin, rows, select.failure_matches)
        if len(rows) < page:
            return
        after = (rows[-1].failed_at, rows[-1].id)


def _matching(
    admin: AdminClient, rows: list[TroubledRun], pattern: re.Pattern[str] | None
) -> t.Iterator[TroubledRun]:
    failures = _failures(admin, rows) if pattern else {}
    for row in rows:
        if pattern is None or pattern.search(failures.get(row.id, "")):
            yield row


def _failures(admin: AdminClient, rows: list[TroubledRun]) -> dict[str, str]:
    """Return, by id, why each run failed; of those that are paused, the journal's events tell."""
    failures = {row.id: row.failure for row in rows if row.failure is not None}
    paused = [row.id for row in rows if row.failure is None]
    for event in admin.query(admin.questions.last_events(paused)) if paused else []:
        failures[event.id] = event.failure.message or ""
    return failures
