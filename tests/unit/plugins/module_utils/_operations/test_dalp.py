# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every operation through DALP: what is refused before anything is sent, and that no secret shows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.dalp_answers import (
    DENIED,
    DOWN,
    OLD,
    health,
)
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import KEY, ORDER, TASKS, MakeDalp, Run
from ansible_collections.dalp.restate.tests.unit.loopback import answer

PASSWORD = "hunter22"

# What is refused before anything is sent


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("module", "options", "names"), [
    ("doctor", {"probe_services": True}, ["probe_services"]),
    ("redeploy", {"breaking": True}, ["breaking"]),
    ("redeploy", {"breaking": False}, ["breaking"]),
    ("redeploy", {"use_http_11": False, "metadata": {}}, ["use_http_11", "metadata"]),
    ("redeploy", {"additional_headers": {}}, ["additional_headers"]),
    ("cleanup", {"remove": "superseded"}, ["remove"]),
    ("cleanup", {"pending": "migrate"}, ["pending"]),
    ("cleanup", {"migrate_paused": False, "min_age": "2h"}, ["migrate_paused", "min_age"]),
    ("cleanup", {"keep": ["dp_old"], "pending": "kill"}, ["keep", "pending"]),
    ("cleanup", {"allow_service_removal": False}, ["allow_service_removal"]),
    ("recover_workflow", {"kill_active": "stuck"}, ["kill_active"]),
    ("recover_workflow", {"kill_active": "any", "stuck_after_retries": 5}, ["kill_active", "stuck_after_retries"]),
    ("recover_workflow", {"clear_orphaned_state": True}, ["clear_orphaned_state"]),
    ("recover_workflow", {"snapshot_dir": "/nowhere"}, ["snapshot_dir"]),
    ("recover_workflow", {"resubmit": "original_input"}, ["resubmit"]),
    (
        "recover_workflow",
        {"service_name": None, "service_key": None, "select": {"limit": 3}},
        ["select"],
    ),
])  # fmt: skip
def test_what_a_route_cannot_honour_is_refused_by_name(
    module: str, options: dict[str, Any], names: list[str], check: bool, dalp: MakeDalp
) -> None:
    there = dalp()
    result = there.task(module, check=check, **{**TASKS[module], **options})
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    for name in names:
        assert name in result["msg"]
    assert "backend: restate" in result["error"]["remedy"]
    assert there.routes == []
    assert result["audit"]["data"]["outcome"] == "refused"


@pytest.mark.parametrize(("module", "options"), [
    ("doctor", {"probe_services": False}),
    ("cleanup", {"remove": "all", "keep": [], "allow_service_removal": True}),
    ("recover_workflow", {"kill_active": "never"}),
])  # fmt: skip
def test_what_the_route_does_anyway_may_be_said(module: str, options: dict[str, Any], dalp: MakeDalp) -> None:
    assert not dalp().task(module, **TASKS[module], **options).get("failed")


def test_dalp_has_no_route_that_resumes(dalp: MakeDalp) -> None:
    there = dalp()
    result = there.task("resume", invocation_ids=["inv_1"])
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    assert "restate_resume" in result["msg"]
    assert there.routes == []


@pytest.mark.parametrize("missing", ["dalp_url", "dalp_api_key"])
def test_without_an_address_or_a_key_nothing_is_sent(missing: str, dalp: MakeDalp) -> None:
    there = dalp()
    result = there.task("doctor", **dict[str, Any]({missing: None}))
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert missing in result["msg"]
    assert "DALP_API_URL" in result["error"]["remedy"]
    assert there.routes == []
    assert result["audit"]["source"]


def test_address_and_key_can_come_from_the_environment(
    dalp: MakeDalp, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = dalp()
    monkeypatch.setenv("DALP_API_URL", there.server.url)
    monkeypatch.setenv("DALP_API_KEY", "sm_dalp_of_the_shell")
    result = there.task("doctor", dalp_url=None, dalp_api_key=None)
    assert result["healthy"]
    assert there.server.requests[0].headers["x-api-key"] == "sm_dalp_of_the_shell"


@pytest.mark.parametrize(("name", "key"), [
    ("Order Workflow", "order-1"), ("OrderWorkflow", "order/1"), ("OrderWorkflow", "o'rder"), ("Order.Workflow", "1"),
    ("", "order-1"), ("OrderWorkflow", ""), ("OrderWorkflow", "order-1\n"), ("OrderWorkflow", "é"),
])  # fmt: skip
@pytest.mark.parametrize("is_list", [False, True])
def test_a_name_or_key_that_the_route_does_not_take_stops_all(
    name: str, key: str, is_list: bool, dalp: MakeDalp
) -> None:
    there = dalp()
    asked: dict[str, Any] = {"service_name": name, "service_key": key}
    result = there.task("recover_workflow", **({"workflows": [ORDER, asked]} if is_list else asked))
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert there.routes == []


# Credentials


def test_what_opens_the_admin_api_is_not_sent_to_dalp(dalp: MakeDalp) -> None:
    there = dalp()
    there.task("doctor", auth_token="token-of-the-admin", headers={"X-Gateway": "of-the-admin"})
    [request] = there.server.requests
    assert "of-the-admin" not in str(request.headers)


@pytest.mark.parametrize("module", TASKS)
def test_no_secret_leaves_a_module_whatever_dalp_says(
    module: str, serve: Serve, run: Run, dalp: MakeDalp
) -> None:
    words = f"you sent {KEY} to http://ops:{PASSWORD}@h, and {PASSWORD}"
    told = health(OLD, services={"status": "degraded", "error": words})
    there = dalp(told, write=answer(409, {"code": "CONFLICT", "message": words}))
    url = there.server.url.replace("http://", f"http://ops:{PASSWORD}@")
    arguments = {"backend": "dalp", "dalp_url": url, "dalp_api_key": KEY, "audit_detail": "full"}
    text, result = run(f"restate_{module}", **arguments, **TASKS[module])
    assert KEY not in text
    assert PASSWORD not in text
    assert result["invocation"]["module_args"]["dalp_api_key"] == "(hidden)"
    assert result["audit"]["source"] == there.server.url
    assert result["audit"]["data"]["arguments"]["dalp_api_key"] == "(hidden)"


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("module", TASKS)
def test_who_may_not_operate_is_told_so(module: str, check: bool, dalp: MakeDalp) -> None:
    there = dalp(DENIED)
    result = there.task(module, check=check, **TASKS[module])
    assert result["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert result["error"]["remedy"] == "Use an operator account or update the caller's role before retrying."
    assert "Not you." in result["msg"]
    assert result["changed"] is False
    assert there.routes == ["doctor"]


# What the doctor cannot tell


@pytest.mark.parametrize("module", ["redeploy", "cleanup"])
@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_written_where_the_doctor_cannot_tell_what_is_registered(
    module: str, check: bool, dalp: MakeDalp
) -> None:
    there = dalp(health(deployments=DOWN))
    told = there.task(module, check=check, **TASKS[module])
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert "connect refused" in told["msg"]
    assert there.routes == ["doctor"]
