# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What helps where a deployment that was to go stays. Pure."""

from __future__ import annotations

import typing as t

from ..invocations.fit import CURES
from ..outcomes import joined
from .plan import CleanupRequest

_REMEDIES = {
    **{
        reason: f"Let them end where they are (keep their deployment, or wait). Or: {cure} Cancelling or killing them "
        "is the last resort."
        for reason, cure in CURES.items()
    },
    "paused_invocations": "They may have been paused on purpose: resume them, or set migrate_paused to true.",
    "migration_failed": "Read in the warnings why each was not moved, then run the same task again, or keep their "
    "deployment until they have ended.",
    "migrate_unsupported": "Let it drain (force_drain: false), upgrade Restate, or choose pending: cancel, kill or "
    "abandon.",
    "kill_failed": "Read in the warnings why each was not killed, then run the same task again.",
    "unknown": "Wait a minute and run the same task again: it reads what there is, and goes on from there.",
    "cancel_not_received": "They do not receive a cancel: they fail before they get as far as a step, or their service "
    "does not answer. Repair that and run the same task again, or choose pending: kill.",
    "attempt_running": "Wait until their attempts have ended, and run the same task again: it moves them then.",
    "older_revision_returns": "An older deployment of its services stays, and would be the latest again: remove that "
    "one first.",
    "became_latest": "Another release was registered meanwhile: run restate_doctor.",
}

_NOT_ENDED = {
    "migrate": "More work began there meanwhile: run the same task again.",
    "cancel": "They may still be compensating: wait and run the same task again, or choose pending: kill.",
    "kill": "They were not seen to end: wait a minute and run the same task again.",
    "abandon": "Run restate_doctor, then run the same task again.",
}
"""What helps where work that was to be ended at the end still pends, by the option pending."""


def remedy_of(reasons: t.Collection[str], request: CleanupRequest) -> str:
    """Return what helps with all of these reasons; empty where the error code's own remedy does."""
    known = dict(_REMEDIES)
    if request.force_drain:
        known["drain_timeout"] = _NOT_ENDED[request.pending]
    return joined(known, reasons)
