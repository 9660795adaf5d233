# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runbooks on a real Restate, as a person reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import environment, playbook
from tests.integration.server import Server


def run(
    server: Server, name: str, tmp_path: Path, *options: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    variables = {"restate_admin_url": server.admin_url, "restate_ingress_url": server.sandbox.ingress_url}
    return playbook(name, tmp_path, *options, **{**variables, **more})


def summary(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of the summary."""
    text = ran.stdout.partition(": Summary]")[2].partition("PLAY RECAP")[0]
    return [line for line in text.splitlines()[1:] if line]


def tasks(ran: subprocess.CompletedProcess[str]) -> int:
    return sum(line.startswith("TASK ") for line in ran.stdout.splitlines())


def test_a_release_is_short_and_what_its_dry_run_tells_is_done_by_the_command_that_it_prints(
    server: Server, tmp_path: Path
) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", "release-2")
    before = server.snapshot()

    dry = run(server, "release", tmp_path, "--check", restate_service_url=url, restate_keep="")

    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert server.snapshot() == before
    assert tasks(dry) <= 15
    text = summary(dry)
    assert text[0] == "Release on localhost: dry run, nothing was changed; Restate is healthy"
    [command] = [line for line in text if line.startswith("ansible-playbook")]

    real = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment()
    )

    assert real.returncode == 0, real.stdout + real.stderr
    new = server.service("OrderWorkflow")["deployment_id"]
    assert server.deployment_ids() == {old.id, new}
    assert new != old.id
    assert summary(real)[0] == "Release on localhost: done; Restate is healthy"


def test_a_release_removes_but_the_newest_of_what_it_replaced_and_can_be_rolled_back(
    server: Server, tmp_path: Path
) -> None:
    oldest, old = server.release("oldest", "release-1"), server.release("release-1")
    url = server.serve("release-2", "release-2")

    released = run(server, "release", tmp_path, restate_service_url=url)

    assert released.returncode == 0, released.stdout + released.stderr
    new = server.service("OrderWorkflow")["deployment_id"]
    assert server.deployment_ids() == {old.id, new}
    assert f"removed: {oldest.id}" in released.stdout

    back = run(server, "rollback", tmp_path, restate_service_url=old.url)

    assert back.returncode == 0, back.stdout + back.stderr
    assert server.service("OrderWorkflow")["deployment_id"] == old.id
    assert server.deployment_ids() == {old.id, new}

    forwards = run(server, "release", tmp_path, restate_service_url=url, restate_keep_revisions="0")

    assert forwards.returncode == 0, forwards.stdout + forwards.stderr
    assert server.deployment_ids() == {new}


def test_one_invocation_that_cannot_go_on_stops_no_recovery_and_fails_the_runbook_at_its_end(
    server: Server, tmp_path: Path
) -> None:
    old = server.release("release-1")
    failed = server.order("order-2", "fail")
    server.payment("payment-1")
    new = server.release("release-2")
    server.delete(old.id)

    ran = run(server, "recover_failed", tmp_path, restate_limit="10", restate_snapshot_dir="snapshots")

    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert server.row(failed) is None
    assert len(list((tmp_path / "snapshots").iterdir())) == 1
    text = "\n".join(summary(ran))
    assert text.startswith("Clearing up on localhost: FAILED")
    assert "  - recover_workflow: " in text
    assert "not tried" not in text
    assert "PaymentWorkflow/payment-1/run: deployment_gone" in text
    assert f"it can go on at {new.id}, the latest: set restate_deployment to latest" in text
    assert "dalp.restate.resume -i localhost," in text


def test_a_rollback_registers_nothing_anew(server: Server, tmp_path: Path) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    unknown = server.serve("elsewhere", "release-1")

    with_password = unknown.replace("://", "://ops:hunter22@")
    refused = run(server, "rollback", tmp_path, restate_service_url=with_password)

    assert "hunter22" not in refused.stdout + refused.stderr
    assert refused.returncode == 2
    assert f"No registered deployment is at {unknown}" in refused.stdout
    assert server.deployment_ids() == {old.id, new.id}

    done = run(server, "rollback", tmp_path, restate_service_url=old.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert server.service("OrderWorkflow")["deployment_id"] == old.id


@pytest.mark.parametrize(("variables", "said"), [
    ({}, "restate_service_url is not set"),
    ({"restate_service_url": "http://v2", "restate_max_removed": "many"}, "restate_max_removed must be a whole number"),
    ({"restate_service_url": "http://v2", "restate_auth_token": "{{ vault_token }}"}, "'vault_token' is undefined"),
    ({"restate_service_url": "http://v2", "cleanup_keep": "dp_1"}, "cleanup_keep is not read any more"),
])  # fmt: skip
def test_a_variable_that_cannot_be_read_is_named_and_nothing_is_touched(
    variables: dict[str, Any], said: str, server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    before = server.snapshot()

    ran = run(server, "cleanup", tmp_path, **variables)

    assert ran.returncode == 2
    assert any(line.startswith("  - ") and said in line for line in summary(ran)), ran.stdout
    assert server.snapshot() == before


def test_tags_that_select_no_step_do_not_succeed(server: Server, tmp_path: Path) -> None:
    url = server.release("release-1").url
    assert run(server, "cleanup", tmp_path, "--tags", "typo", restate_service_url=url).returncode == 2
    assert run(server, "cleanup", tmp_path, "--tags", "doctor", restate_service_url=url).returncode == 0


def test_records_of_an_earlier_job_are_not_shown_as_those_of_this_one(server: Server, tmp_path: Path) -> None:
    url = server.release("release-1").url
    earlier = [
        {"id": "of-another-job", "time": "T", "type": "old", "subject": "S", "data": {"actor": "they"}}
    ]

    ran = run(server, "cleanup", tmp_path, restate_service_url=url, restate_audit=earlier)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = "\n".join(summary(ran))
    assert "of-another-job" not in ran.stdout.partition("CUSTOM STATS")[2]
    assert "by they" not in text
    assert text.count("dalp.restate.doctor.succeeded") == 2
