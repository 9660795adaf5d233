# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server of a release can do. A new release of Restate is a row in RELEASES."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

Release = tuple[int, int]


@dataclass(frozen=True)
class Capabilities:
    """What differs between releases, as far as this collection needs to know."""

    keeps_journal_events: bool = False
    """It has the table sys_journal_events, which tells why an invocation is paused."""
    can_pause: bool = False
    """It can pause an invocation, and so move one that is running."""
    has_batch_operations: bool = False
    """It kills and purges many invocations in one call."""
    knows_breaking_and_metadata: bool = False
    """POST /deployments takes both; before, only force allows a service to change its type."""
    leaves_known_url: bool = False
    """It answers the registration of a known URL without force with what is registered, rather than with 409."""
    releases_killed_at_once: bool = False
    """An attempt of what is killed is aborted at once, rather than when its service has been silent for a while."""
    has_scopes: bool = False
    """Its tables have the column scope, and prune by key only where the scope is named."""


_1_5 = Capabilities(keeps_journal_events=True)
_1_6 = dataclasses.replace(
    _1_5,
    can_pause=True,
    has_batch_operations=True,
    knows_breaking_and_metadata=True,
    leaves_known_url=True,
    releases_killed_at_once=True,
)
_1_7 = dataclasses.replace(_1_6, has_scopes=True)

RELEASES: dict[Release, Capabilities] = {(1, 5): _1_5, (1, 6): _1_6, (1, 7): _1_7}
"""The releases that are tested, the oldest first."""


def capabilities_of(release: Release) -> Capabilities:
    """Return what a server can do: a later release can do what the last that is known can, an earlier one nothing."""
    known = [capabilities for since, capabilities in RELEASES.items() if since <= release]
    return known[-1] if known else Capabilities()
