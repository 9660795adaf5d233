# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates as jobs of AWX, on a real Restate: survey, credential, inventory and artifacts as AWX gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.awx.job import Job, Jobs, LaunchRefused
from tests.integration.awx.server import Awx, stand_in
from tests.integration.awx.site import MANUAL, PROJECTS, REPOSITORY, apply, data_with, install_awx_collection
from tests.integration.awx.world import REASON, TOKEN, World
from tests.integration.dalp.server import OPERATOR_KEY, USER_KEY, DalpServer
from tests.integration.proxy import Answer, Proxy
from tests.integration.server import Server

RUNBOOKS = (
    *("doctor", "release", "redeploy", "rollback", "cleanup", "resume"),
    *("recover_workflow", "recover_failed"),
)


@pytest.fixture(scope="module")
def awx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """An AWX in which all templates were applied."""
    install_awx_collection()
    with stand_in(PROJECTS) as started:
        applied = apply(
            started,
            tmp_path_factory.mktemp("site"),
            awx_organization="Default",
            awx_project={"scm_type": "git", "scm_url": REPOSITORY},
            awx_environments=[{"name": "staging", "admin_url": "http://restate:9070", "auth_token": TOKEN}],
        )
        assert applied.returncode == 0, applied.stdout + "\n".join(started.refused)
        yield started


@pytest.fixture
def world(server: Server, awx: Awx, tmp_path: Path) -> World:
    """A World on a blank server."""
    return World(server, awx, tmp_path)


Answers = Callable[[World], dict[str, Any]]


def kept(world: World) -> str:
    """Return a folder that stays when the job is gone."""
    return str(world.jobs.folder / "kept" / "snapshots")


REQUIRED: dict[str, Answers] = {
    "doctor": lambda world: {},
    "release": lambda world: {"restate_service_url": world.new_url, **REASON},
    "redeploy": lambda world: {"restate_service_url": world.new_url, **REASON},
    "rollback": lambda world: {"restate_service_url": world.old.url, **REASON},
    "cleanup": lambda world: {"restate_service_url": world.old.url, **REASON},
    "resume": lambda world: {"restate_invocation_ids": world.failed, **REASON},
    "recover_workflow": lambda world: {
        "restate_service_name": "OrderWorkflow",
        "restate_service_key": "order-1001",
        **REASON,
    },
    "recover_failed": lambda world: {"restate_snapshot_dir": kept(world), **REASON},
}

TYPED: dict[str, Answers] = {
    "doctor": lambda world: {"restate_fail_on": ["unreachable"]},
    "release": lambda world: {
        "restate_service_url": f"  {world.new_url}/ ",
        "restate_breaking": "false",
        "restate_settings": "keep",
        "restate_force_drain": "true",
        "restate_drain_timeout": 1,
        "restate_pending": "migrate",
        "restate_keep": f"\n{world.old.url}\n\n",
        "restate_max_removed": 3,
        "restate_allow_service_removal": "false",
        "restate_reason": "Release 2, it's Olive's: \"INC-4711\" {{ lookup('env', 'RESTATE_AUTH_TOKEN') }} ☂",
    },
    "redeploy": lambda world: {
        "restate_service_url": f"{world.new_url}\t",
        "restate_breaking": "true",
        "restate_wait_timeout": 5,
        **REASON,
    },
    "rollback": lambda world: {"restate_service_url": f" {world.old.url}", "restate_reason": " INC-4711 "},
    "cleanup": lambda world: {
        "restate_service_url": world.old.url,
        "restate_remove": "superseded",
        "restate_keep": f"{world.old.id}, {world.old.url}",
        "restate_migrate_paused": "true",
        "restate_min_age": "1m",
        **REASON,
    },
    "resume": lambda world: {"restate_invocation_ids": f"\n  {world.failed} ,\n", **REASON},
    "recover_workflow": lambda world: {
        "restate_service_name": " OrderWorkflow",
        "restate_service_key": "order-1001",
        "restate_kill_active": "never",
        "restate_clear_orphaned_state": "true",
        "restate_snapshot_dir": kept(world),
        "restate_resubmit": "original_input",
        **REASON,
    },
    "recover_failed": lambda world: {
        "restate_kinds": ["failed"],
        "restate_limit": 5,
        "restate_service_name": "OrderWorkflow ",
        "restate_failed_after": "2026-01-01T00:00:00Z",
        "restate_failed_before": "",
        "restate_snapshot_dir": kept(world),
        **REASON,
    },
}


def records(job: Job) -> list[dict[str, Any]]:
    """Return what the job's audit records say."""
    return [one["data"] for one in job.artifacts["restate_audit_records"]]


def predicted(job: Job) -> list[tuple[str, bool]]:
    """Return what each operation of a job that can change something says of its change."""
    return [(one["operation"], one["changed"]) for one in records(job) if one["operation"] != "doctor"]


