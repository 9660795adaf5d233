# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what is wrong with a Restate server, straight against it. Only reads."""

from __future__ import annotations

import typing as t
from concurrent.futures import Future, ThreadPoolExecutor, wait

from ... import _timestamps
from ..._errors import OperatorError
from ..._http.clock import Clock
from ..._restate.admin import AdminClient
from ..._restate.ingress import Ingress
from ..._restate.rows import (
    ACTIVITIES,
    Invocation,
    InvocationId,
    InvocationsByPlace,
    InvokedByActivity,
    PendingCount,
    Question,
)
from ..._restate.server import Restate
from ..._restate.wire import Deployment, Registration
from ..deployments.node_lists import OddLists, odd_lists
from ..deployments.registration import as_registered
from ..deployments.registry import Registry
from ..journal import Journal
from ..operation import Backend
from ..report import SAMPLE
from .components import (
    LONG_RETRYING,
    RECENT_FAILURES,
    Component,
    Doing,
    Invocations,
    Node,
    Observed,
    registry_of,
)
from .plan import Diagnosis, DoctorRequest, make_plan, nothing_to_do
from .report import make_report

_SILENT_SECONDS = 2.0
"""For how long a node may be silent before another one is asked for all that is shown."""


def observe(restate: Restate, request: DoctorRequest) -> Observed:
    """Return what each component answers, asked side by side."""
    admin, ingress = restate.admin, restate.ingress
    with ThreadPoolExecutor(max_workers=16 + 2 * len(restate.node_urls)) as pool:
        admins, ingresses = _ask_nodes(restate, pool)
        odd = _prefer_whole(restate, pool, admins)
        version = pool.submit(_ask, admin.clock, lambda: admin.version)
        asked = {
            "ingress": pool.submit(
                _ask_ingresses, ingresses, admin.clock, lambda: ingress.health(_advertised(version))
            ),
            "deployments": pool.submit(_ask, admin.clock, admin.deployments),
            "services": pool.submit(_ask, admin.clock, admin.services),
        }
        pool.submit(_ask, admin.clock, admin.now)
        subscriptions = pool.submit(_ask, admin.clock, admin.subscriptions)
        invocations = _ask(admin.clock, lambda: _read_invocations(admin, pool, version, asked["deployments"]))
        components = {
            "admin": version.result(),
            **{name: future.result() for name, future in asked.items()},
            "invocations": invocations,
        }
        registry = registry_of(components) if request.probe_services else None
        probes = _probe(admin, pool, registry) if registry else {}
        nodes = {
            "admin": [each.result() for each in admins],
            "ingress": [each.result() for each in ingresses],
        }
    return Observed(
        components,
        admin.connection.shown_url,
        ingress.shown_url,
        probes,
        nodes,
        odd,
        subscriptions.result(),
    )


def _ask_nodes(restate: Restate, pool: ThreadPoolExecutor) -> tuple[list[Future[Node]], list[Future[Node]]]:
    """Ask each of several nodes by itself, its admin API and its ingress."""
    admins, ingresses = restate.admins, restate.ingress.each
    return (
        [pool.submit(_ask_admin, each) for each in admins] if len(admins) > 1 else [],
        [pool.submit(_ask_ingress, each, restate.clock) for each in ingresses] if len(ingresses) > 1 else [],
    )


def _ask_admin(start: t.Callable[[], AdminClient]) -> Node:
    admin = start()
    try:
        asked = _ask(admin.clock, lambda: admin.version)
        queried = None if asked.error else _ask(admin.clock, lambda: admin.query(admin.questions.attempts()))
        return Node(admin.connection.shown_url, asked, queried)
    finally:
        admin.close()


def _prefer_whole(
    restate: Restate, pool: ThreadPoolExecutor, asked: t.Sequence[Future[Node]]
) -> OddLists | None:
    """Ask the first node that can query the cluster and lists what most do; return the nodes that list other things.

    A node that is silent for long is passed over if another one can.
    """
    comparison = pool.submit(odd_lists, restate)
    wait(asked, timeout=_SILENT_SECONDS)
    odd = comparison.result()
    for each in (*(each for each in asked if each.done()), *asked):
        node = each.result()
        if not node.error and not (odd and node.url in odd.differences):
            restate.admin.prefer(node.url)
            break
    return odd


def _ask_ingresses(nodes: t.Sequence[Future[Node]], clock: Clock, read: t.Callable[[], t.Any]) -> Component:
    """Return what the first ingress answers that is there; if none of several is, what is read then."""
    for each in nodes:
        node = each.result()
        if not node.error:
            return node.asked
    return _ask(clock, read)


def _ask_ingress(ingress: Ingress, clock: Clock) -> Node:
    return Node(ingress.shown_url, _ask(clock, lambda: ingress.health(lambda: None)))


def _ask(clock: Clock, read: t.Callable[[], t.Any]) -> Component:
    started = clock.now()
    try:
        value = read()
    except OperatorError as exc:
        return Component(error=exc)
    return Component(value=value, latency_ms=round((clock.now() - started) * 1000))


def _advertised(version: Future[Component]) -> t.Callable[[], str | None]:
    def read() -> str | None:
        component = version.result()
        return component.value.ingress_endpoint if component.value else None

    return read


