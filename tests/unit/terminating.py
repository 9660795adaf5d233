# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killing and purging against a Restate in memory, and what the journal says of it."""

from __future__ import annotations

from typing import cast

from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.termination import (
    kill,
    purge,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import NOT_DONE, Journal
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeRestate, run_of

PAUSED = [run_of(key, "paused") for key in "abc"]
FAILED = [run_of(key) for key in "abc"]
IDS = {"inv_a", "inv_b", "inv_c"}


def killed(restate: FakeRestate, *planned: Invocation) -> Journal:
    """Kill what was planned, and return the journal."""
    journal = Journal()
    kill(cast("AdminClient", restate), planned, journal)
    return journal


def purged(restate: FakeRestate, *planned: Invocation) -> Journal:
    """Purge planned runs, and return the journal."""
    journal = Journal()
    purge(cast("AdminClient", restate), planned, journal, runs={row.id for row in planned})
    return journal


def done(journal: Journal) -> set[str]:
    """Return the ids of what was killed or purged."""
    return {*journal.subjects("kill"), *journal.subjects("purge")}


def not_done(journal: Journal, reason: str) -> dict[str, str]:
    """Return, by id, the message of what was not killed or purged for this reason."""
    entries = {**journal.entries("kill"), **journal.entries("purge")}
    return {
        id_: entry.message
        for id_, entry in entries.items()
        if entry.state == NOT_DONE and entry.reason == reason
    }
