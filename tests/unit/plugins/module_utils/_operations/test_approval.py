# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plans have the same digest, and what is told of those that have not."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import datetime
import shlex
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.approval import (
    MOST_NAMED,
    NOTHING,
    Approval,
    PlanDigest,
    Subject,
    nothing_approved,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup import approval as of_cleanup
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup import plan as cleanup
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.pending import Pending
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.fit import Offer
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery import approval as of_recovery
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery import plan as recovery
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.key_state import KeyState
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.workflow import Workflow
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy import approval as of_redeploy
from ansible_collections.dalp.restate.plugins.module_utils._operations.redeploy import plan as redeploy
from ansible_collections.dalp.restate.plugins.module_utils._operations.resume import approval as of_resume
from ansible_collections.dalp.restate.plugins.module_utils._operations.resume import plan as resume
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    deployment,
    detail,
    invocation,
    registration,
    registry,
    service,
)

LATER = "2026-02-02T00:00:00.000Z"


def digest(subjects: list[Subject]) -> str:
    return str(PlanDigest.of("operation", subjects))


# Clean up

A_DAY = 86400.0
NEW, OLD = deployment("dp_new", "Flow", day=3), deployment("dp_old", "Flow", day=2)
KILL: dict[str, Any] = {"force_drain": True, "drain_timeout": 0, "pending": "kill"}
MOVE: dict[str, Any] = {"force_drain": True, "drain_timeout": 0, "pending": "migrate"}


def waiting(id_: str = "inv_1", status: str = "suspended", **more: Any) -> Invocation:
    return invocation(id_, status, pinned_deployment_id="dp_old", **more)


def cleaning(
    *rows: Invocation,
    others: Any = (OLD,),
    handlers: dict[str, str | None] | None = None,
    kept: Any = NEW,
    **asked: Any,
) -> str:
    seen = registry(kept, *others, latest={"Flow": kept.id})
    if handlers:
        seen.latest["Flow"] = service("Flow", kept.id, handlers=handlers)
    pending = {each.id: 0 for each in seen.deployments} | {"dp_old": len(rows)}
    knows_rows = asked.get("drain_timeout") == 0
    observed = cleanup.Observed(
        seen,
        Pending(pending),
        {each.id: A_DAY for each in seen.deployments},
        unfinished={"dp_old": rows} if knows_rows else {},
        offer=Offer("new", seen.latest) if asked.get("pending") == "migrate" else None,
    )
    plan = cleanup.make_plan(observed, cleanup_request(**asked))
    assert plan.error is None, plan.error
    return digest(of_cleanup.subjects(plan))


# Register


def registering(*services: Any, registered: Any = None, latest: Any = (), **more: Any) -> str:
    asked: dict[str, Any] = {"force": True, "wait_timeout": 60, "service_url": "http://dp_1:9080"} | more
    sdk = asked.pop("sdk_version", None)
    observed = redeploy.Observed(
        registered, {each.name: each for each in latest}, registration("dp_1", *services, sdk_version=sdk)
    )
    plan = redeploy.make_plan(observed, redeploy.RedeployRequest(**asked))
    assert plan.error is None, plan.error
    return digest(of_redeploy.subjects(plan))


# Recover and resume


def recovering(
    *rows: Invocation,
    children: tuple[str, ...] = (),
    state: tuple[str, ...] = (),
    retries: int = 9,
    **asked: Any,
) -> str:
    seen = KeyState("Flow", "k", rows, frozenset({"run"}), {row.id: retries for row in rows}, state)
    observed = recovery.Observed(
        (("Flow", "k"),),
        {"Flow": Workflow("Flow", frozenset({"run"}), None)},
        {("Flow", "k"): seen},
        datetime.datetime.now(datetime.UTC),
        children={rows[0].id: children} if rows else {},
    )
    request = recovery.RecoveryRequest(
        service_name="Flow", service_key="k", skip_blocked=False, **{"kill_active": "never", **asked}
    )
    return digest(of_recovery.subjects(recovery.make_plan(observed, request)))