@pytest.mark.parametrize(
    "answers", [REQUIRED, TYPED], ids=["the required answers", "answers as they are typed"]
)
@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_template_does_what_its_dry_run_predicts(
    runbook: str, answers: dict[str, Answers], world: World
) -> None:
    given = answers[runbook](world)
    before = world.server.snapshot()

    planned = world.launch(f"{runbook} (dry run)", **given)
    assert planned.status == "successful", planned
    assert world.server.snapshot() == before
    done = world.launch(runbook, **given)
    assert done.status == "successful", done

    assert predicted(done) == predicted(planned)
    assert {one["actor"] for one in records(done)} == {"olive"}
    assert {one["context"]["awx_job_id"] for one in records(done)} == {str(done.number)}
    reasons = {one["reason"] for one in records(done) if one["operation"] != "doctor"}
    assert reasons <= {given.get("restate_reason", "").strip()}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"restate_reason": ""}, "'restate_reason' value  is too small"),
        ({"restate_service_url": ""}, "'restate_service_url' value  is too small"),
        ({"restate_max_removed": 10_001}, "too large"),
        ({"restate_pending": "drop"}, "expected to be one of"),
        ({"restate_admin_url": "http://elsewhere:9070"}, "restate_admin_url are not allowed on launch"),
    ],
)
def test_what_a_survey_does_not_take_is_not_launched(
    answer: dict[str, Any], told: str, awx: Awx, tmp_path: Path
) -> None:
    given = {"restate_service_url": "http://release:9080", **REASON, **answer}
    with pytest.raises(LaunchRefused, match=told):
        Jobs(awx, tmp_path).launch("Restate: release", **given)


def test_a_folder_that_vanishes_with_the_job_is_refused_before_anything_is_destroyed(world: World) -> None:
    for template in ("recover_failed (dry run)", "recover_failed"):
        refused = world.launch(template, restate_snapshot_dir="snapshots", **REASON)
        assert refused.status == "failed"
        assert "vanishes with this job's container" in flat(refused)
    assert world.server.row(world.failed)


def test_a_job_that_restate_does_not_let_in_fails_with_the_remedy(world: World, proxy: Proxy) -> None:
    world.reach(proxy.url)
    proxy.once("GET", "^/", *[lambda *_: Answer(401, b'{"message": "who are you"}')] * 20)

    refused = world.launch("release", **REQUIRED["release"](world))

    assert refused.status == "failed"
    assert "RESTATE_PERMISSION_REQUIRED" in refused.output
    assert "who are you" in refused.output
    assert proxy.writes == []


def test_a_key_that_looks_like_a_number_is_the_one_that_was_typed(world: World) -> None:
    typed = world.server.order("0123", "fail")
    # What YAML makes of that.
    other = world.server.order("83", "fail")

    done = world.launch(
        "recover_workflow", restate_service_name="OrderWorkflow", restate_service_key="0123", **REASON
    )

    assert done.status == "successful", done
    assert "OrderWorkflow/0123" in done.output
    assert world.server.row(typed) is None
    assert world.server.row(other)


def test_a_job_whose_gate_is_shut_fails_and_says_on_what(world: World) -> None:
    shut = world.launch("doctor", restate_fail_on=["warning"])

    assert shut.status == "failed"
    assert "RESTATE_UNHEALTHY" in shut.output
    assert "order-1001" in flat(shut)


@pytest.fixture
def through_dalp(dalp: DalpServer, tmp_path: Path) -> Iterator[Awx]:
    """An AWX with templates for an environment that is reached through DALP, from a manual project."""
    install_awx_collection()
    with stand_in(PROJECTS) as started:
        applied = apply(
            started,
            tmp_path,
            **data_with(tmp_path / "data", "doctor", "release", workflow=None),
            awx_organization="Default",
            awx_project={"local_path": MANUAL},
            awx_environments=[{"name": "payments", "dalp_url": dalp.url, "dalp_api_key": OPERATOR_KEY}],
        )
        assert applied.returncode == 0, applied.stdout + "\n".join(started.refused)
        yield started


def test_a_job_through_dalp_releases_with_the_right_key_only(
    server: Server, dalp: DalpServer, through_dalp: Awx, tmp_path: Path
) -> None:
    jobs = Jobs(through_dalp, tmp_path / "jobs")
    [credential] = through_dalp.store.objects["credentials"].values()
    given = {"restate_service_url": server.serve("release-1", "release-1"), **REASON}
    for key, told in (
        (USER_KEY, "Use an operator account or update the caller's role before retrying."),
        ("nobody's", "DALP's doctor answered 401: the API key is missing or unknown"),
    ):
        credential["inputs"]["dalp_api_key"] = key
        refused = jobs.launch("Restate: release", **given)
        assert refused.status == "failed"
        assert told in flat(refused)
        assert key not in refused.output + refused.events + str(refused.artifacts)
    assert server.deployment_ids() == set()

    credential["inputs"]["dalp_api_key"] = OPERATOR_KEY
    done = jobs.launch("Restate: release", **given)
    assert done.status == "successful", done
    assert len(server.deployment_ids()) == 1
    assert OPERATOR_KEY not in done.output + done.events + str(done.artifacts)


def flat(job: Job) -> str:
    """Return the output in one line, since Ansible breaks its lines."""
    return " ".join(job.output.split())
