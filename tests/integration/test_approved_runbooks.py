# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A runbook's dry run ends with the command that does exactly what it told, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import environment, playbook
from tests.integration.server import Server

Ran = subprocess.CompletedProcess[str]


def run(server: Server, name: str, tmp_path: Path, *options: str, **more: Any) -> Ran:
    variables = {"restate_admin_url": server.admin_url, "restate_ingress_url": server.ingress_url}
    return playbook(name, tmp_path, *options, **{**variables, **more})


def printed(ran: Ran) -> str:
    """Return the command that the summary ends with."""
    [command] = [line for line in ran.stdout.splitlines() if line.startswith("ansible-playbook")]
    return command


def typed(command: str, tmp_path: Path) -> Ran:
    """Run a command as it stands."""
    return subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(
            ANSIBLE_SHOW_CUSTOM_STATS="1", ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1"
        ),
    )


def printed_last(ran: Ran) -> str:
    """Return the last command of a summary."""
    return [line for line in ran.stdout.splitlines() if line.startswith("ansible-playbook")][-1]


def artifact(ran: Ran) -> dict[str, str]:
    """Return the digests that the run leaves to the jobs after it."""
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("\tRUN: ")]
    digests: dict[str, str] = json.loads(line.partition("RUN: ")[2])["restate_plan_digests"]
    return digests


def test_a_release_is_done_as_it_was_told_and_no_other(server: Server, tmp_path: Path) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", "release-2")
    variables = {"restate_service_url": url, "restate_keep_revisions": 0}
    dry = run(server, "release", tmp_path, "--check", "--diff", **variables)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    command = printed(dry)
    assert artifact(dry).keys() == {"redeploy", "cleanup"}
    assert "do exactly this:" in dry.stdout
    other = server.release("other", "order-only")

    before = server.snapshot()
    stopped = typed(command, tmp_path)

    assert stopped.returncode == 2, stopped.stdout + stopped.stderr
    assert "RESTATE_PLAN_CHANGED" in stopped.stdout
    assert f"changed: {url} (register). Nothing was touched." in stopped.stdout
    assert "  - cleanup: not tried, since redeploy failed" in stopped.stdout
    assert server.snapshot() == before
    anew = printed(stopped)
    assert "--check" in anew
    assert "restate_plan_digests" not in anew

    server.delete(other.id)
    real = typed(command, tmp_path)

    assert real.returncode == 0, real.stdout + real.stderr
    assert server.deployment_ids() == {server.service("OrderWorkflow")["deployment_id"]}
    assert old.id not in server.deployment_ids()
    assert artifact(real) == {}


def test_a_release_that_was_cut_in_half_tells_what_is_done_and_wants_a_new_dry_run(
    server: Server, tmp_path: Path
) -> None:
    old = server.release("release-1")
    server.order("order-1", "wait")
    url = server.serve("release-2", "release-2")
    variables = {"restate_service_url": url, "restate_drain_timeout": 2, "restate_keep_revisions": 0}
    command = printed(run(server, "release", tmp_path, "--check", **variables))

    half = typed(command, tmp_path)

    assert half.returncode == 2
    assert "RESTATE_DRAIN_TIMEOUT" in half.stdout
    assert "see what is left to be done, in a new dry run:" in half.stdout

    again = typed(command, tmp_path)

    assert again.returncode == 2
    assert f"nothing is left to do, so it is done already: {url} (register)." in again.stdout
    server.submit("OrderWorkflow", "order-1", "approve")
    dry = typed(printed(again), tmp_path)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert typed(printed(dry), tmp_path).returncode == 0
    assert old.id not in server.deployment_ids()


def test_a_release_of_which_nothing_is_left_to_do_stays_so_with_its_plans(
    server: Server, tmp_path: Path
) -> None:
    url = server.release("release-2").url
    dry = run(server, "release", tmp_path, "--check", restate_service_url=url)
    assert "ansible-playbook" not in dry.stdout
    plans = artifact(dry)
    assert plans.keys() == {"redeploy", "cleanup"}

    before = server.snapshot()
    # As a workflow gives the artifact of a job to the next ones, doctors and dry runs among them.
    for name, options in [("doctor", ()), ("release", ("--check",)), ("release", ())]:
        ran = run(server, name, tmp_path, *options, restate_service_url=url, restate_plan_digests=plans)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "RESTATE_PLAN_CHANGED" not in ran.stdout + ran.stderr
    assert server.snapshot() == before


