# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments that are the latest for no service: held by work, or drained."""

from __future__ import annotations

import typing as t

from ..._restate.wire import Deployment
from ..commands import restate_cli, runbook
from ..deployments.pending import count_pending, state_of
from ..deployments.registry import Registry
from ..report import SAMPLE, count
from .components import Invocations
from .findings import Finding

MAX_REMOVED = 10
"""How many deployments a cleanup removes at most unless it is told otherwise: the default of its option max_removed."""


def of_superseded(registry: Registry, invocations: Invocations) -> t.Iterator[Finding]:
    """Yield what holds superseded deployments, and which can be removed; by playbook, or by the CLI those it leaves."""
    pending = count_pending(registry, invocations.pending)
    cleanup = _cleanup(registry, pending)
    for state in ("draining", "drained"):
        there = [
            each for each in registry.deployments if state_of(registry, each.id, pending[each.id]) == state
        ]
        by_playbook = [each for each in there if each.uri is not None and cleanup]
        rest = [each for each in there if each not in by_playbook]
        for some, remedy in ((by_playbook, cleanup), (rest, _by_hand(rest, is_drained=state == "drained"))):
            if some and state == "drained":
                yield _drained(some, remedy)
            elif some:
                yield _draining(some, sum(pending[each.id] for each in some), remedy)


def _cleanup(registry: Registry, pending: t.Mapping[str, int]) -> str:
    """Return the playbook that removes superseded deployments, or nothing where it has none to keep."""
    kept = registry.newest_active
    if kept is None:
        return ""
    beside = [
        each.id
        for each in registry.all_at(str(kept.uri))
        if each.id != kept.id and registry.latest_at(each.id)
    ]
    keep = {"restate_keep": ",".join(beside)} if beside else {}
    number = sum(
        each.uri is not None and state_of(registry, each.id, pending[each.id]) != "active"
        for each in registry.deployments
    )
    many = {"restate_max_removed": str(number)} if number > MAX_REMOVED else {}
    # What the run was given may end pending invocations, those of other applications, too; this only removes.
    return runbook(
        "cleanup",
        restate_service_url=kept.shown_url,
        restate_remove="superseded",
        restate_force_drain="false",
        **keep,
        **many,
    )


def _by_hand(deployments: t.Sequence[Deployment], *, is_drained: bool) -> str:
    some = deployments[:SAMPLE]
    remove = " && ".join(restate_cli("deployments", "remove", each.id) for each in some)
    if is_drained:
        return remove
    look = " && ".join(restate_cli("invocations", "list", "--deployment", each.id) for each in some)
    return f"See what holds them ({look}), and remove them when they have drained: {remove}"


def _draining(deployments: t.Sequence[Deployment], pending: int, remedy: str) -> Finding:
    return Finding(
        code="STALE_DEPLOYMENTS",
        severity="warning",
        component="deployments",
        message=f"{_counted(deployments, 'superseded deployment')} still held by "
        f"{count(pending, 'pending invocation')}.",
        subjects=[each.id for each in deployments],
        remedy=remedy,
    )


def _drained(deployments: t.Sequence[Deployment], remedy: str) -> Finding:
    return Finding(
        code="DRAINED_DEPLOYMENTS",
        severity="info",
        component="deployments",
        message=f"{_counted(deployments, 'drained deployment')} can be removed.",
        subjects=[each.id for each in deployments],
        remedy=remedy,
    )


def _counted(deployments: t.Sequence[Deployment], noun: str) -> str:
    are_lambdas = all(each.uri is None for each in deployments)
    return count(len(deployments), noun) + (" on AWS Lambda" if are_lambdas else "")
