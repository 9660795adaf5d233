# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job of AWX tells to do next: templates to launch, in place of commands."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.commands import runbook
from ansible_collections.dalp.restate.plugins.plugin_utils.job_template import JobTemplate


@pytest.mark.parametrize(
    "name",
    ["Restate: release (dry run)", "Restate production: release (dry run)", "Ops: a: release (dry run)"],
)
def test_a_dry_run_names_the_template_that_does_it(name: str) -> None:
    real = name.removesuffix(" (dry run)")
    assert JobTemplate(name).for_real() == f"Launch the job template {real!r} with the same answers."
    assert JobTemplate(real).dry_run() == f"Launch the job template {name!r} with the same answers."
    assert JobTemplate(real).again() == f"Launch the job template {real!r} again."


def test_in_a_workflow_somebody_approves_and_the_plans_go_on() -> None:
    in_workflow = JobTemplate("Restate: release (dry run)", "Restate: release with approval")
    assert in_workflow.for_real().startswith("Approve it in the workflow")
    assert in_workflow.again() == "Launch the workflow 'Restate: release with approval' again."
    assert in_workflow.dry_run().startswith("Launch the workflow 'Restate: release with approval' again")
    assert in_workflow.holds_plans


@pytest.mark.parametrize("workflow", ["", "Nightly", "Other: release with approval"])
def test_nobody_is_told_to_approve_what_no_workflow_of_the_role_asks(workflow: str) -> None:
    dry_run = JobTemplate("Restate: release (dry run)", workflow)
    assert not dry_run.holds_plans
    assert dry_run.for_real() == "Launch the job template 'Restate: release' with the same answers."


@pytest.mark.parametrize("name", ["Friday release", "Nightly: cleanup"])
def test_a_check_of_a_template_that_is_no_dry_run_by_its_name_is_launched_as_a_run(name: str) -> None:
    assert JobTemplate(name).for_real() == f"Launch the job template {name!r}, as a run and not as a check."


def test_a_template_of_a_site_is_told_what_to_look_for() -> None:
    assert (
        JobTemplate("Friday release").completed("Run restate_doctor")
        == "Run a job template of dalp.restate.doctor"
    )


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, ""),
        (
            {"restate_service_name": "OrderWorkflow", "restate_limit": "1"},
            " with service name: OrderWorkflow, limit: 1",
        ),
        ({"restate_service_key": "a key's {{ x }}"}, " with service key: a key's {{ x }}"),
        (
            {"restate_kinds": "failed", "restate_snapshot_dir": "~/restate-snapshots"},
            " with kinds: failed",
        ),
    ],
)
def test_a_command_is_a_template_and_its_variables_are_answers(variables: dict[str, str], told: str) -> None:
    text = JobTemplate("Restate: release").completed(f"CODE: {runbook('recover_failed', **variables)}")
    assert text == f"CODE: launch the job template 'Restate: recover_failed (dry run)'{told}"


def test_what_stands_around_commands_and_modules_stays() -> None:
    text = JobTemplate("Restate: release").completed(
        f"Register it (restate_redeploy), {runbook('cleanup', restate_keep='dp_1')} and run restate_doctor again."
    )
    assert text == (
        "Register it (the job template 'Restate: redeploy'), launch the job template "
        "'Restate: cleanup (dry run)' with keep: dp_1 and run the job template 'Restate: doctor' again."
    )