def failed(**more: Any) -> Invocation:
    return invocation("run", "completed", "run", "failure", **more)


def resuming(
    *rows: Invocation, missing: tuple[str, ...] = (), latest: str = "dp_new", to: str = "keep"
) -> str:
    seen = registry(NEW, OLD, deployment("dp_newer", "Flow", day=4), latest={"Flow": latest})
    offers = {each: Offer(each, seen.latest) for each in seen.ids}
    observed = resume.Observed(rows, missing, 0, resume.Places(seen, offers))
    request = resume.ResumeRequest(deployment=to, skip_blocked=False)
    return digest(of_resume.subjects(resume.make_plan(observed, request)))


A, B = service("A"), service("B")


# fmt: off
@pytest.mark.parametrize(("one", "other"), [
    pytest.param(cleaning(), cleaning(waiting()), id="cleanup: remove, and wait_then_remove"),
    pytest.param(cleaning(waiting()), cleaning(waiting(), waiting("inv_2")), id="cleanup: how many drain"),
    pytest.param(cleaning(waiting(), **MOVE), cleaning(waiting("inv_2"), waiting("inv_3"), **MOVE), id="cleanup: what moves"),
    pytest.param(cleaning(**MOVE), cleaning(waiting(), **MOVE), id="cleanup: whether anything moves"),
    pytest.param(cleaning(waiting(), **KILL), cleaning(waiting(status="invoked"), **KILL), id="cleanup: the status of what is killed"),
    pytest.param(cleaning(), cleaning(kept=deployment("dp_assumed", "Flow", day=9, url="http://dp_new:9080")), id="cleanup: the id and the age of the kept one"),
    pytest.param(cleaning(), cleaning(service_url="http://DP_NEW:9080/"), id="cleanup: how the URL is written"),
    pytest.param(registering(A, B), registering(B, A), id="redeploy: the order of services"),
    pytest.param(registering(A, registered=detail("dp_1", B), latest=[B]), registering(A, registered=detail("dp_1", B, url="http://dp_1:9080"), latest=[B]), id="redeploy: how the registered URL is written"),
    pytest.param(registering(A, additional_headers={"x": "one"}), registering(A, additional_headers={"x": "two"}), id="redeploy: the values of headers"),
    pytest.param(recovering(invocation("run", "paused"), kill_active="any"), recovering(invocation("run", "invoked"), kill_active="any"), id="recovery: the status of what is killed"),
    pytest.param(recovering(invocation("run", "paused"), kill_active="any"), recovering(invocation("run", "paused"), kill_active="stuck"), id="recovery: the rule by which the same is killed"),
    pytest.param(recovering(invocation("run", "invoked"), kill_active="stuck"), recovering(invocation("run", "invoked"), kill_active="stuck", retries=10), id="recovery: the number of attempts"),
    pytest.param(resuming(waiting(status="paused")), resuming(waiting(status="paused", last_failure="again")), id="resume: what it failed with"),
    pytest.param(resuming(waiting()), resuming(waiting(status="completed")), id="resume: why nothing is to be done"),
])
def test_these_are_the_same_plan(one: str, other: str) -> None:
    assert one == other


