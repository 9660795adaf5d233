# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workflow runs an operator means by select."""

from __future__ import annotations

import datetime
import heapq
import json
import re
import typing as t
from dataclasses import dataclass

from ... import _timestamps as instants
from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from .. import durations

KINDS = ("failed", "paused", "backing_off")
_PAGE = 2000


@dataclass(frozen=True)
class Select:
    """The option; times are instants in RFC 3339 or None, O(failure) a compiled expression or None."""

    service_name: str | None
    kinds: tuple[str, ...]
    failed_before: str | None
    failed_after: str | None
    failure: re.Pattern[str] | None
    limit: int

    @classmethod
    def read(cls, option: dict[str, t.Any]) -> Select:
        """Return the typed option; raise RESTATE_INVALID_ARGUMENT where it cannot be right."""
        if option["limit"] < 1:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.limit must be 1 or more.")
        if not option["kinds"]:
            raise OperatorError("RESTATE_INVALID_ARGUMENT", "select.kinds must name one kind or more.")
        pattern = option["failure_matches"]
        try:
            failure = re.compile(pattern) if pattern is not None else None
        except re.error as exc:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", f"select.failure_matches is no regular expression: {exc}."
            ) from None
        before = _instant("select.failed_before", option["failed_before"])
        since = _instant("select.failed_after", option["failed_after"])
        if before and since and before <= since:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                "select.failed_after must be earlier than select.failed_before: of two ages, it is the longer one.",
            )
        return cls(
            option["service_name"],
            tuple(dict.fromkeys(option["kinds"])),
            before,
            since,
            failure,
            option["limit"],
        )


@dataclass(frozen=True)
class Run:
    """A selected run; O(failed_at) is when it failed, paused or was last tried."""

    service: str
    key: str
    invocation_id: str
    failed_at: str


def select_runs(admin: AdminClient, select: Select) -> tuple[list[Run], int]:
    """Return the selected runs, the oldest failure first, and how many more there are beyond the limit."""
    workflows = {
        service.name: service.run_handlers
        for service in admin.services()
        if service.ty == "Workflow" and select.service_name in (None, service.name)
    }
    if not workflows:
        if select.service_name is None:
            return [], 0
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"select.service_name: there is no Workflow {select.service_name}.",
            remedy="Run restate_doctor and use the service's exact name.",
        )
    found = heapq.merge(
        *(_of_kind(admin, select, kind, workflows) for kind in select.kinds),
        key=lambda run: (instants.parse(run.failed_at), run.invocation_id),
    )
    chosen: dict[str, Run] = {}
    left = 0
    for run in found:
        if len(chosen) < select.limit:
            chosen[run.invocation_id] = run
        elif run.invocation_id not in chosen:
            left += 1
    return list(chosen.values()), left


def _of_kind(
    admin: AdminClient, select: Select, kind: str, workflows: dict[str, frozenset[str]]
) -> t.Iterator[Run]:
    """Yield the runs of a kind, a page at a time, so that memory does not grow with their number."""
    after: tuple[str, str] | None = None
    while True:
        rows = admin.query(
            admin.sql.runs_in_trouble(
                kind,
                workflows,
                before=select.failed_before,
                since=select.failed_after,
                after=after,
                limit=_PAGE,
                with_failure=select.failure is not None,
            )
        )
        texts = _texts(admin, rows) if select.failure else {}
        for row in rows:
            if select.failure is None or select.failure.search(texts.get(row["id"], "")):
                yield Run(row["target_service_name"], row["target_service_key"], row["id"], row["failed_at"])
        if len(rows) < _PAGE:
            return
        after = (rows[-1]["failed_at"], rows[-1]["id"])


def _texts(admin: AdminClient, rows: list[dict[str, t.Any]]) -> dict[str, str]:
    texts = {row["id"]: row["failure"] for row in rows if "failure" in row}
    paused = [row["id"] for row in rows if "failure" not in row]
    for event in admin.query(admin.sql.last_events(paused)) if paused else []:
        content = json.loads(event["event_json"])
        texts[event["id"]] = (content.get("last_failure") or content).get("error_message") or ""
    return texts


def _instant(option: str, text: str | None) -> str | None:
    """Return an instant, given as one or as an age, in RFC 3339 and UTC."""
    if text is None:
        return None
    text = text.strip()
    wrong = OperatorError(
        "RESTATE_INVALID_ARGUMENT",
        f"{option} must be a time with its zone, like 2026-11-22T03:00:00Z, or an age like 2h; it is {text!r}.",
    )
    try:
        if re.fullmatch(r"\d+\s*[smhdw]?", text):
            age = datetime.timedelta(seconds=durations.seconds(option, text))
            moment = datetime.datetime.now(datetime.UTC) - age
        else:
            moment = instants.parse(text).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise wrong from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
