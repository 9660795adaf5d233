# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow templates, walked as AWX walks them, on a real Restate: somebody approves, denies, or is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.awx.server import Awx, stand_in
from tests.integration.awx.site import PROJECTS, REPOSITORY, apply, data_with, install_awx_collection
from tests.integration.awx.world import REASON, TOKEN, World
from tests.integration.server import Server

RELEASE = "release with approval"
OUTAGE = "outage with approval"


def applied(folder: Path, runbook: str, workflow: str) -> Iterator[Awx]:
    install_awx_collection()
    with stand_in(PROJECTS) as started:
        ran = apply(
            started,
            folder,
            **data_with(folder / "data", "doctor", runbook, workflow=workflow),
            awx_organization="Default",
            awx_project={"scm_type": "git", "scm_url": REPOSITORY},
            awx_environments=[{"name": "staging", "admin_url": "http://restate:9070", "auth_token": TOKEN}],
        )
        assert ran.returncode == 0, ran.stdout + "\n".join(started.refused)
        yield started


@pytest.fixture(scope="module")
def with_release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """An AWX with the workflow of a release."""
    yield from applied(tmp_path_factory.mktemp("release"), "release", RELEASE)


@pytest.fixture(scope="module")
def with_outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """An AWX with the workflow of an outage."""
    yield from applied(tmp_path_factory.mktemp("outage"), "recover_failed", OUTAGE)


@pytest.fixture
def release(server: Server, with_release: Awx, tmp_path: Path) -> World:
    """A World for releases."""
    return World(server, with_release, tmp_path)


@pytest.fixture
def outage(server: Server, with_outage: Awx, tmp_path: Path) -> World:
    """A World for outages."""
    return World(server, with_outage, tmp_path)


def nobody(_approval: str) -> bool:
    raise AssertionError("somebody was asked")


def approved(_approval: str) -> bool:
    return True


def denied(_approval: str) -> bool:
    return False


def release_2(world: World) -> dict[str, Any]:
    return {"restate_service_url": world.new_url, "restate_keep_revisions": 0, **REASON}


def test_a_release_that_somebody_approves_is_what_the_dry_run_predicted(release: World) -> None:
    asked: list[str] = []

    def approved_by_a_reader(approval: str) -> bool:
        asked.append(approval)
        return True

    walked = release.walk(RELEASE, release_2(release), approved_by_a_reader)

    assert walked.status == "successful", [str(job) for job in walked.jobs.values()]
    assert walked.statuses == {
        "doctor": "successful",
        "dry run": "successful",
        # Somebody must be asked: what is red here leads to the approval.
        "nothing to approve": "failed",
        "approval": "successful",
        "run": "successful",
        "doctor after": "successful",
    }
    [approval] = asked
    assert '"Restate: release (dry run)"' in approval
    told = " ".join(walked.jobs["nothing to approve"].output.split())
    assert "Somebody must approve: the dry run predicts changes by redeploy, cleanup." in told
    dry, run = walked.jobs["dry run"], walked.jobs["run"]
    assert dry.artifacts["restate_plan_digests"].keys() == {"redeploy", "cleanup"}
    assert run.extra_variables["restate_plan_digests"] == dry.artifacts["restate_plan_digests"]
    assert release.server.deployment_ids() == {release.server.service("OrderWorkflow")["deployment_id"]}


def test_each_job_of_a_workflow_records_itself_and_not_the_jobs_before_it(release: World) -> None:
    walked = release.walk(RELEASE, release_2(release), approved)

    for identifier, operations in {
        "doctor": ["doctor"],
        "dry run": ["doctor", "redeploy", "cleanup"],
        "run": ["doctor", "redeploy", "cleanup", "doctor"],
        "doctor after": ["doctor"],
    }.items():
        job = walked.jobs[identifier]
        records = [one["data"] for one in job.artifacts["restate_audit_records"]]
        assert [one["operation"] for one in records] == operations
        assert {one["actor"] for one in records} == {"olive"}
        assert {one["context"]["awx_job_id"] for one in records} == {str(job.number)}
        assert {one["context"]["awx_workflow_job_id"] for one in records} == {"100"}
        assert {one["check_mode"] for one in records} == {identifier == "dry run"}


