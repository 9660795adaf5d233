# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Restate's error codes say of an attempt that resuming alone does not cure. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..report import count, sample

ELSEWHERE = (
    "at a URL of its own, register it, resume them there (restate_resume with deployment: its id), and register the "
    "new release again, so that it is the latest"
)
"""How work goes on that does not fit the new release; a registration makes the latest of its services."""


@dataclass(frozen=True)
class Failure:
    """A failure that comes again as long as the same code is at the URL: O(cure) is what helps."""

    code: str
    reason: str
    meaning: str
    cure: str

    @property
    def message(self) -> str:
        """It in a sentence, without its end."""
        return f"{self.meaning} ({self.code})"


FAILURES = {
    failure.code: failure
    for failure in (
        Failure(
            "RT0016",
            "journal_mismatch",
            "the code at its URL takes other steps than those it began with",
            f"Serve the old code {ELSEWHERE}.",
        ),
        Failure(
            "RT0015",
            "protocol_not_supported",
            "the SDK at its URL does not speak the version of the service protocol that it began with",
            f"Serve the old code, or the new one with an SDK that still speaks that version, {ELSEWHERE}.",
        ),
        Failure(
            "RT0012",
            "unexpected_answer",
            "what is at its URL does not answer as the service that it began on, as where the handler is gone",
            "Register what is at that URL now (restate_redeploy), which tells what it offers; where the service or "
            f"the handler is gone, serve the old code {ELSEWHERE}.",
        ),
    )
}
"""By Restate's code (https://docs.restate.dev/references/errors)."""


def grouped(codes: t.Mapping[str, str], ids: t.Iterable[str]) -> dict[Failure, list[str]]:
    """Return which of these invocations failed with which of L(FAILURES); O(codes) are by invocation."""
    found: dict[Failure, list[str]] = {}
    for invocation_id in ids:
        failure = FAILURES.get(codes.get(invocation_id, ""))
        if failure:
            found.setdefault(failure, []).append(invocation_id)
    return found


def told(failure: Failure, ids: t.Sequence[str], what: str) -> str:
    """Return what an operator is told of invocations, with what helps; O(what) is how they are concerned."""
    return f"{count(len(ids), 'invocation')} {what}: {failure.message}: {sample(ids)}. {failure.cure}"