@pytest.mark.parametrize(("one", "other"), [
    pytest.param(cleaning(), cleaning(others=[OLD, deployment("dp_2", "Flow")]), id="cleanup: another deployment goes"),
    pytest.param(cleaning(remove="superseded"), cleaning(keep=["dp_old"]), id="cleanup: one stays"),
    pytest.param(cleaning(), cleaning(others=[deployment("dp_old", "Flow", day=1)]), id="cleanup: what goes was registered at another time"),
    pytest.param(cleaning(), cleaning(handlers={"run": "Workflow"}), id="cleanup: the kept one has other handlers"),
    pytest.param(cleaning(), cleaning(handlers={"run": "Workflow", "status": "Exclusive"}), id="cleanup: the kept one has handlers of another type"),
    pytest.param(cleaning(waiting()), cleaning(waiting(), force_drain=True), id="cleanup: what becomes of what pends in the end"),
    pytest.param(cleaning(waiting(), **KILL), cleaning(waiting(), **{**KILL, "pending": "abandon"}), id="cleanup: how pending work is ended"),
    pytest.param(cleaning(waiting(), **KILL), cleaning(waiting("inv_2"), **KILL), id="cleanup: what is killed"),
    pytest.param(cleaning(waiting(), **KILL), cleaning(waiting(created_at=LATER), **KILL), id="cleanup: what is killed is a new run"),
    pytest.param(cleaning(**KILL), cleaning(waiting(), **KILL), id="cleanup: whether anything is killed"),
    pytest.param(cleaning(waiting(), **MOVE), cleaning(waiting(status="paused"), **MOVE), id="cleanup: whether anything is paused and holds it"),
    pytest.param(cleaning(waiting(), **MOVE), cleaning(waiting(), migrate_paused=True, **MOVE), id="cleanup: whether the paused move"),
    pytest.param(registering(A), registering(A, B), id="redeploy: another service"),
    pytest.param(registering(A), registering(service("A", handlers={"run": "Workflow"})), id="redeploy: another handler"),
    pytest.param(registering(A, sdk_version="1"), registering(A, sdk_version="2"), id="redeploy: another SDK"),
    pytest.param(registering(A), registering(A, latest=[service("A", "dp_2")]), id="redeploy: it supersedes another deployment"),
    pytest.param(registering(A), registering(A, service_url="http://dp_1:9081"), id="redeploy: another URL"),
    pytest.param(registering(A), registering(A, registered=detail("dp_1", A), latest=[A]), id="redeploy: it is registered already"),
    pytest.param(registering(A), registering(A, additional_headers={"x": "one"}), id="redeploy: a header"),
    pytest.param(registering(A), registering(A, metadata={"sha": "1"}), id="redeploy: metadata"),
    pytest.param(recovering(failed()), recovering(failed(created_at=LATER)), id="recovery: the run is a new one"),
    pytest.param(recovering(failed()), recovering(failed(), invocation("inv_2", "completed", "status", "success")), id="recovery: more is purged"),
    pytest.param(recovering(failed()), recovering(), id="recovery: there is nothing any more"),
    pytest.param(recovering(failed()), recovering(invocation("run", "completed", "run", "success")), id="recovery: it is blocked"),
    pytest.param(recovering(invocation("run", "paused")), recovering(invocation("run", "completed", "run", "success")), id="recovery: why it is blocked"),
    pytest.param(recovering(invocation("run", "paused"), kill_active="any"), recovering(failed(), kill_active="any"), id="recovery: whether it is killed"),
    pytest.param(recovering(invocation("run", "paused"), kill_active="any"), recovering(invocation("run", "paused"), kill_active="any", children=("c",)), id="recovery: what a kill takes along"),
    pytest.param(recovering(state=("a",), clear_orphaned_state=True), recovering(state=("b",), clear_orphaned_state=True), id="recovery: what state is cleared"),
    pytest.param(resuming(waiting(status="paused")), resuming(waiting("inv_2", status="paused")), id="resume: another one"),
    pytest.param(resuming(waiting(status="paused")), resuming(waiting(status="paused", created_at=LATER)), id="resume: a new run of the key"),
    pytest.param(resuming(waiting(status="paused")), resuming(waiting(status="paused"), to="latest"), id="resume: where it goes on"),
    pytest.param(resuming(waiting(status="paused"), to="latest"), resuming(waiting(status="paused"), to="latest", latest="dp_newer"), id="resume: what the latest is"),
    pytest.param(resuming(waiting(status="paused")), resuming(missing=("inv_1",)), id="resume: it is gone"),
])
def test_these_are_other_plans(one: str, other: str) -> None:
    assert one != other
# fmt: on


# What differs


def named(**actions: str) -> list[Subject]:
    return [Subject(name, action, action) for name, action in actions.items()]


