# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing exactly the invocation that was planned."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient

_KILLED = "[409] killed"
"""The failure of what was killed (crates/types/src/errors.rs:276-282 of v1.7.6)."""


def planned_one(admin: AdminClient, planned: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return what there is of the planned invocation now, or None.

    A run that is submitted again has the id of the run before it; only created_at tells them apart
    (crates/types/src/identifiers.rs:293-325 of v1.7.6).
    """
    rows = admin.query(admin.sql.invocations([planned["id"]]))
    return next((row for row in rows if row["created_at"] == planned["created_at"]), None)


def kill(admin: AdminClient, planned: dict[str, t.Any]) -> bool:
    """Kill the planned invocation, reading before each try whether it still is that one; False: nothing to kill.

    One that was planned and has been killed meanwhile, as a child of another that was, counts as killed.
    """
    tries_left = admin.connection.retries
    answer_was_lost = False
    while True:
        now = planned_one(admin, planned)
        if now is None or now["status"] == "completed":
            return answer_was_lost or (now is not None and now.get("completion_failure") == _KILLED)
        try:
            if admin.kill(planned["id"]):
                return True
        except OperatorError as exc:
            if not (exc.outcome_unknown and tries_left):
                raise
            answer_was_lost = True
        if not tries_left:
            return False
        time.sleep(admin.connection.back_off(tries_left))
        tries_left -= 1
