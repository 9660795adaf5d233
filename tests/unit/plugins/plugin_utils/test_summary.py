# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads at the end of a runbook, and the commands in it."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._redact import Patterns
from ansible_collections.dalp.restate.plugins.plugin_utils.advice import with_variables
from ansible_collections.dalp.restate.plugins.plugin_utils.command_line import Command
from ansible_collections.dalp.restate.plugins.plugin_utils.summary import Run, Step, lines

CALLED: dict[str, Any] = {
    "args": ("dalp.restate.release",),
    "inventory": ("my inventory.yml",),
    "extra_vars": (
        "restate_service_url=http://v2:1 restate_reason='a b'",
        '{"restate_auth_token": "hush", "restate_limit": 3}',
        "restate_headers={'x': 'hush'}",
        "@vars.yml",
    ),
    "vault_ids": ("ops@prompt",),
    "diff": True,
}


def command() -> Command:
    return Command(CALLED, "staging")


def result(check: bool = False, **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"check_mode": check, "actor": "ops", "reason": None}
    record = {"id": "1", "time": "T", "type": "dalp.restate.x", "subject": "S", "data": data}
    return {"msg": "All of it.", "changed": True, "audit": record, **more}


def finding(severity: str, remedy: str = "ansible-playbook dalp.restate.resume -e a=b") -> dict[str, str]:
    return {"severity": severity, "code": "CODE", "message": f"It is {severity}.", "remedy": remedy}


def examined(*findings: dict[str, str], healthy: bool = True, check: bool = False) -> dict[str, Any]:
    return result(check, msg="Restate works.", findings=list(findings), healthy=healthy)


def told(before: dict[str, Any], after: dict[str, Any], **steps: dict[str, Any]) -> list[str]:
    taken = tuple(Step(name, found) for name, found in steps.items())
    run = Run("Release", "staging", Step("doctor", before), taken, Step("doctor", after), command())
    return [line.text for line in lines(run)]


def section(name: str, text: list[str]) -> list[str]:
    start = next(number for number, line in enumerate(text) if line.startswith(name))
    rest = [*text[start + 1 :], ""]
    return rest[: rest.index("")]


@pytest.mark.parametrize(("found", "healthy", "said"), [
    ([], True, "Restate is healthy"),
    (["nothing"], True, "Restate answers, and nothing is registered there"),
    (["nothing", "warning"], True, "Restate needs attention (1 warning)"),
    (["warning", "warning", "info"], True, "Restate needs attention (2 warnings)"),
    (["critical"], False, "Restate is NOT healthy (1 critical finding)"),
])  # fmt: skip
def test_the_headline_tells_the_health_and_not_only_that_the_play_ran(
    found: list[str], healthy: bool, said: str
) -> None:
    findings = [
        {**finding("info"), "code": "NOTHING_REGISTERED"} if each == "nothing" else finding(each)
        for each in found
    ]
    text = told(examined(), examined(*findings, healthy=healthy), cleanup=result())
    assert text[0] == f"Release on staging: done; {said}"


def test_a_dry_run_is_one_by_the_results_own_check_mode_and_ends_with_the_command_that_does_it() -> None:
    text = told(examined(finding("warning"), check=True), {}, cleanup=result(check=True))
    assert text[0].startswith("Release on staging: dry run, nothing was changed;")
    assert section("WOULD BE DONE", text) == ["  - cleanup: All of it."]
    assert section("LEFT", text) == ["  - nothing"]
    assert section("NEXT", text)[-1].startswith("ansible-playbook dalp.restate.release -i")


PLANS = {
    "redeploy": "redeploy,1,a,http://v2:1=register:b",
    "cleanup": "cleanup,1,c,dp_1+at+http://v1:1=remove:d",
}


