# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many invocations or keys one query or one call names."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.rows import Question

CHUNK = 500
"""The server takes 1,000 invocations in a batch call at most."""

_T = t.TypeVar("_T")


def chunks(items: t.Sequence[_T], size: int = CHUNK) -> t.Iterator[t.Sequence[_T]]:
    """Yield the items, O(size) at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def rows_about(
    admin: AdminClient, question: t.Callable[[t.Sequence[str]], Question[_T]], names: t.Sequence[str]
) -> list[_T]:
    """Return the rows that answer a question about ids or keys; it is asked side by side, of CHUNK of them each."""
    answers = admin.queries(*(question(chunk) for chunk in chunks(names)))
    return [row for rows in answers for row in rows]
