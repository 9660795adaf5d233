# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments on AWS Lambda, registered with a server that takes a stand-in for AWS."""

from __future__ import annotations

from typing import Any

import pytest
import restate_server

from tests.integration.lambda_stand_in import LambdaStandIn, arn
from tests.integration.registered_deployments import NEW
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times

on_all_versions = pytest.mark.parametrize("configured", restate_server.VERSIONS, indirect=True)


def register(server: Server, version: int) -> str:
    answered = server.http.post("/deployments", json={"arn": arn(version), "force": False})
    return str(answered.raise_for_status().json()["id"])


def findings(server: Server) -> dict[str, dict[str, Any]]:
    return {each["code"]: each for each in server.task("doctor", probe_services=True)["findings"]}


@on_all_versions
def test_a_lambda_that_answers_is_healthy_and_a_denied_one_is_said(
    configured: Server, aws: LambdaStandIn
) -> None:
    register(configured, 1)
    assert findings(configured) == {}
    aws.is_denied = True

    seen = findings(configured)

    assert seen.keys() == {"SERVICE_UNREACHABLE"}
    finding = seen["SERVICE_UNREACHABLE"]
    assert finding["subjects"] == ["Ledger"]
    assert arn(1) in finding["message"]
    assert "not authorized" in finding["message"]
    assert "restate deployments register" in finding["remedy"]


@on_all_versions
def test_the_remedy_for_a_superseded_lambda_is_no_playbook_that_leaves_it(configured: Server) -> None:
    old = register(configured, 1)
    register(configured, 2)

    seen = findings(configured)

    assert seen.keys() == {"DRAINED_DEPLOYMENTS"}
    assert seen["DRAINED_DEPLOYMENTS"]["message"] == "1 drained deployment on AWS Lambda can be removed."
    assert seen["DRAINED_DEPLOYMENTS"]["remedy"] == f"restate deployments remove {old}"


def test_what_a_lambda_has_superseded_is_removed_by_hand_where_no_url_is_the_latest(
    configured: Server,
) -> None:
    old = configured.release("old", "ledger-only")
    register(configured, 1)

    seen = findings(configured)

    assert seen["DRAINED_DEPLOYMENTS"]["remedy"] == f"restate deployments remove {old.id}"


def test_a_playbook_and_the_command_line_each_have_what_they_can_remove(configured: Server) -> None:
    a_lambda = register(configured, 1)
    old = configured.release("release-1")
    new = configured.release("new", "release-2")

    seen = [each for each in configured.task("doctor")["findings"] if each["code"] == "DRAINED_DEPLOYMENTS"]

    assert [each["subjects"] for each in seen] == [[old.id], [a_lambda]]
    assert f"restate_service_url={new.url}" in seen[0]["remedy"]
    assert seen[1]["remedy"] == f"restate deployments remove {a_lambda}"
    cleaned = run_three_times(
        configured, "cleanup", service_url=new.url, keep=[arn(1)], remove="superseded", drain_timeout=0
    )
    assert cleaned.real["removed"] == [old.id]


def test_an_arn_is_refused_with_the_command_that_takes_it(configured: Server) -> None:
    for module in ("redeploy", "cleanup"):
        told = run_three_times(configured, module, service_url=arn(1))
        assert reason(told.real)[0] == "RESTATE_UNSUPPORTED"
        assert "restate deployments" in told.real["error"]["remedy"]


@pytest.mark.parametrize("is_denied", [False, True])
def test_settings_survive_the_move_from_a_lambda_to_a_url(
    configured: Server, aws: LambdaStandIn, is_denied: bool
) -> None:
    register(configured, 1)
    configured.http.patch("/services/Ledger", json={"public": False}).raise_for_status()
    aws.is_denied = is_denied
    url = configured.serve("new", "release-2")

    told = run_three_times(configured, "redeploy", unknown=NEW, service_url=url)

    assert configured.service("Ledger")["public"] is False
    assert ("does not answer discovery" in str(told.predicted["warnings"])) is is_denied
