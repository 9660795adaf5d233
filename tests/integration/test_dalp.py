# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runbooks and tasks through DALP: what it acknowledges has really happened, and its audit has all it was asked."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dalp.errors import Envelope
from tests.integration.dalp.server import OPERATOR_KEY, USER_KEY, DalpServer
from tests.integration.playbook import playbook
from tests.integration.server import Server
from tests.integration.three_runs import reason

OPERATOR = "operator@example.com"
ORDER: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": "order-1"}

pytestmark = pytest.mark.usefixtures("through_dalp")


def run(
    name: str, dalp: DalpServer, tmp_path: Path, *options: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    variables = {
        "restate_backend": "dalp",
        "restate_dalp_url": dalp.url,
        "restate_dalp_api_key": OPERATOR_KEY,
        "restate_reason": "INC-4711",
    }
    ran = playbook(name, tmp_path, *options, **{**variables, **more})
    assert OPERATOR_KEY not in ran.stdout + ran.stderr
    return ran


def routes(dalp: DalpServer) -> list[str]:
    return [asked.route for asked in dalp.requests]


# Runbooks


def test_a_release_is_predicted_and_then_really_happens(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    server.release("drained", "release-1")
    old = server.release("release-1")
    server.order("order-1", "ok")
    url = server.serve("release-2", "release-2")
    before = server.snapshot()

    asked = {"restate_service_url": url, "restate_remove": "all"}
    dry = run("release", dalp, tmp_path, "--check", "--diff", **asked)

    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert set(routes(dalp)) == {"doctor"}
    assert server.snapshot() == before
    assert f"redeploy: DALP would register {url}, if the service then answers Restate." in dry.stdout
    assert "would remove all others (remove: all is what its route does): 2 deployments" in dry.stdout

    dalp.requests.clear()
    dalp.rows.clear()
    real = run("release", dalp, tmp_path, "--diff", **asked)

    assert real.returncode == 0, real.stdout + real.stderr
    assert "removed all others (remove: all is what its route does): 2 deployments" in real.stdout
    new = server.service("OrderWorkflow")["deployment_id"]
    assert server.deployment_ids() == {new}
    assert old.id != new
    writes = [asked for asked in dalp.requests if asked.route != "doctor"]
    assert writes == [
        ("force-redeploy", {"serviceUrl": url, "force": True}),
        ("cleanup-stale-deployments", {"serviceUrl": server.deployment(new)["uri"], "forceDrain": False}),
    ]
    assert routes(dalp)[0] == routes(dalp)[-1] == "doctor"
    assert len(dalp.rows) == len(dalp.requests)
    assert {(row.actor, row.outcome) for row in dalp.rows} == {(OPERATOR, "succeeded")}


def test_a_release_removes_nothing_unless_all_is_asked_for(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", "release-2")

    dry = run("release", dalp, tmp_path, "--check", restate_service_url=url)
    plans = json.loads(re.findall(r'"restate_plan_digests": (\{[^}]*\})', dry.stdout)[-1])
    assert plans.keys() == {"redeploy"}
    real = run("release", dalp, tmp_path, restate_service_url=url, restate_plan_digests=plans)

    for ran in (dry, real):
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "cleanup: Left out: DALP can only remove every other deployment" in ran.stdout
        assert "set restate_remove to all" in ran.stdout
    assert "cleanup-stale-deployments" not in routes(dalp)
    assert server.deployment_ids() == {old.id, server.service("OrderWorkflow")["deployment_id"]}

    refused = run(
        "release", dalp, tmp_path, restate_service_url=url, restate_remove="all", restate_keep_revisions="1"
    )
    assert "DALP cannot honour restate_keep_revisions; nothing was sent." in refused.stdout


def test_a_runbook_of_somebody_who_may_not_operate_ends_with_the_remedy(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    url = server.serve("release-1", "release-1")

    ran = run("release", dalp, tmp_path, restate_service_url=url, restate_dalp_api_key=USER_KEY)

    assert ran.returncode == 2
    assert USER_KEY not in ran.stdout + ran.stderr
    assert "Use an operator account or update the caller's role before retrying." in ran.stdout
    assert set(routes(dalp)) == {"doctor"}
    assert {row.outcome for row in dalp.rows} == {"failed"}
    assert server.deployment_ids() == set()


def test_a_recovery_runbook_clears_one_key_and_names_the_other(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    active = server.order("order-2", "wait")
    workflows = [{"service_name": "OrderWorkflow", "service_key": key} for key in ("order-1", "order-2")]

    ran = run("recover_workflow", dalp, tmp_path, restate_workflows=workflows)

    assert ran.returncode == 2
    assert "active_invocation" in ran.stdout
    assert active in ran.stdout
    assert [asked.body for asked in dalp.requests if asked.route == "recover-stuck-workflow"] == [
        {"serviceName": "OrderWorkflow", "serviceKey": key} for key in ("order-1", "order-2")
    ]
    assert set(server.count_rows_of_key("order-1").values()) == {0}
    assert server.count_rows_of_key("order-2")["sys_invocation_status"] == 1


def test_the_other_runbooks_are_unchanged(server: Server, dalp: DalpServer, tmp_path: Path) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")
    others = [f"dalp.restate.{name}" for name in ("cleanup", "rollback", "doctor")]

    ran = run("redeploy", dalp, tmp_path, *others, restate_service_url=url)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    titles = ("Registration", "Cleanup", "Rollback", "Examination")
    assert [title for title in titles if f"{title} on localhost: done" in ran.stdout] == list(titles)
    writes = ["force-redeploy", "cleanup-stale-deployments", "force-redeploy"]
    assert [route for route in routes(dalp) if route != "doctor"] == writes
    assert server.deployment_ids() == {server.service("OrderWorkflow")["deployment_id"]}


def test_a_runbook_for_which_dalp_has_no_route_fails_and_is_recorded(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    ran = run("recover_failed", dalp, tmp_path, restate_limit=10, restate_snapshot_dir=str(tmp_path))

    assert ran.returncode == 2
    assert "Clearing up on localhost: FAILED" in ran.stdout
    assert "DALP has no route for restate_resume; nothing was sent." in ran.stdout
    assert "dalp.restate.resume.refused" in ran.stdout
    assert set(routes(dalp)) == {"doctor"}


def test_a_release_refuses_what_its_cleanup_would_refuse_before_anything_is_sent(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    url = server.serve("release-1", "release-1")

    ran = run(
        "release", dalp, tmp_path, restate_service_url=url, restate_pending="migrate", restate_keep=["dp_1"]
    )

    assert ran.returncode == 2
    assert (
        "RESTATE_UNSUPPORTED: DALP cannot honour restate_pending, restate_keep; nothing was sent."
        in ran.stdout
    )
    assert "Release on localhost: FAILED" in ran.stdout
    assert routes(dalp) == []
    assert server.deployment_ids() == set()


def test_a_release_that_registers_nothing_is_predicted_with_what_is_registered(
    server: Server, dalp: DalpServer, tmp_path: Path
) -> None:
    older, newer = server.release("release-1"), server.release("release-2")
    asked = {"restate_service_url": older.url, "restate_force": False, "restate_remove": "all"}

    dry = run("release", dalp, tmp_path, "--check", **asked)
    real = run("release", dalp, tmp_path, **asked)

    for ran in (dry, real):
        assert ran.returncode == 2
        assert f"{newer.id} was registered after {older.id}" in ran.stdout
    assert server.deployment_ids() == {older.id, newer.id}


# Tasks


def test_the_routes_can_have_the_newer_name(server: Server, dalp: DalpServer) -> None:
    seen = server.task("doctor", dalp_route_prefix="/api/v2/admin/operator/workflow-engine/")

    assert seen["healthy"]
    assert [row.route for row in dalp.rows] == ["/api/v2/admin/operator/workflow-engine/doctor"]


def test_a_route_that_is_not_there_is_told(server: Server, dalp: DalpServer) -> None:
    told = server.task("doctor", dalp_route_prefix="/api/v3/operator")

    assert reason(told) == ("RESTATE_UNEXPECTED_RESPONSE", "NOT_FOUND")
    assert "dalp_route_prefix" in told["error"]["remedy"]
    assert dalp.take_violations()


@pytest.mark.parametrize("envelope", ["old", "direct", "orpc"])
def test_an_error_is_told_in_dalps_words_whatever_its_envelope(
    server: Server, dalp: DalpServer, envelope: Envelope
) -> None:
    server.release("release-1")
    run_id = server.order("order-1", "ok")
    dalp.envelope = envelope

    told = server.task("recover_workflow", **ORDER)

    assert reason(told) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", "already_succeeded")
    assert told["error"]["invocation_ids"] == [run_id]
    assert "the workflow has succeeded" in told["msg"]
    assert told["error"]["http"]["status"] == 409


def test_a_forced_registration_is_never_without_effect_and_is_told_as_a_change(server: Server) -> None:
    release = server.release("release-1")

    told = [server.task("redeploy", service_url=release.url) for _ in range(2)]

    assert [(one["changed"], one["deployment_id"]) for one in told] == [(True, release.id)] * 2
    assert server.service("OrderWorkflow")["revision"] == 3


def test_a_second_recovery_finds_nothing_changed_and_says_how_it_knows(server: Server) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    server.order("order-2", "ok")

    first = server.task("recover_workflow", **ORDER)
    second = server.task("recover_workflow", **ORDER)

    assert (first["changed"], second["changed"]) == (True, False)
    assert "changed_reason" not in first
    assert "the same invocations as before" in second["changed_reason"]


def test_a_recovery_is_not_predicted(server: Server, dalp: DalpServer) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    before = server.snapshot()

    told = server.task("recover_workflow", check=True, **ORDER)

    assert (told["failed"], told["predicted"]) == (False, "unknown")
    assert "unknown" in str(told["warnings"])
    assert routes(dalp) == ["doctor"]
    assert server.snapshot() == before


def test_a_restate_that_dalp_cannot_reach_is_told_component_by_component(
    server: Server, dalp: DalpServer
) -> None:
    dalp.point_at(admin_url="http://127.0.0.1:9")

    seen = server.task("doctor")
    gated = server.task("doctor", fail_on=["critical"])
    refused = [
        server.task("redeploy", service_url="http://orders:9080"),
        server.task("cleanup", check=True, service_url="http://orders:9080"),
        server.task("recover_workflow", **ORDER),
    ]

    assert not seen["failed"]
    assert {name: seen[name]["status"] for name in ("ingress", "admin", "services")} == {
        "ingress": "ok",
        "admin": "unreachable",
        "services": "unreachable",
    }
    assert gated["failed"]
    assert {one["error"]["code"] for one in refused} == {"RESTATE_ADMIN_UNREACHABLE"}
    assert [asked.route for asked in dalp.requests if asked.route != "doctor"] == ["recover-stuck-workflow"]


def test_the_userinfo_of_a_service_is_in_no_result_and_not_in_dalps_audit(
    server: Server, dalp: DalpServer
) -> None:
    password = "pwd-7b2e9f0c3d"
    url = server.serve("release-1", "release-1").replace("://", f"://ops:{password}@")

    told = [server.task("redeploy", service_url=url), server.task("cleanup", service_url=url)]

    assert not any(one["failed"] for one in told), told
    assert password not in str(told)
    assert dalp.requests[1] == ("force-redeploy", {"serviceUrl": url, "force": True})
    assert password not in str(dalp.rows)
