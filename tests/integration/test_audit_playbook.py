# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit records of a playbook, which hold no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.audit_log import KEY, records
from tests.integration.playbook import playbook
from tests.integration.server import Server
from tests.unit.loopback import LoopbackServer
from tests.unit.loopback import answer as answered

TOKEN = "tok-8c1e5b7d20"
HEADER = "hdr-4f9a2c6e81"
PASSWORD = "pwd-1d7b3e9f55"
HOOK = "hook-6a2f8d4c97"
FAILURE = "database is down"
STATE = "step"
CONTEXT = "4711-0815"
SECRETS = (TOKEN, HEADER, PASSWORD, HOOK, FAILURE, CONTEXT)
PATTERNS = [r"database\sis\sdown", r"^step$", r"\d{4}-\d{4}"]


def assert_no_secret(text: str) -> None:
    lines = text.splitlines()
    assert [line for line in lines if any(secret in line for secret in SECRETS)] == []


def cached_facts(tmp_path: Path) -> list[str]:
    """Return the names of the facts that outlive the run."""
    return [name for file in (tmp_path / "facts").glob("*") for name in json.loads(file.read_text())]


def artifacts(output: str) -> list[dict[str, Any]]:
    """Return the records that a playbook leaves to its job."""
    stats = output.partition("CUSTOM STATS:")[2].partition("RUN:")[2]
    kept: list[dict[str, Any]] = json.JSONDecoder().raw_decode(stats.strip())[0]["restate_audit_records"]
    return kept


@pytest.mark.parametrize("check", [False, True], ids=["for real", "as a dry run"])
def test_a_playbook_keeps_its_records_and_no_secret(
    check: bool, server: Server, log: Path, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order(KEY, "wait")
    server.order("order-2", "fail")
    server.order("order-3", "retry")
    # What is looked for below would be found.
    assert FAILURE in str(server.task("doctor"))
    told = server.task("recover_workflow", check=True, service_name="OrderWorkflow", service_key="order-2")
    assert told["diff"]["before"]["OrderWorkflow/order-2"]["state"] == [STATE]
    # Userinfo and a token are not taken together.
    by_userinfo = {"restate_admin_url": server.admin_url.replace("://", f"://ops:{PASSWORD}@")}
    by_token = {"restate_admin_url": server.admin_url, "restate_auth_token": TOKEN}
    variables: dict[str, Any] = {
        **(by_token if check else by_userinfo),
        "restate_ingress_url": server.sandbox.ingress_url,
        "restate_headers": {"x-gateway": HEADER},
        "restate_audit_log": str(log),
        "restate_audit_detail": "full",
        "restate_redact_patterns": PATTERNS,
        "restate_reason": f"card {CONTEXT}",
        "restate_audit_context": {"card": CONTEXT},
        "restate_workflows": [
            {"service_name": "OrderWorkflow", "service_key": key} for key in ("order-2", KEY)
        ],
    }
    with LoopbackServer([answered(410)]) as hook:
        variables["restate_audit_webhook"] = f"{hook.url}/{HOOK}"
        options = ["-vvv", "--diff", *(["--check"] if check else [])]
        ran = playbook("recover_workflow", tmp_path, *options, **variables)
    printed = ran.stdout + ran.stderr
    assert ran.returncode == 2, printed

    # A fact cache would show them as those of later runs.
    assert "restate_audit" not in cached_facts(tmp_path)
    kept = artifacts(ran.stdout)
    steps = [(one["data"]["operation"], one["data"]["outcome"]) for one in kept]
    doctor = ("doctor", "planned" if check else "succeeded")
    work = ("recover_workflow", "refused" if check else "failed")
    assert steps == [doctor, work, *([] if check else [doctor])]
    assert {one["data"]["check_mode"] for one in kept} == {check}
    ended = [one["id"] for one in records(log) if one["data"]["outcome"] != "attempted"]
    assert [one["id"] for one in kept] == ended
    assert len(records(log)) == (2 if check else 4)

    page = tmp_path / "report.html"
    made = playbook("audit_report", tmp_path, restate_audit_log=str(log), restate_audit_page=str(page))
    assert made.returncode == 0, made.stdout + made.stderr
    assert "did not take the audit record: status 410" in printed
    assert [request.json["id"] for request in hook.requests] == [one["id"] for one in records(log)]
    assert {request.target for request in hook.requests} == {f"/{HOOK}"}
    for request in hook.requests:
        assert_no_secret(str(request.headers) + request.body.decode())
    pages = page.read_text(encoding="utf-8") + page.with_suffix(".md").read_text(encoding="utf-8")
    assert_no_secret(printed + log.read_text(encoding="utf-8") + pages + str(kept))
    assert "card (hidden)" in pages
    full = next(
        one["data"] for one in records(log) if "OrderWorkflow/order-2" in one["data"].get("before", {})
    )
    assert full["before"]["OrderWorkflow/order-2"]["state"] == ["(hidden)"]
