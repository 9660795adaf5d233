# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving what pends on a deployment that goes to the one that is kept."""

from __future__ import annotations

import typing as t

from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation
from ..._restate.wire import Deployment
from ..invocations.failures import grouped, told
from ..invocations.fit import Offer, offer_of
from ..invocations.migration import is_moved, migrate
from ..journal import Entry, Journal


class MoveToKept:
    """Moves invocations to the kept deployment, and keeps the journal of it."""

    def __init__(self, admin: AdminClient, kept: Deployment, journal: Journal) -> None:
        self._admin = admin
        self._kept = kept
        self._journal = journal
        self._offer: Offer | None = None

    @property
    def offer(self) -> Offer:
        """What the kept deployment offers, read once."""
        if self._offer is None:
            self._offer = offer_of(self._kept.shown_url, self._admin.deployment(self._kept.id))
        return self._offer

    def move(self, rows: t.Sequence[Invocation]) -> dict[str, Entry]:
        """Move invocations, and return, by id, what became of those not seen at their new place."""
        if not rows:
            return {}
        codes = migrate(self._admin, rows, self._kept.id, self._journal)
        for failure, ids in grouped(codes, [row.id for row in rows]).items():
            self._journal.warn(told(failure, ids, "moved and failing there"))
        entries = self._journal.entries("migrate")
        return {row.id: entries[row.id] for row in rows if not is_moved(self._journal, row.id)}
