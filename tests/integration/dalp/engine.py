# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP's four operator routes do with a real Restate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from restate_api import RestateApi
from waiting import SandboxError, wait_until

from tests.integration.dalp import doctor
from tests.integration.dalp.errors import DalpError

Body = dict[str, Any]

_GATEWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


class Engine:
    """One Restate, as DALP reaches it. Every route raises DalpError when it fails."""

    def __init__(self, admin_url: str, ingress_url: str, probe_timeout: float) -> None:
        self.urls = (admin_url, ingress_url)
        self._probe_timeout = probe_timeout
        self._admin = httpx.Client(base_url=admin_url, timeout=30.0, trust_env=False)
        self._ingress = httpx.Client(base_url=ingress_url, trust_env=False)
        self._api = RestateApi(admin_url, ingress_url)
        self.routes: dict[str, Callable[[Body], Body]] = {
            "doctor": self._doctor,
            "force-redeploy": self._redeploy,
            "cleanup-stale-deployments": self._cleanup,
            "recover-stuck-workflow": self._recover,
        }

    def close(self) -> None:
        """Close the connections."""
        self._admin.close()
        self._ingress.close()
        self._api.__exit__(None, None, None)

    def run(self, route: str, body: Body) -> Body:
        """Do what a route is for, with a valid body that has the defaults, and give the answer."""
        try:
            return self.routes[route](body)
        except httpx.TransportError as error:
            raise DalpError("RESTATE_ADMIN_UNREACHABLE", f"{type(error).__name__}: {error}") from error
        except DalpError:
            raise
        except Exception as error:
            raise DalpError("INTERNAL_SERVER_ERROR", f"{type(error).__name__}: {error}") from error

    def _doctor(self, _body: Body) -> Body:
        return doctor.examine(self._admin, self._ingress, self._probe_timeout)

    def _redeploy(self, body: Body) -> Body:
        url = body["serviceUrl"]
        asked = {"uri": url, "force": body["force"]}
        answer = _reached(self._admin.post("/deployments", json=asked))
        if not answer.is_success:
            message = f"{url} cannot be registered: {answer.text}"
            raise DalpError("RESTATE_DEPLOYMENT_NOT_FOUND", message)
        return {"acknowledged": True, "deploymentId": answer.json()["id"]}

    def _cleanup(self, body: Body) -> Body:
        url = body["serviceUrl"]
        answer = _reached(self._admin.get("/deployments")).raise_for_status()
        deployments = {one["id"]: one.get("uri", one.get("arn")) for one in answer.json()["deployments"]}
        if url not in deployments.values():
            raise DalpError("RESTATE_DEPLOYMENT_NOT_FOUND", f"no deployment is registered as {url}")
        for deployment_id, its_url in deployments.items():
            if its_url == url:
                continue
            if body["forceDrain"]:
                self._drain(deployment_id)
            if not self._pending(deployment_id):
                self._api.delete_deployment(deployment_id)
        return {"acknowledged": True}

    def _drain(self, deployment_id: str) -> None:
        """Kill until nothing is pending: what a killed invocation has called ends some time later."""

        def drained() -> bool:
            pending = self._pending(deployment_id)
            self._api.kill(pending)
            return not pending

        wait_until(f"{deployment_id} drained", drained)

    def _pending(self, deployment_id: str) -> list[str]:
        """What is pinned there, and what would begin there."""
        rows = self._api.query(
            "SELECT id FROM sys_invocation_status WHERE status != 'completed' "
            f"AND (pinned_deployment_id = '{deployment_id}' OR (pinned_deployment_id IS NULL "
            "AND target_service_name IN "
            f"(SELECT name FROM sys_service WHERE deployment_id = '{deployment_id}')))"
        )
        return [str(row["id"]) for row in rows]

    def _recover(self, body: Body) -> Body:
        # Both are of letters, digits, _ and - only.
        service, key = body["serviceName"], body["serviceKey"]
        rows = self._of_key(service, key)
        if active := [row["id"] for row in rows if row["status"] != "completed"]:
            raise _blocked("active_invocation", "an invocation of the key is active", active)
        if succeeded := [row for row in rows if row.get("completion_result") == "success"]:
            runs = self._run_handlers(service)
            ids = [row["id"] for row in succeeded if runs is None or row["target_handler_name"] in runs]
            if ids:
                raise _blocked("already_succeeded", "the workflow has succeeded", ids)
        self._purge(service, key, [row["id"] for row in rows])
        return {"acknowledged": True}

    def _of_key(self, service: str, key: str) -> list[dict[str, Any]]:
        sql = (
            "SELECT id, status, completion_result, target_handler_name FROM sys_invocation_status "
            f"WHERE target_service_name = '{service}' AND target_service_key = '{key}'"
        )
        try:
            return self._api.query(sql)
        except (SandboxError, ValueError) as error:
            raise _blocked("query_failed", str(error), []) from error

    def _run_handlers(self, service: str) -> set[str] | None:
        """The handlers whose success is that of the workflow; None when nobody knows the service any more."""
        answer = _reached(self._admin.get(f"/services/{service}"))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise _blocked("query_failed", f"{answer.request.url} answered {answer.status_code}", [])
        return {one["name"] for one in answer.json()["handlers"] if one.get("ty") == "Workflow"}

    def _purge(self, service: str, key: str, ids: list[str]) -> None:
        state = f"SELECT key FROM state WHERE service_name = '{service}' AND service_key = '{key}' LIMIT 1"
        try:
            self._api.kill(ids)
            self._api.purge(ids)
            left = {row["id"] for row in self._of_key(service, key)}.intersection(ids)
            if left:
                raise _blocked("purge_failed", "invocations are left after the purge", sorted(left))
            if self._api.query(state):
                self._api.clear_state(service, key)
                wait_until(f"state of {service}/{key} gone", lambda: not self._api.query(state))
        except (SandboxError, httpx.TransportError, ValueError) as error:
            raise _blocked("purge_failed", str(error), ids) from error


def _reached(answer: httpx.Response) -> httpx.Response:
    if answer.status_code in _GATEWAY:
        message = f"{answer.request.url} answered {answer.status_code}"
        raise DalpError("RESTATE_ADMIN_UNREACHABLE", message)
    return answer


def _blocked(reason: str, message: str, invocation_ids: list[str]) -> DalpError:
    return DalpError("RESTATE_WORKFLOW_RETRY_BLOCKED", message, reason=reason, invocationIds=invocation_ids)