def test_the_command_of_a_dry_run_does_exactly_what_was_told() -> None:
    steps = {name: result(check=True, plan_digest=digest) for name, digest in PLANS.items()}
    *_told, what, typed = section("NEXT", told(examined(check=True), {}, **steps))
    assert what == "  - do exactly this:"
    *_words, option, given, diff = shlex.split(typed)
    assert (option, json.loads(given), diff) == ("-e", {"restate_plan_digests": PLANS}, "--diff")


@pytest.mark.parametrize("given", [
    "restate_limit=3 restate_plan_digests='{}' restate_reason=x",
    '{"restate_limit": 3, "restate_plan_digests": {"cleanup": "cleanup,1,old"}, "restate_reason": "x"}',
    '{"restate_plan_digests": {"cleanup": "cleanup,1,old"}}',
])  # fmt: skip
def test_the_plans_that_a_dry_run_was_given_are_not_handed_on(given: str) -> None:
    called = Command({"args": ("x",), "extra_vars": (given,), "check": True}, "h")
    for words in (shlex.split(called.for_real(PLANS)), shlex.split(called.dry_run())):
        assert "old" not in " ".join(words)
        assert ("restate_limit" in " ".join(words)) == ("restate_limit" in given)
    assert " ".join(shlex.split(called.for_real(PLANS))).count("restate_plan_digests") == 1
    assert given in shlex.split(called.again())


def planned(name: str, **more: Any) -> dict[str, Any]:
    told_of = result(**more)
    told_of["audit"]["data"]["arguments"] = {"plan_digest": PLANS[name]}
    return told_of


@pytest.mark.parametrize(("redeploy", "cleanup"), [
    pytest.param(planned("redeploy", failed=True, changed=False, error={"code": "RESTATE_PLAN_CHANGED", "remedy": "Look."}), {}, id="another plan"),
    pytest.param(planned("redeploy"), planned("cleanup", failed=True, changed=False, error={"code": "RESTATE_DRAIN_TIMEOUT", "remedy": "Look."}), id="half of it is done"),
])  # fmt: skip
def test_where_what_was_approved_does_not_hold_any_more_a_new_dry_run_is_next(
    redeploy: dict[str, Any], cleanup: dict[str, Any]
) -> None:
    text = section("NEXT", told(examined(), examined(), redeploy=redeploy, cleanup=cleanup))
    assert text[:2] == ["  - Look.", "  - see what is left to be done, in a new dry run:"]
    assert "--check" in shlex.split(text[2])


def test_what_was_approved_and_not_begun_is_tried_again_as_it_is() -> None:
    failed = planned(
        "redeploy", failed=True, changed=False, error={"code": "RESTATE_ADMIN_UNREACHABLE", "remedy": "Look."}
    )
    text = section("NEXT", told(examined(), examined(), redeploy=failed, cleanup={}))
    assert "--check" not in shlex.split(text[2])


def of_steps(**steps: dict[str, Any]) -> dict[str, str] | None:
    taken = tuple(Step(name, found) for name, found in steps.items())
    return Run("x", "h", Step("doctor", examined()), taken, Step("doctor", {}), command()).plan_digests


@pytest.mark.parametrize(("steps", "left"), [
    pytest.param({"redeploy": result(check=True, plan_digest="a"), "cleanup": result(check=True, plan_digest="b")}, {"redeploy": "a", "cleanup": "b"}, id="a dry run leaves its plans"),
    pytest.param({"redeploy": result(check=True, plan_digest="a"), "cleanup": {}}, {"redeploy": "a"}, id="of the steps that ran"),
    pytest.param({"redeploy": result(plan_digest="a")}, {}, id="a run for real is done with them"),
    pytest.param({"recover_workflow": result(check=True)}, {}, id="what is not predicted has none"),
    pytest.param({"doctor": examined()}, None, id="a doctor leaves those that there are"),
    pytest.param({"redeploy": {}}, None, id="so does a run that did not come to its steps"),
])  # fmt: skip
def test_what_a_run_leaves_of_plans_to_those_after_it(
    steps: dict[str, dict[str, Any]], left: dict[str, str] | None
) -> None:
    assert of_steps(**steps) == left