def _read_invocations(
    admin: AdminClient, pool: ThreadPoolExecutor, version: Future[Component], deployments: Future[Component]
) -> Invocations:
    # The version decides on the questions. It was asked already, and is not asked again where that failed.
    if error := version.result().error:
        raise error
    ask = admin.questions
    by_place = admin.query(ask.invocations_by_place())
    unfinished = [row for row in by_place if row.status != "completed"]
    settled = [row for row in unfinished if row.status in ACTIVITIES]
    is_invoked = len(settled) < len(unfinished)
    may_have_failed = is_invoked or any(row.status == "paused" for row in settled)
    has_failed = any(row.completion_result == "failure" for row in by_place)
    # Each of these reads all invocations, too, so only what the counts show is looked for.
    questions: dict[str, Question[t.Any] | None] = {
        "invoked": ask.invoked_by_activity(retries=LONG_RETRYING) if is_invoked else None,
        "failed": ask.latest_terminal_failures(limit=RECENT_FAILURES) if has_failed else None,
        "unsettled": ask.latest_unsettled(limit=RECENT_FAILURES) if may_have_failed else None,
        "zombies": ask.zombies(limit=SAMPLE) if _may_be_lost(unfinished, deployments.result()) else None,
    }
    asked = {name: pool.submit(admin.query, each) for name, each in questions.items() if each}
    answers: dict[str, t.Any] = {name: each.result() for name, each in asked.items()}
    invoked: list[InvokedByActivity] = answers.pop("invoked", [])
    answers["zombies"] = _in_order(answers.get("zombies", ()))
    answers |= _described(admin, answers)
    ids = [row.id for row in answers["unsettled"] if row.last_failure is None]
    if ids and admin.capabilities.keeps_journal_events:
        answers["events"] = admin.query(ask.last_events(ids))
    return Invocations(
        by_place=by_place,
        unfinished=[
            *(Doing(ACTIVITIES[row.status], False, row.n) for row in settled),
            *(Doing(row.status, row.retried_often, row.n) for row in invoked),
        ],
        pending=_pending(unfinished, invoked),
        **answers,
    )


def _described(
    admin: AdminClient, answers: t.Mapping[str, t.Sequence[InvocationId]]
) -> dict[str, list[Invocation]]:
    """Return what failed and what is unsettled; what neither is any more, or is gone, is left out."""
    failed, unsettled = (answers.get(name, ()) for name in ("failed", "unsettled"))
    ids = dict.fromkeys(row.id for row in (*failed, *unsettled))
    rows = {row.id: row for row in admin.query(admin.questions.failures(ids))} if ids else {}
    is_unsettled = {id_ for id_, row in rows.items() if row.status == "paused" or _is_retried(row)}
    return {
        "failed": _in_order(
            rows[each.id] for each in failed if each.id in rows and rows[each.id].status == "completed"
        ),
        "unsettled": _in_order(rows[each.id] for each in unsettled if each.id in is_unsettled),
    }


def _in_order(rows: t.Iterable[Invocation]) -> list[Invocation]:
    """Return invocations by service, key and age: what is being retried is touched again and again."""
    return sorted(
        rows,
        key=lambda row: (
            row.target_service_name,
            row.target_service_key or "",
            _timestamps.parse(row.created_at),
            row.id,
        ),
    )


def _is_retried(row: Invocation) -> bool:
    return row.status != "completed" and row.last_failure is not None


def _may_be_lost(unfinished: t.Iterable[InvocationsByPlace], deployments: Component) -> bool:
    """Whether any may be pinned to a deployment that is gone: to one that is not listed, or none are told."""
    listed = {deployment.id for deployment in deployments.value or ()}
    return any(row.pinned_deployment_id and row.pinned_deployment_id not in listed for row in unfinished)


def _pending(
    unfinished: t.Iterable[InvocationsByPlace], invoked: t.Iterable[InvokedByActivity]
) -> list[PendingCount]:
    """Return what is unfinished by where it is; only what is invoked can be on an attempt."""
    return [
        *(
            PendingCount(row.target_service_name, row.status, row.n, row.pinned_deployment_id)
            for row in unfinished
            if row.pinned_deployment_id or row.status in ACTIVITIES
        ),
        *(
            PendingCount(
                row.target_service_name,
                row.status,
                row.n,
                last_attempt_deployment_id=row.last_attempt_deployment_id,
            )
            for row in invoked
            if row.is_unpinned
        ),
    ]


def _probe(
    admin: AdminClient, pool: ThreadPoolExecutor, registry: Registry
) -> dict[str, Registration | OperatorError]:
    """Return, by id, what those that are the latest for a service answer to discovery, or why they do not."""

    def ask(deployment: Deployment) -> Registration | OperatorError:
        try:
            return admin.discover(as_registered(deployment, admin.capabilities))
        except OperatorError as exc:
            return exc

    asked = {
        deployment.id: pool.submit(ask, deployment)
        for deployment in registry.deployments
        if registry.latest_at(deployment.id)
    }
    return {deployment_id: future.result() for deployment_id, future in asked.items()}


def only_reads(_restate: t.Any, _diagnosis: Diagnosis, _journal: Journal) -> None:
    """Do nothing: the doctor has seen all that it shows."""


BACKEND = Backend(
    request=DoctorRequest,
    observe=observe,
    plan=make_plan,
    predict=nothing_to_do,
    apply=only_reads,
    report=make_report,
)
