# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who waits for the end of an invocation, as far as Restate's tables tell."""

from __future__ import annotations

import typing as t

from ..._restate.admin import AdminClient
from ..invocations.chunks import rows_about


def read_callers(admin: AdminClient, ids: t.Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return, by id, the unfinished invocations that wait for an invocation: that called it, or are attached to it.

    Whoever waits at the ingress is in no table of a server (seen on 1.5.3, 1.6.2 and 1.7.12).
    """
    if not ids:
        return {}
    questions = admin.questions
    called = {(row.invoked_by_id, row.id) for row in rows_about(admin, questions.callers, ids)}
    callers = sorted({caller for caller, _id in called})
    one_way = {(row.id, row.about) for row in rows_about(admin, questions.one_way_calls, callers)}
    attachments = ((row.id, row.about) for row in admin.query(questions.attachments()))
    asked = set(ids)
    attached = {(caller, about) for caller, about in attachments if about in asked}
    waiting = sorted((called - one_way) | attached)
    there = rows_about(admin, questions.status_of, sorted({caller for caller, _id in waiting}))
    unfinished = {row.id for row in there if row.status != "completed"}
    found: dict[str, list[str]] = {}
    for caller, id_ in waiting:
        if caller in unfinished:
            found.setdefault(id_, []).append(caller)
    return {id_: tuple(each) for id_, each in found.items()}