def test_what_depends_on_a_failed_step_is_skipped_by_name() -> None:
    failed = result(failed=True, msg="No. What to do: Look.", error={"remedy": "Look."})
    text = told(examined(), examined(), check={}, redeploy=failed, cleanup={})
    assert text[0].startswith("Release on staging: FAILED")
    assert section("DONE", text) == ["  - redeploy: No.", "  - cleanup: not tried, since redeploy failed"]
    remedy, again, typed, *_findings = section("NEXT", text)
    assert (remedy, again) == ("  - Look.", "  - then again, with what you decided:")
    assert shlex.split(typed)[:2] == ["ansible-playbook", "dalp.restate.release"]


def test_what_is_removed_is_named_and_of_many_the_first() -> None:
    steps = [
        {"action": "remove", "deployment_id": f"dp_{number}", "service_url": "http://v1"}
        for number in range(25)
    ]
    few = told(examined(), examined(), cleanup=result(removed=["dp_1"], steps=steps))
    assert section("DONE", few)[-1] == "    removed: dp_1 at http://v1"
    many = told(
        examined(), examined(), cleanup=result(removed=[f"dp_{number}" for number in range(25)], steps=steps)
    )
    assert section("DONE", many)[-1].endswith("dp_19 at http://v1 and 5 more; the result names all")


def test_what_was_done_before_a_failure_is_a_line_for_each_kind() -> None:
    done = [
        {"action": "register", "service_url": "http://v2"},
        *({"action": "remove", "deployment_id": "dp_1"},) * 2,
    ]
    failed = result(failed=True, msg="No.", error={"remedy": ""}, done=done)
    assert section("DONE", told(examined(), examined(), cleanup=failed))[1:] == [
        "    done before the failure: register http://v2",
        "    done before the failure: remove dp_1, dp_1",
    ]


def test_a_dry_run_that_would_fail_is_followed_by_the_same_dry_run() -> None:
    called = Command({**CALLED, "check": True}, "staging")
    assert "--check" in shlex.split(called.again())
    assert "--check" not in shlex.split(called.for_real())


def test_a_look_before_the_work_is_told_only_where_it_refused() -> None:
    passed: dict[str, Any] = {"msg": "All assertions passed", "changed": False}
    assert section("DONE", told(examined(), examined(), check=passed, redeploy=result())) == [
        "  - redeploy: All of it."
    ]
    text = told(
        examined(), {}, check={"failed": True, "msg": "Task failed: RESTATE_UNSUPPORTED: No."}, redeploy={}
    )
    assert section("DONE", text)[0] == "  - check: RESTATE_UNSUPPORTED: No."


def test_a_result_without_a_message_does_not_hide_that_it_failed() -> None:
    assert section("DONE", told({}, {}, cleanup={"failed": True}))[0] == "  - cleanup: failed"


def test_what_is_left_is_named_with_its_reason() -> None:
    entry = {"deployment_id": "dp_1", "service_url": "http://a", "reason": "kept", "pending_invocations": 2}
    blocked = {
        "target": "Flow/k/run",
        "outcome": "blocked",
        "reason": "deployment_gone",
        "message": "it is gone",
    }
    text = told(examined(), examined(), cleanup=result(remaining=[entry]), resume=result(results=[blocked]))
    assert section("LEFT", text) == [
        "  - deployment dp_1 at http://a: kept, 2 pending",
        "  - Flow/k/run: deployment_gone, it is gone",
    ]


def test_the_command_carries_all_that_was_given_and_no_secret() -> None:
    words = shlex.split(command().for_real())
    assert words == [
        "ansible-playbook",
        "dalp.restate.release",
        *("-i", "my inventory.yml", "--vault-id", "ops@prompt", "--limit", "staging"),
        *("-e", "restate_service_url=http://v2:1 restate_reason='a b'"),
        *("-e", '{"restate_auth_token": "<yours>", "restate_limit": 3}'),
        *("-e", "restate_headers=<yours>", "-e", "@vars.yml", "--diff"),
    ]


