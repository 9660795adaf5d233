# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the invocations of a server mean to an operator."""

from __future__ import annotations

import typing as t

from ..._restate.rows import Invocation, InvocationsByPlace
from ..._restate.wire import Service
from ..commands import restate_cli, runbook
from ..deployments.registry import Registry
from ..deployments.unserved import number_of, told, unserved_work
from ..invocations.failures import grouped
from ..report import SAMPLE, count, sample
from .components import LONG_RETRYING, Invocations
from .findings import Finding

Services = t.Mapping[str, Service]

_MOST_AT_ONCE = 10_000
"""How many runs a remedy clears up; a survey of AWX takes no more."""


def of_unserved(registry: Registry, invocations: Invocations) -> t.Iterator[Finding]:
    """Yield the work that no deployment serves."""
    work = unserved_work(invocations.by_place, registry)
    if not work:
        return
    names = sorted({name.partition("/")[0] for name in work})
    yield Finding(
        code="UNSERVED_INVOCATIONS",
        severity="critical",
        component="invocations",
        message=f"{count(number_of(work), 'unfinished invocation')} of what no deployment serves, which fail with "
        f"every attempt (RT0011, RT0012): {told(work)}.",
        subjects=list(work),
        remedy=f"Serve code that has {', '.join(names)} again, at a URL of its own, and register it "
        "(dalp.restate.redeploy); then let what is pinned elsewhere go on there (dalp.restate.resume, with "
        "deployment: latest). To give work up instead, look at it and kill it by its id with the restate CLI: "
        + "; ".join(restate_cli("invocations", "list", "--service", name) for name in names),
    )


def of_invocations(invocations: Invocations, services: Services) -> t.Iterator[Finding]:
    """Yield what does not go on by itself: zombies, paused, long retried and failed."""
    if invocations.zombies:
        yield _zombies(invocations.zombies)
    yield from _paused(invocations, services)
    retried = [row for row in invocations.unsettled if _is_retried_often(row)]
    lost = {row.id for row in invocations.zombies}
    number = sum(row.n for row in invocations.unfinished if row.retried_often)
    number -= sum(row.id in lost for row in retried)
    if number > 0:
        yield _retrying(number, [row for row in retried if row.id not in lost], services)
    yield from _of_incurable(invocations)
    yield from _failed_runs(invocations, services)


def _zombies(zombies: t.Sequence[Invocation]) -> Finding:
    is_sample = len(zombies) == SAMPLE
    subjects = [row.id for row in zombies]
    return Finding(
        code="ZOMBIE_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{'At least ' if is_sample else ''}{count(len(zombies), 'unfinished invocation')} pinned to a "
        "deployment that is gone (RT0011): work that cannot go on by itself, and is not lost yet.",
        subjects=subjects,
        remedy=_resume(subjects, restate_deployment="latest", is_all=not is_sample),
    )


def _paused(invocations: Invocations, services: Services) -> t.Iterator[Finding]:
    paused = [row for row in invocations.by_place if row.status == "paused"]
    if not paused:
        return
    number = sum(row.n for row in paused)
    names = sorted({row.target_service_name for row in paused})
    ids = [row.id for row in invocations.unsettled if row.status == "paused"]
    if all(_is_run(row, services) and not row.is_scoped for row in paused):
        remedy = _clear_up("paused", names, number)
    else:
        remedy = _resume(ids, is_all=len(ids) == number)
    yield Finding(
        code="PAUSED_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'invocation')} paused: out of retries, or paused by hand."
        f"{_queued_behind(names, invocations)}",
        subjects=ids,
        remedy=remedy,
    )


def _queued_behind(names: t.Sequence[str], invocations: Invocations) -> str:
    """Return the sentence that tells of calls that may wait behind a paused one of their key."""
    queued = sum(
        row.n for row in invocations.by_place if row.status == "inboxed" and row.target_service_name in names
    )
    if not queued:
        return ""
    are = "is" if queued == 1 else "are"
    return f" {count(queued, 'call')} of {', '.join(names)} {are} queued, and wait where their key is paused."


