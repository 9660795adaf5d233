# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many invocations or keys one query or one call names."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient
    from ..._restate.questions import Question

CHUNK = 500
"""The server takes 1,000 invocations in a batch call at most."""

_T = t.TypeVar("_T")


def chunks(items: t.Sequence[_T]) -> t.Iterator[t.Sequence[_T]]:
    """Yield the items, CHUNK at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def rows_about(
    admin: AdminClient, question: t.Callable[[t.Sequence[str]], Question[_T]], names: t.Sequence[str]
) -> list[_T]:
    """Return the rows that answer a question about ids or keys, CHUNK of them at a time."""
    return [row for chunk in chunks(names) for row in admin.query(question(chunk))]
