# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Restate server as a test uses it: it submits work, runs tasks, and reads all that can be seen from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from restate_api import RestateApi
from restate_sandbox import Sandbox
from restate_server import RestateServer
from waiting import wait_until

from tests.integration import ways
from tests.integration.ansible_task import Result, run_task
from tests.integration.services import Services

Row = dict[str, Any]
Snapshot = dict[str, Any]

_IN_PROGRESS = ("invoked", "suspended")
"""An invocation that waits goes from one to the other by itself."""


class Server:
    """One server, whatever was registered there, and the tasks that are run against it."""

    def __init__(
        self, sandbox: Sandbox, services: Services, python: str, node: RestateServer | None = None
    ) -> None:
        """Use a node of the sandbox: the first one unless another one is given."""
        at = node or sandbox.nodes[0]
        self.sandbox = sandbox
        self._python = python
        self.services = services
        self.version = sandbox.version
        self.admin_url = at.admin_url
        self.ingress_url = at.ingress_url
        self.connection = {"admin_url": at.admin_url, "ingress_url": at.ingress_url}
        """The options by which tasks reach it."""
        self.api = RestateApi(at.admin_url, at.ingress_url)
        self.http = httpx.Client(base_url=at.admin_url, trust_env=False, timeout=30)
        self.ingress = httpx.Client(base_url=at.ingress_url, trust_env=False, timeout=30)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        self.ingress.close()
        self.api.__exit__(None, None, None)

    def is_at_least(self, major: int, minor: int) -> bool:
        """Whether the server is of this release or a later one."""
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (major, minor)

    # Tasks

    @property
    def python(self) -> str:
        """The interpreter that tasks are given."""
        return ways.python_of_way(self._python)

    def task(self, module: str, *, check: bool = False, **args: Any) -> Result:
        """Run one of the modules, by the end of its name, and give its result."""
        args = {**self.connection, **args}
        return run_task(f"dalp.restate.restate_{module}", args, check=check, python=self.python)

    # Deployments

    def serve(self, name: str, variant: str | None, **options: Any) -> str:
        """Serve a variant under this name, and give its URL."""
        return self.services.put(name, variant, **options)

    def register(self, url: str, **body: Any) -> str:
        """Register what is at the URL, and give the deployment's id."""
        answer = self.http.post("/deployments", json={"uri": url, "force": False, **body})
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def release(self, name: str, variant: str | None = None, **body: Any) -> Deployment:
        """Serve and register a variant (by default the one of this name)."""
        url = self.serve(name, variant or name)
        return Deployment(self.register(url, **body), url)

    def deployment(self, deployment_id: str) -> Row:
        """What GET /deployments/{id} says."""
        answer: Row = self.http.get(f"/deployments/{deployment_id}").json()
        return answer

    def service(self, name: str) -> Row:
        """What GET /services/{name} says."""
        answer: Row = self.http.get(f"/services/{name}").json()
        return answer

    def deployment_ids(self) -> set[str]:
        """The ids of all that is registered."""
        return set(self.api.deployments())

    def delete(self, deployment_id: str) -> None:
        """Delete a deployment, whatever is pinned to it."""
        self.api.delete_deployment(deployment_id)

    # Invocations

    def submit(self, service: str, key: str, handler: str, argument: object | None = None) -> str:
        """Send a one-way call to any key, and give the invocation's id."""
        return self.api.submit(service, quote(key, safe=""), handler, argument)

    def send(self, path: str, **request: Any) -> str:
        """Post to the ingress as it stands, and give the invocation's id.

        The ingress learns of a registration a moment after the admin API has answered it, and its 404 may end the
        connection: each attempt has one of its own.
        """

        def accepted() -> httpx.Response | None:
            url = self.sandbox.ingress_url + path
            answer = httpx.post(url, trust_env=False, timeout=30, **request)
            return None if answer.status_code == httpx.codes.NOT_FOUND else answer

        return str(wait_until(f"{path} accepted", accepted).json()["invocationId"])

    def order(self, key: str, mode: str, **more: Any) -> str:
        """Submit a run of OrderWorkflow, wait until it is where its mode leads, and give its id."""
        invocation_id = self.submit("OrderWorkflow", key, "run", {"mode": mode, **more})
        self.wait_for_row(invocation_id, _REACHED[mode])
        return invocation_id

    def await_approval(self, key: str) -> str:
        """Submit a shared handler that waits for a promise, and give its id once it waits."""
        invocation_id = self.submit("OrderWorkflow", key, "await_approval")
        self.wait_for_row(invocation_id, _waits)
        return invocation_id

    def payment(self, key: str) -> str:
        """Submit a run of PaymentWorkflow, which is soon paused on release 1, and give its id."""
        invocation_id = self.submit("PaymentWorkflow", key, "run", {})
        self.wait_for_row(invocation_id, lambda row: row["status"] == "paused")
        return invocation_id

    def wait_for_row(self, invocation_id: str, there: Callable[[Row], Any]) -> Row:
        """Wait until an invocation's row is as asked, and return it."""

        def look() -> Row | None:
            row = self.row(invocation_id)
            return row if row and there(row) else None

        return wait_until(f"{invocation_id} as expected", look, seen=lambda: self.row(invocation_id))

    def row(self, invocation_id: str) -> Row | None:
        """All that Restate says of an invocation: `waits` where its journal has a promise, `calls` what it called."""
        rows = self.query(f"SELECT * FROM sys_invocation WHERE id = '{invocation_id}'")
        if not rows:
            return None
        journal = self.query(
            f"SELECT id FROM sys_journal WHERE id = '{invocation_id}' AND entry_type LIKE '%GetPromise%'"
        )
        return {**rows[0], "waits": bool(journal), "calls": self.children(invocation_id)}

    def children(self, invocation_id: str) -> list[str]:
        """The invocations that this one called and that are pinned already."""
        rows = self.query(
            f"SELECT id, pinned_deployment_id FROM sys_invocation WHERE invoked_by_id = '{invocation_id}'"
        )
        return [row["id"] for row in rows if "pinned_deployment_id" in row]

    def completed(self, invocation_id: str) -> Row:
        """Wait until an invocation has completed, and return its row."""
        return self.wait_for_row(invocation_id, lambda row: row["status"] == "completed")

    def query(self, sql: str) -> list[Row]:
        """The rows of a query."""
        return self.api.query(sql)

    def count_rows_of_key(self, key: str, service: str = "OrderWorkflow") -> dict[str, int]:
        """How many rows Restate holds of a key, by table."""
        literal = "'" + key.replace("'", "''") + "'"
        tables = {"sys_invocation_status": "target_service", "state": "service", "sys_promise": "service"}
        return {
            table: len(
                self.query(
                    f"SELECT {prefix}_key FROM {table} WHERE {prefix}_key = {literal} AND {prefix}_name = '{service}'"
                )
            )
            for table, prefix in tables.items()
        }

    # The whole server

    def snapshot(self) -> Snapshot:
        """All that can be told of the server from outside, less what changes by itself."""
        invocations = self.query(
            "SELECT id, status, created_at, target_handler_name, pinned_deployment_id, completion_result "
            "FROM sys_invocation_status"
        )
        for row in invocations:
            if row["status"] in _IN_PROGRESS:
                row["status"] = "in progress"
        deployments = self.http.get("/deployments").json()["deployments"]
        services = self.http.get("/services").json()["services"]
        for service in services:
            # Restate lists them in another order each time.
            service["handlers"] = _sorted(service["handlers"], "name")
        for deployment in deployments:
            deployment["services"] = _sorted(deployment["services"], "name")
        return {
            "deployments": _sorted(deployments, "id"),
            "services": _sorted(services, "name"),
            "invocations": _sorted(invocations, "id"),
            "state": _sorted(
                self.query("SELECT service_name, service_key, key, value FROM state"),
                "service_name",
                "service_key",
                "key",
            ),
            "promises": _sorted(
                self.query("SELECT service_name, service_key, key, completed FROM sys_promise"),
                "service_name",
                "service_key",
                "key",
            ),
        }

    def reset(self) -> None:
        """Make the server blank, with nothing served."""
        # This cuts off all attempts. 1.5.3 would not, and panic when the key of a killed run is submitted again.
        self.services.clear()
        self._end_all()
        promises = self.query("SELECT DISTINCT service_name, service_key FROM sys_promise")
        if promises:
            # Only the purge of a run takes promises along.
            self.register(self.serve("reset", "release-2"))
            for row in promises:
                self.submit(row["service_name"], row["service_key"], "run", {"mode": "ok"})
            wait_until("promises gone", self._end_completed)
        self.sandbox.reset()
        self.services.clear()

    def _end_all(self) -> None:
        unfinished = self.query("SELECT id FROM sys_invocation_status WHERE status != 'completed'")
        self.api.kill(row["id"] for row in unfinished)
        # 1.7.12 keeps a row of what was paused between two attempts and then killed; no attempt of it is under way.
        attempts = "SELECT id FROM sys_invocation_state WHERE in_flight LIMIT 1"
        wait_until("no attempt left", lambda: not self.query(attempts))
        self._end_completed()

    def _end_completed(self) -> bool:
        rows = self.query("SELECT id FROM sys_invocation_status WHERE status = 'completed'")
        self.api.purge(row["id"] for row in rows)
        return not self.query("SELECT key FROM sys_promise LIMIT 1")


@dataclass(frozen=True)
class Deployment:
    """A deployment that is registered."""

    id: str
    url: str


def _sorted(rows: Iterable[Row], *columns: str) -> list[Row]:
    return sorted(rows, key=lambda row: [str(row.get(column)) for column in columns])


def _waits(row: Row) -> bool:
    return bool(row["waits"]) and "pinned_deployment_id" in row


def _began(row: Row) -> bool:
    return "pinned_deployment_id" in row and row["status"] in ("running", "suspended")


_REACHED: dict[str, Callable[[Row], bool]] = {
    "ok": lambda row: row.get("completion_result") == "success",
    "fail": lambda row: row.get("completion_result") == "failure",
    "retry": lambda row: row.get("retry_count", 0) >= 4 and "pinned_deployment_id" in row,
    "wait": _waits,
    "child": lambda row: row["calls"] and "pinned_deployment_id" in row,
    "slow": _began,
}