def told(approved: list[Subject], now: list[Subject]) -> str | None:
    given = PlanDigest.read(str(PlanDigest.of("op", approved)), "op")
    approval = Approval("op", given)
    refusal = approval.refusal(approval.digest(now))
    if refusal is None:
        return None
    assert refusal.code == "RESTATE_PLAN_CHANGED"
    return refusal.message.partition("approved: ")[2].removesuffix(". Nothing was touched.")


@pytest.mark.parametrize(("approved", "now", "difference"), [
    (named(a="remove"), named(a="remove"), None),
    (named(a="remove", b="remove"), named(b="remove", a="remove"), None),
    ([], [], None),
    (named(a="remove"), named(a="remove", b="keep"), "new: b (keep)"),
    (named(a="remove", b="remove"), named(a="remove"), "no longer there, so it is done already or gone: b (remove)"),
    (named(a="remove"), named(a="stays"), "changed: a (remove, now stays)"),
    (named(a="recover"), [Subject("a", "recover", "another run")], "changed: a (recover)"),
    (named(a="register"), named(a=NOTHING), "nothing is left to do, so it is done already: a (register)"),
    (named(**{f"k{number:02}": "recover" for number in range(30)}), [], f"no longer there, so it is done already or gone: {', '.join(f'k{number:02} (recover)' for number in range(20))} and 10 more"),
    (named(**{f"(a), {number:02}": "recover" for number in range(30)}), [], f"no longer there, so it is done already or gone: {', '.join(f'(a), {number:02} (recover)' for number in range(20))} and 10 more"),
])  # fmt: skip
def test_what_differs_is_named(approved: list[Subject], now: list[Subject], difference: str | None) -> None:
    assert told(approved, now) == difference


def test_of_very_many_the_numbers_are_told() -> None:
    many = named(**{f"k{number}": "recover" for number in range(MOST_NAMED + 1)})
    assert len(str(PlanDigest.of("op", many))) < 100
    assert told(many, many) is None
    assert told(many, [*many[1:], Subject("k0", "blocked")]) == (
        "approved were 101 subjects (101 recover), now it is 101 subjects (1 blocked, 100 recover)"
    )
    assert told(many, [*many[1:], Subject("k0", "recover", "another run")]) == (
        "approved were 101 subjects (101 recover), now it is as many, and others or otherwise"
    )
    assert (
        told(many, many[:2]) == "approved were 101 subjects (101 recover), now it is 2 subjects (2 recover)"
    )


def test_what_was_not_approved_differs_from_any_plan() -> None:
    approval = Approval("op", PlanDigest.read(nothing_approved("op"), "op"))
    for subjects in ([], named(a="remove")):
        refusal = approval.refusal(approval.digest(subjects))
        assert refusal is not None
        assert "it is no step of what was approved" in refusal.message


@pytest.mark.parametrize("name", ["a b", "{{ 7*7 }}", "a,b=c:d*e%2C", "it's \"so\" $HOME\n", "ü/é", "+", "!vault", "a@b"])  # fmt: skip
def test_a_digest_is_a_word_for_ansible_and_a_shell_whatever_a_name_is(name: str) -> None:
    one = PlanDigest.of("op", [Subject(name, "recover")])
    assert shlex.quote(str(one)).strip("'") == str(one)
    assert not set(str(one)) & set(" {}'\"$\n@")
    assert PlanDigest.read(f" {one}\n", "op").entries == one.entries


def test_what_is_hidden_in_a_name_still_tells_plans_apart() -> None:
    digests = [
        str(PlanDigest.of("op", named(**{name: "recover"}), shown=lambda _name: "***")) for name in "ab"
    ]
    assert all("%2A%2A%2A=" in each for each in digests)
    assert digests[0] != digests[1]


@pytest.mark.parametrize("text", ["x", "op", "op,1", "other,1,0", "op,2,0", "op,1,0,a=b", "op,1,0,a", "op,1,0,a*b", "op,1,,a=b:c"])  # fmt: skip
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="is not what a dry run of restate_op returned") as refused:
        PlanDigest.read(text, "op")
    assert refused.value.code == "RESTATE_INVALID_ARGUMENT"
