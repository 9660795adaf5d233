# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unfinished invocations that a kill ends with those that called them."""

from __future__ import annotations

import typing as t

from .chunks import rows_about

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Invocation

_DEPTH = 20


def read_called(admin: AdminClient, callers: t.Sequence[str]) -> dict[str, list[Invocation]]:
    """Read the unfinished invocations below each caller, by its id; those that are callers themselves are left out."""
    found: dict[str, list[Invocation]] = {}
    root = {caller: caller for caller in callers}
    level = list(callers)
    for _depth in range(_DEPTH):
        below = rows_about(admin, admin.questions.children, level) if level else []
        level = []
        for row in below:
            if row.id not in root:
                root[row.id] = root[str(row.invoked_by_id)]
                found.setdefault(root[row.id], []).append(row)
                level.append(row.id)
    return found