def test_after_a_denial_nothing_is_registered_and_the_workflow_has_failed(release: World) -> None:
    before = release.server.snapshot()

    walked = release.walk(RELEASE, release_2(release), denied)

    assert (walked.status, walked.statuses["approval"]) == ("failed", "failed")
    assert not {"run", "doctor after"} & walked.statuses.keys()
    assert release.server.snapshot() == before


def test_a_release_that_would_change_nothing_ends_well_and_nobody_is_asked(release: World) -> None:
    assert release.walk(RELEASE, release_2(release), approved).status == "successful"

    again = release.walk(RELEASE, release_2(release), nobody)

    assert again.status == "successful"
    assert list(again.statuses) == ["doctor", "dry run", "nothing to approve"]


def test_what_has_changed_since_the_dry_run_stops_the_run_before_its_first_write(release: World) -> None:
    def approved_late(_approval: str) -> bool:
        release.server.release("other", "order-only")
        late.append(release.server.snapshot())
        return True

    late: list[Any] = []
    walked = release.walk(RELEASE, release_2(release), approved_late)

    assert (walked.status, walked.statuses["run"]) == ("failed", "failed")
    assert "RESTATE_PLAN_CHANGED" in walked.jobs["run"].output
    assert "doctor after" not in walked.statuses
    assert [release.server.snapshot()] == late


def test_a_dry_run_that_fails_ends_the_workflow_before_anybody_is_asked(release: World) -> None:
    before = release.server.snapshot()

    # It is refused at once, while a service that does not answer is waited for.
    refused = release.server.serve("changed", "type-changed")
    walked = release.walk(RELEASE, {"restate_service_url": refused, **REASON}, nobody)

    assert walked.status == "failed"
    assert walked.statuses == {"doctor": "successful", "dry run": "failed"}
    assert "RESTATE_REGISTRATION_REFUSED" in walked.jobs["dry run"].output
    assert release.server.snapshot() == before


def test_a_release_is_not_begun_where_the_doctor_fails(release: World) -> None:
    release.reach("http://127.0.0.1:9")

    walked = release.walk(RELEASE, release_2(release), nobody)

    assert (walked.status, walked.statuses) == ("failed", {"doctor": "failed"})
    assert "RESTATE_ADMIN_UNREACHABLE" in walked.jobs["doctor"].output


def outage_of(world: World) -> dict[str, Any]:
    return {"restate_snapshot_dir": str(world.jobs.folder / "kept" / "snapshots"), **REASON}


def test_an_outage_is_cleared_up_once_somebody_approves(outage: World) -> None:
    walked = outage.walk(OUTAGE, outage_of(outage), approved)

    assert walked.status == "successful", [str(job) for job in walked.jobs.values()]
    assert list(walked.statuses) == ["doctor", "dry run", "nothing to approve", "approval", "run"]
    assert outage.server.row(outage.failed) is None
    assert list((outage.jobs.folder / "kept" / "snapshots").iterdir())
    again = outage.walk(OUTAGE, outage_of(outage), nobody)
    assert again.status == "successful"


def test_an_outage_in_which_the_doctor_fails_is_still_predicted_and_a_denial_destroys_nothing(
    outage: World,
) -> None:
    # Its code is gone, and nothing serves what the registered deployment has.
    outage.server.serve("release-1", None)
    before = outage.server.snapshot()

    walked = outage.walk(OUTAGE, outage_of(outage), denied)

    assert walked.statuses["doctor"] == "failed", walked.jobs["doctor"]
    assert walked.statuses["dry run"] == "successful"
    assert (walked.status, walked.statuses["approval"]) == ("failed", "failed")
    assert outage.server.snapshot() == before