def test_a_clearing_up_is_done_as_it_was_told_whatever_the_keys_are(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    failed = server.order("{{ 7*7 }} it's,a=b", "fail")
    paused = server.payment("payment-1")
    server.serve("release-1", "release-2")
    variables = {"restate_limit": 10, "restate_snapshot_dir": "snapshots"}
    dry = run(server, "recover_failed", tmp_path, "--check", **variables)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert artifact(dry).keys() == {"resume", "recover_workflow"}
    command = printed(dry)
    late = server.order("order-2", "fail")

    stopped = typed(command, tmp_path)

    # What may go on goes on; only the other step has another plan.
    assert stopped.returncode == 2
    assert "new: OrderWorkflow/order-2 (recover). Nothing was touched." in stopped.stdout
    assert server.completed(paused)["completion_result"] == "success"
    assert server.row(failed) is not None
    assert server.row(late) is not None

    dry = typed(printed(stopped), tmp_path)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    real = typed(printed(dry), tmp_path)
    assert real.returncode == 0, real.stdout + real.stderr
    assert server.row(failed) is None
    assert server.row(late) is None


def test_a_step_that_was_not_approved_is_not_done_nor_what_comes_before_it(
    server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    failed = server.order("order-1", "fail")
    paused = server.payment("payment-1")
    server.serve("release-1", "release-2")
    variables = {"restate_limit": 10, "restate_snapshot_dir": "snapshots"}
    dry = run(server, "recover_failed", tmp_path, "--check", restate_kinds="paused", **variables)
    assert artifact(dry).keys() == {"resume"}

    ran = run(server, "recover_failed", tmp_path, restate_plan_digests=artifact(dry), **variables)

    assert ran.returncode == 2
    assert "recover_workflow is no step of what was approved. Nothing was touched." in ran.stdout
    assert server.row(failed) is not None
    row = server.row(paused)
    assert row is not None
    assert row["status"] == "paused"


@pytest.mark.parametrize("tags", [("--tags", "redeploy"), ("--skip-tags", "cleanup")], ids=" ".join)
def test_a_tagged_plan_is_applied_as_printed_and_no_other_step_is_run(
    server: Server, tmp_path: Path, tags: tuple[str, ...]
) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", "release-2")
    dry = run(server, "release", tmp_path, "--check", *tags, restate_service_url=url)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert artifact(dry).keys() == {"redeploy"}
    command = printed(dry)
    before = server.snapshot()

    untagged = typed(command.replace(" ".join(tags), ""), tmp_path)

    assert untagged.returncode == 2
    assert "RESTATE_PLAN_CHANGED" in untagged.stdout
    assert "cleanup is no step of what was approved. Nothing was touched." in untagged.stdout
    assert server.snapshot() == before
    assert "--check" in printed(untagged)

    real = typed(command, tmp_path)

    assert real.returncode == 0, real.stdout + real.stderr
    assert server.service("OrderWorkflow")["deployment_id"] != old.id
    assert old.id in server.deployment_ids()


def test_a_rerun_after_a_failure_does_no_step_that_was_left_out(server: Server, tmp_path: Path) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", None)
    variables = {"restate_service_url": url, "restate_wait_timeout": 0}

    ran = run(server, "release", tmp_path, "--skip-tags", "cleanup", **variables)

    assert ran.returncode == 2, ran.stdout
    server.serve("release-2", "release-2")
    again = typed(printed_last(ran), tmp_path)
    assert again.returncode == 0, again.stdout
    assert server.service("OrderWorkflow")["deployment_id"] != old.id
    assert old.id in server.deployment_ids()


def test_digests_that_cannot_be_read_are_refused_before_anything_is_registered(
    server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")
    dry = run(server, "release", tmp_path, "--check", restate_service_url=url)
    before = server.snapshot()
    plans = {**artifact(dry), "cleanup": "redeploy,1,zz"}

    ran = run(server, "release", tmp_path, restate_service_url=url, restate_plan_digests=plans)

    assert ran.returncode == 2
    assert "RESTATE_INVALID_ARGUMENT" in ran.stdout
    assert server.snapshot() == before
