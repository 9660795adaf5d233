# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding tells to type."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.superseded import MAX_REMOVED
from ansible_collections.dalp.restate.plugins.modules import restate_cleanup
from ansible_collections.dalp.restate.tests.unit.doctor_observed import (
    COMMAND,
    FAILED,
    OFTEN,
    PAUSED,
    PINNED,
    RELEASED,
    ZOMBIE,
    findings,
    invocations,
    paused,
    placed,
    unfinished,
)
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    deployment,
    invocation,
    service,
)


@pytest.mark.parametrize(("changes", "remedy"), [
    pytest.param(RELEASED, f"{COMMAND}cleanup --check --diff -e restate_service_url=http://dp_new:9080/ -e restate_remove=superseded", id="drained"),
    pytest.param({**RELEASED, "invocations": invocations(pending=[PINNED])}, f"{COMMAND}cleanup --check --diff -e restate_service_url=http://dp_new:9080/ -e restate_remove=superseded", id="stale"),
    pytest.param({"invocations": invocations(by_place=[placed("failure")], failed=[FAILED])}, f"{COMMAND}recover_failed --check --diff -e restate_service_name=Flow -e restate_kinds=failed -e restate_limit=1 -e 'restate_snapshot_dir=~/restate-snapshots'", id="a failed run"),
    pytest.param({"invocations": paused(1)}, f"{COMMAND}recover_failed --check --diff -e restate_service_name=Flow -e restate_kinds=paused -e restate_limit=1", id="a paused run"),
    pytest.param({"invocations": invocations(zombies=[ZOMBIE])}, f"{COMMAND}resume --check --diff -e restate_invocation_ids=inv_z -e restate_deployment=latest", id="a zombie"),
])  # fmt: skip
def test_a_remedy_can_be_typed_as_it_is(changes: dict[str, Any], remedy: str) -> None:
    assert remedy in findings(**changes)[0].remedy


def test_what_is_stuck_and_no_workflow_is_not_offered_a_fresh_start() -> None:
    stuck = invocation("inv_p", "paused", target_service_ty="service")
    seen = findings(invocations=paused(1, stuck, target_service_ty="service"))
    assert seen[0].remedy == f"{COMMAND}resume --check --diff -e restate_invocation_ids=inv_p"


def test_a_remedy_for_several_services_names_none() -> None:
    rows = [PAUSED, invocation("inv_q", "paused", target_service_name="Other")]
    by_place = [placed(None, 1, "paused"), placed(None, 1, "paused", target_service_name="Other")]
    told = findings(invocations=invocations(by_place=by_place, unsettled=rows))
    seen = [one for one in told if one.code == "PAUSED_INVOCATIONS"]
    assert "service_name" not in seen[0].remedy
    assert "restate_limit=2" in seen[0].remedy


def test_what_lost_its_deployment_is_not_tried_again_where_it_was() -> None:
    lost = OFTEN._replace(id=ZOMBIE.id)
    seen = findings(
        invocations=invocations(
            zombies=[ZOMBIE],
            unsettled=[OFTEN, lost],
            unfinished=unfinished("backing-off", 2, retried_often=True),
        )
    )
    told = {each.code: each for each in seen}
    assert told["RETRYING_INVOCATIONS"].message.startswith("1 invocation")
    assert told["RETRYING_INVOCATIONS"].subjects == [OFTEN.id]
    assert told["RETRYING_INVOCATIONS"].remedy.endswith(f"restate_invocation_ids={OFTEN.id}")


def test_a_remedy_permits_as_many_removals_as_there_are_deployments_to_remove() -> None:
    spec: dict[str, Any] = restate_cleanup.ARGUMENT_SPEC
    assert spec["max_removed"]["default"] == MAX_REMOVED
    old = tuple(deployment(f"dp_{number}", "Flow", day=1) for number in range(MAX_REMOVED + 1))
    newest: dict[str, Any] = {"services": (service("Flow", "dp_new"),)}
    [few] = findings(deployments=(*old[1:], deployment("dp_new", "Flow", day=2)), **newest)
    [many] = findings(deployments=(*old, deployment("dp_new", "Flow", day=2)), **newest)
    assert "max_removed" not in few.remedy
    assert many.remedy.endswith(f" -e restate_max_removed={MAX_REMOVED + 1}")


class _Unsafe(yaml.SafeLoader):
    """Reads what Ansible is told not to template as a text that says so."""


_Unsafe.add_constructor("!unsafe", lambda loader, node: f"unsafe:{node.value}")


@pytest.mark.parametrize(("name", "expected"), [
    ("it's", "it's"),
    ('two words "quoted"', 'two words "quoted"'),
    ("a=b", "a=b"),
    ("@/etc/passwd", "@/etc/passwd"),
    ("$(reboot); `reboot`", "$(reboot); `reboot`"),
    ("\u9375\n2", "\u9375\n2"),
    ("{{ lookup('pipe', 'reboot') }}", "unsafe:{{ lookup('pipe', 'reboot') }}"),
    ("{% raw %}", "unsafe:{% raw %}"),
    ("{# x #}", "unsafe:{# x #}"),
])  # fmt: skip
def test_a_remedy_survives_the_shell_and_ansible_whatever_a_name_holds(name: str, expected: str) -> None:
    failed = invocation("inv_f", "completed", target_service_name=name)
    by_place = [placed("failure", target_service_name=name)]
    seen = findings(invocations=invocations(by_place=by_place, failed=[failed]))
    words = shlex.split(seen[0].remedy)
    assert words[:-1] == ["ansible-playbook", "dalp.restate.recover_failed", "--check", "--diff", "-e"]
    assert yaml.load(words[-1], _Unsafe)["restate_service_name"] == expected