@pytest.mark.parametrize(("given", "shown"), [
    ("vault_restate_token=hush", "vault_restate_token=<yours>"),
    ("restate_admin_url=http://ops:hush@a:9070,http://b", "restate_admin_url=http://<yours>@a:9070,http://b"),
    ("restate_reason='card 4711-0815'", "restate_reason='card <yours>'"),
    ('{"restate_audit_context": {"card": "4711-0815"}}', '{"restate_audit_context": "<yours>"}'),
    ('{"restate_additional_headers": {"x": "hush"}}', '{"restate_additional_headers": "<yours>"}'),
    ("restate_dalp_api_key=hush restate_limit=3", "restate_dalp_api_key=<yours> restate_limit=3"),
    ("restate_redact_patterns=hush", "restate_redact_patterns=<yours>"),
    ("unbalanced='hush", ""),
    ("restate_admin_url=http://ops:hu@hush/hush@a", "restate_admin_url=http://<yours>@a"),
    ("""restate_metadata='{"a": "b"}'""", """restate_metadata='{"a": "b"}'"""),
])  # fmt: skip
def test_no_command_shows_what_is_secret(given: str, shown: str) -> None:
    called = Command({"args": ("x",), "extra_vars": (given,)}, "h", Patterns([re.compile(r"\d{4}-\d{4}")]))
    words = shlex.split(called.for_real())
    assert (words[words.index("-e") + 1] if shown else "-e" in words) == (shown or False)
    assert "hush" not in called.completed("Run restate_doctor")


def test_another_command_goes_to_the_same_place_and_does_only_what_it_says() -> None:
    text = command().completed("Run restate_doctor, or: ansible-playbook dalp.restate.resume -e a=b")
    where = "-i 'my inventory.yml' --vault-id ops@prompt --limit staging"
    assert text.startswith(f"Run ansible-playbook dalp.restate.doctor {where} -e")
    assert "hush" not in text
    assert "restate_limit" not in text
    assert "restate_service_url" not in text
    assert text.endswith("-e a=b")


@pytest.mark.parametrize(("advice", "read"), [
    ("Set deployment to latest, or to the id of a deployment.", "Set restate_deployment to latest, or to the id of a deployment."),
    ("resume them, or set migrate_paused to true.", "resume them, or set restate_migrate_paused to true."),
    ("Let it drain (force_drain: false), or choose pending: cancel.", "Let it drain (restate_force_drain: false), or choose restate_pending: cancel."),
    ("Set restate_limit; ansible-playbook x -e restate_service_url=http://a/min_age", "Set restate_limit; ansible-playbook x -e restate_service_url=http://a/min_age"),
])  # fmt: skip
def test_advice_names_the_variables_of_the_runbook(advice: str, read: str) -> None:
    assert with_variables(advice) == read


def test_what_an_examination_did_not_ask_is_told_beside_what_it_found() -> None:
    def seen(*findings: dict[str, str], message: str = "Restate works.", **arguments: Any) -> list[str]:
        found = {**examined(*findings), "msg": message}
        found["audit"]["data"]["arguments"] = arguments
        return section("FOUND", told(found, {}, cleanup=result()))

    not_asked = "  - services were not asked whether they answer (restate_probe_services: false)"
    assert seen(finding("info"), probe_services=False) == ["  - info: It is info.", not_asked]
    assert seen(probe_services=False) == ["  - Restate works.", not_asked]
    assert seen(message="Services were not asked.", probe_services=False) == ["  - Services were not asked."]
    assert seen(probe_services=True) == ["  - Restate works."]
    assert seen(probe_services=False, backend="dalp")[1].endswith("(DALP asks none)")
