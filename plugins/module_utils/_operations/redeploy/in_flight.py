# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of invocations whose deployment is overwritten. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._restate.rows import Invocation
from ..invocations.fit import CURES, Misfit, Offer, find_misfit
from ..report import count, sample

_FAILS_WITH = {"protocol_not_supported": "RT0015", "handler_not_served": "RT0012"}
"""Restate's code of what an attempt meets then (1.7.12). What has another type runs as what it is not."""


@dataclass(frozen=True)
class InFlight:
    """How many unfinished invocations are pinned to a deployment, and the ids of those that do not fit its new code."""

    number: int = 0
    unfit: t.Mapping[Misfit, t.Sequence[str]] | None = None

    def warnings(self, deployment_id: str) -> list[str]:
        """Return what an operator should know before the deployment is overwritten."""
        unfit = self.unfit or {}
        warnings = [_warning(deployment_id, misfit, ids) for misfit, ids in unfit.items()]
        fit = self.number - sum(len(ids) for ids in unfit.values())
        if fit > 0:
            warnings.append(
                f"{count(fit, 'in-flight invocation')} pinned to {deployment_id} will go on with the code that is now "
                "at its URL; where that code takes other steps they fail with a journal mismatch (RT0016)."
            )
        return warnings


def unfit(rows: t.Iterable[Invocation], offer: Offer, registered: Offer) -> dict[Misfit, list[str]]:
    """Return the ids of what does not fit what is offered now, by why."""
    found: dict[Misfit, list[str]] = {}
    for row in rows:
        misfit = find_misfit(row, offer, registered)
        if misfit:
            found.setdefault(misfit, []).append(row.id)
    return found


def _warning(deployment_id: str, misfit: Misfit, ids: t.Sequence[str]) -> str:
    code = _FAILS_WITH.get(misfit.reason)
    outcome = f"will fail ({code})" if code else "will go on as what they are not"
    return (
        f"{count(len(ids), 'in-flight invocation')} pinned to {deployment_id} {outcome}: {misfit.message}: "
        f"{sample(ids)}. Register the new code at another URL instead, so that they go on here. Where it is "
        f"overwritten already: {CURES[misfit.reason]}"
    )
