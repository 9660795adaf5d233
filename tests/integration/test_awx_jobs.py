# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates as jobs of AWX, on a real Restate: survey, credential, inventory and artifacts as AWX gives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.awx.job import Job, answers_of, launch
from tests.integration.server import Server

TOKEN = "a-token-of-awx"
REASON = {"restate_reason": "INC-4711"}


class World:
    """A Restate with two releases, a failed order, and jobs that follow one another in a workflow."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.old = server.release("release-1")
        self.failed = server.order("order-1001", "fail")
        self.new_url = server.serve("release-2", "release-2")
        self.artifacts: dict[str, Any] = {}

    def launch(self, runbook: str, *, is_dry_run: bool = False, **given: Any) -> Job:
        """Launch a template with these answers; it gets the artifacts of the jobs before it, and no secret shows."""
        survey = f"{runbook}_dry_run" if is_dry_run else runbook
        return self.run(runbook, answers_of(survey, given), is_dry_run=is_dry_run)

    def run(self, playbook: str, answers: dict[str, Any], *, is_dry_run: bool = False) -> Job:
        """Launch a template with these extra variables."""
        folder = self.folder / f"job-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        credential = {
            "admin_url": self.server.admin_url,
            "ingress_url": self.server.ingress_url,
            "auth_token": TOKEN,
        }
        job = launch(folder, playbook, {**self.artifacts, **answers}, credential, is_dry_run=is_dry_run)
        self.artifacts |= job.artifacts
        assert TOKEN not in job.output + job.events + str(job.artifacts)
        return job


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    """A World on a blank server."""
    return World(server, tmp_path)


ANSWERS: dict[str, Callable[[World], dict[str, Any]]] = {
    "doctor": lambda world: {},
    "release": lambda world: {"restate_service_url": world.new_url, **REASON},
    "redeploy": lambda world: {"restate_service_url": f"  {world.new_url} ", **REASON},
    "rollback": lambda world: {"restate_service_url": world.old.url, **REASON},
    "cleanup": lambda world: {"restate_service_url": world.old.url, **REASON},
    "resume": lambda world: {"restate_invocation_ids": f"{world.failed}\n", **REASON},
    "recover_workflow": lambda world: {
        "restate_service_name": "OrderWorkflow",
        "restate_service_key": "order-1001",
        **REASON,
    },
    "recover_failed": lambda world: {
        "restate_snapshot_dir": str(world.folder / "job-kept" / "snapshots"),
        **REASON,
    },
}


@pytest.mark.parametrize("runbook", sorted(ANSWERS))
def test_a_template_and_its_dry_run_succeed_with_defaults_and_the_required_answers(
    runbook: str, world: World
) -> None:
    answers = ANSWERS[runbook](world)

    planned = world.launch(runbook, is_dry_run=True, **answers)
    assert planned.status == "successful", planned.output
    done = world.launch(runbook, **answers)
    assert done.status == "successful", done.output

    records = done.artifacts["restate_audit_records"]
    assert {one["data"]["actor"] for one in records} == {"olive"}
    assert {one["data"]["context"]["awx_job_id"] for one in records} == {"7"}
    own = [one["data"] for one in records if one["data"]["operation"] != "doctor"]
    assert {one["reason"] for one in own} <= {"INC-4711"}


def test_a_workflow_asks_somebody_only_where_the_dry_run_predicts_a_change(world: World) -> None:
    answers = ANSWERS["release"](world)
    assert world.launch("doctor").status == "successful"
    assert world.run("nothing_to_approve", {}).status == "failed"

    assert world.launch("release", is_dry_run=True, **answers).status == "successful"
    asked = world.run("nothing_to_approve", {})
    assert asked.status == "failed"
    assert "Somebody must approve: the dry run predicts changes by redeploy, cleanup." in " ".join(
        asked.output.split()
    )
    assert world.launch("release", **answers).status == "successful"

    world.artifacts.clear()
    assert world.launch("release", is_dry_run=True, **answers).status == "successful"
    assert world.run("nothing_to_approve", {}).status == "successful"


def test_a_folder_that_vanishes_with_the_job_is_refused_before_anything_is_destroyed(world: World) -> None:
    answers = {**ANSWERS["recover_failed"](world), "restate_snapshot_dir": "snapshots"}
    for is_dry_run in (True, False):
        refused = world.launch("recover_failed", is_dry_run=is_dry_run, **answers)
        assert refused.status == "failed"
        assert "vanishes with this job's container" in " ".join(refused.output.split())
    assert world.server.row(world.failed)
