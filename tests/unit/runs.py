# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of runbooks, as their results tell of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.plugin_utils.command_line import Command
from ansible_collections.dalp.restate.plugins.plugin_utils.summary import Run, Step

Result = dict[str, Any]

OLD, NEW = "dp_old", "dp_new"
OLD_URL, NEW_URL = "http://orders-v1:9080/", "http://orders-v2:9080/"


def result(operation: str = "cleanup", *, check: bool = False, **more: Any) -> Result:
    data: Result = {
        "attempt": "a",
        "actor": "ops",
        "operation": operation,
        "arguments": {},
        "reason": None,
        "check_mode": check,
        "changed": True,
        "outcome": "planned" if check else "succeeded",
        "error_code": None,
        "error_message": None,
        "duration_ms": 40,
        "restate_version": "1.7.12",
        "before_digest": "1" * 64,
        "after_digest": "2" * 64,
        "context": {},
    }
    record = {
        "id": operation,
        "time": "2026-11-22T18:40:01.512Z",
        "source": "http://restate:9070",
        "type": f"dalp.restate.{operation}.{data['outcome']}",
        "subject": NEW_URL,
        "data": data,
    }
    return {"msg": "All of it.", "changed": True, "audit": record, **more}


def deployment(id_: str, url: str, revision: int, *, state: str = "active", pending: int = 0) -> Result:
    return {
        "id": id_,
        "service_url": url,
        "created_at": f"2026-11-2{revision}T18:02:06Z",
        "services": [{"name": "OrderWorkflow", "revision": revision}],
        "state": state,
        "pending_invocations": pending,
    }


def finding(code: str, severity: str = "warning", message: str = "It is so.") -> Result:
    return {"code": code, "severity": severity, "message": message, "subjects": [], "remedy": "Look."}


def examined(*deployments: Result, check: bool = False, **more: Any) -> Result:
    latest = deployments[-1]["id"] if deployments else None
    items = [
        {"name": "OrderWorkflow", "revision": len(deployments), "type": "Workflow", "deployment_id": latest}
    ]
    fine = {name: {"status": "ok", "error": None} for name in ("ingress", "admin", "invocations")}
    found = {
        **fine,
        "deployments": {"status": "ok", "items": list(deployments), "error": None},
        "services": {"status": "ok", "items": items if deployments else [], "error": None},
        "findings": [],
        "healthy": True,
    }
    return result("doctor", check=check, msg="Restate works.", changed=False, **{**found, **more})


def key(name: str, outcome: str = "recovered", **more: Any) -> Result:
    return {
        "service_name": "OrderWorkflow",
        "service_key": name,
        "outcome": outcome,
        "reason": None,
        "message": "",
        "purged": ["inv_1"],
        "killed": [],
        "failure": None,
        **more,
    }


def run_of(before: Result, after: Result, **steps: Result) -> Run:
    command = Command({"args": ("dalp.restate.release",), "inventory": ("inventory.yml",)}, "staging")
    taken = tuple(Step(name, found) for name, found in steps.items())
    return Run("Release", "staging", Step("doctor", before), taken, Step("doctor", after), command)


def release(*, check: bool = False, **of_cleanup: Any) -> Run:
    """Return a release that registers one deployment and removes the one before."""
    old = deployment(OLD, OLD_URL, 1, pending=3)
    step = {
        "action": "wait_then_remove",
        "deployment_id": OLD,
        "service_url": OLD_URL,
        "pending_invocations": 3,
    }
    registered = result(
        "redeploy",
        check=check,
        steps=[{"action": "register", "service_url": NEW_URL}],
        deployment={"service_url": NEW_URL, "services": [{"name": "OrderWorkflow", "type": "Workflow"}]},
        **({} if check else {"deployment_id": NEW}),
    )
    cleaned = {"steps": [{**step, "conditional": True}], "removed": [OLD], "remaining": [], **of_cleanup}
    after = {} if check else examined(deployment(NEW, NEW_URL, 2))
    return run_of(
        examined(old, check=check), after, redeploy=registered, cleanup=result(check=check, **cleaned)
    )