def _is_retried_often(row: Invocation) -> bool:
    return row.status != "paused" and (row.retry_count or 0) >= LONG_RETRYING


def _retrying(number: int, rows: t.Sequence[Invocation], services: Services) -> Finding:
    ids = [row.id for row in rows]
    if len(ids) < number and all(_is_run(row, services) for row in rows):
        remedy = _clear_up("backing_off", sorted({row.target_service_name for row in rows}), number)
    else:
        remedy = _resume(ids, is_all=len(ids) == number)
    return Finding(
        code="RETRYING_INVOCATIONS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'invocation')} retried {LONG_RETRYING} times or more.",
        subjects=ids,
        remedy=f"Cure what they fail with, or they will fail again; then have them tried at once: {remedy}",
    )


def _of_incurable(invocations: Invocations) -> t.Iterator[Finding]:
    """Yield, by code, what fails again however often it is resumed where it is."""
    codes = {row.id: row.last_failure_error_code or "" for row in invocations.unsettled}
    codes |= {event.id: event.failure.restate_code or "" for event in invocations.events}
    for failure, ids in grouped(codes, [row.id for row in invocations.unsettled]).items():
        yield Finding(
            code=failure.reason.upper(),
            severity="warning",
            component="invocations",
            message=f"{count(len(ids), 'invocation')} cannot go on where they are: {failure.message}: {sample(ids)}.",
            subjects=ids,
            remedy=failure.cure,
        )


def _is_run(row: Invocation | InvocationsByPlace, services: Services) -> bool:
    if row.target_service_ty != "workflow":
        return False
    service = services.get(row.target_service_name)
    return row.target_handler_name in (service.run_handlers if service else frozenset({"run"}))


def _failed_runs(invocations: Invocations, services: Services) -> t.Iterator[Finding]:
    failed = [
        row
        for row in invocations.by_place
        if row.status == "completed" and row.completion_result == "failure" and _is_run(row, services)
    ]
    reached = [row for row in failed if not row.is_scoped]
    if reached:
        number = sum(row.n for row in reached)
        names = sorted({row.target_service_name for row in reached})
        yield Finding(
            code="FAILED_WORKFLOWS",
            severity="warning",
            component="invocations",
            message=f"{count(number, 'workflow run')} failed for good.",
            subjects=[
                f"{row.target_service_name}/{row.target_service_key}"
                for row in invocations.failed
                if _is_run(row, services) and row.scope is None
            ],
            remedy=_clear_up("failed", names, number),
        )
    if number := sum(row.n for row in failed if row.is_scoped):
        yield _scoped(
            number, [row for row in invocations.failed if _is_run(row, services) and row.scope is not None]
        )


def _scoped(number: int, rows: t.Sequence[Invocation]) -> Finding:
    return Finding(
        code="FAILED_SCOPED_WORKFLOWS",
        severity="warning",
        component="invocations",
        message=f"{count(number, 'workflow run')} with a scope failed for good; this collection leaves them alone.",
        subjects=[f"{row.scope}/{row.target_service_name}/{row.target_service_key}" for row in rows],
        remedy="Purge each with the restate CLI, so that its key can be submitted again: "
        + "; ".join(restate_cli("invocations", "purge", row.id) for row in rows),
    )


def _clear_up(kind: str, services: t.Sequence[str], number: int) -> str:
    """Return the runbook that clears up all runs of a kind, of one service where they are of one."""
    only = {"restate_service_name": services[0]} if len(services) == 1 else {}
    keep = {"restate_snapshot_dir": "~/restate-snapshots"} if kind == "failed" else {}
    limit = str(min(number, _MOST_AT_ONCE))
    return runbook("recover_failed", **only, restate_kinds=kind, restate_limit=limit, **keep)


def _resume(ids: t.Sequence[str], *, is_all: bool, **more: str) -> str:
    """Return the runbook that resumes these; where they are not all, it says so."""
    command = runbook("resume", restate_invocation_ids=",".join(ids), **more)
    return (
        command if is_all else f"These {len(ids)} first, then run the doctor again for the others: {command}"
    )
