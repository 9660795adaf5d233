# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what real servers answer to answers/VERSION/*.json, for test_wire.py, and what was asked.

    PYTHONPATH=roles/sandbox/files:.build/collections python tests/unit/capture_answers.py [VERSION...]

Each file holds status, content type and body of one answer; that of a query holds the question, too. Ports and paths
of the machine are replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import httpx
import restate_server
from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Questions
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import capabilities_of
from restate_sandbox import Sandbox

ANSWERS = Path(__file__).with_name("answers")
SECRET = "a-secret-header-value"
DEAD_URL = "http://127.0.0.1:1/"

_PATH = re.compile(r"(?<![\w:/.])/(?:[\w.+-]+/)+([\w.+-]+)")
_PORT = r"127\.0\.0\.1:(?!1\b)"
_LOCAL = re.compile("|".join([_PORT, *map(re.escape, (str(Path.home()), str(Path.cwd()), gettempdir()))]))


def questions_of(version: str) -> Questions:
    """Return the questions that a server of this version is asked."""
    major, minor, _patch = version.split(".")
    return Questions(has_scopes=capabilities_of((int(major), int(minor))).has_scopes)


class Capture:
    """Sends requests to one server and keeps its answers."""

    def __init__(self, sandbox: Sandbox, names: dict[str, str]) -> None:
        self._admin = httpx.Client(base_url=sandbox.admin_url, timeout=30, trust_env=False)
        self._directory = ANSWERS / sandbox.version
        self._directory.mkdir(parents=True, exist_ok=True)
        self._questions = questions_of(sandbox.version)
        self.names = names

    def keep(self, name: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send a request, and write its answer to the file of this name, with what else is to be kept of it."""
        answer = self._admin.request(method, path, json=body, headers={"Accept": "application/json"})
        try:
            content = answer.json()
        except ValueError:
            content = answer.text
        kept = {
            "request": f"{method} {path}",
            "status": answer.status_code,
            "content_type": answer.headers.get("content-type"),
            "body": content,
            **more,
        }
        text = self._scrubbed(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False))
        if found := _LOCAL.search(text):
            raise RuntimeError(f"{name} tells of this machine: {text[found.start() - 80 : found.end() + 80]}")
        (self._directory / f"{name}.json").write_text(text + "\n")
        return answer

    def ask(self, name: str, question: str, **arguments: Any) -> list[dict[str, Any]]:
        """Ask a question, write it and its answer to the file of this name, and return the rows."""
        sql = getattr(self._questions, question)(**arguments).sql
        asked = {"name": question, "arguments": arguments, "sql": sql}
        answer = self.keep(f"query_{name}", "POST", "/query", {"query": sql}, question=asked)
        rows: list[dict[str, Any]] = answer.json().get("rows", [])
        return rows

    def _scrubbed(self, text: str) -> str:
        for url, name in self.names.items():
            text = text.replace(url.removeprefix("http://"), name)
        return _PATH.sub(r"\1", text)


def capture(version: str) -> None:
    """Write the answers of one version."""
    with Sandbox(version) as sandbox:
        trouble = sandbox.plant()
        served = {variant: sandbox.serve(variant).url for variant in ("type-changed", "extra-service")}
        names = {one["url"]: f"{name}.test:9080" for name, one in trouble["deployments"].items()}
        names |= {url: f"{variant}.test:9080" for variant, url in served.items()}
        names |= {sandbox.ingress_url: "ingress.test:8080", sandbox.admin_url: "admin.test:9070"}
        server = Capture(sandbox, names)
        _reads(server, trouble)
        _questions(server, trouble)
        _errors(server, trouble, served["type-changed"])
        _registrations(server, trouble, served["extra-service"], knows_metadata=version != "1.5.3")


def _reads(server: Capture, trouble: dict[str, Any]) -> None:
    server.keep("version", "GET", "/version")
    server.keep("deployments", "GET", "/deployments")
    server.keep("services", "GET", "/services")
    server.keep("service", "GET", "/services/OrderWorkflow")
    for name in ("drained", "release-1", "release-2"):
        server.keep(f"deployment_{name}", "GET", f"/deployments/{trouble['deployments'][name]['id']}")


def _questions(server: Capture, trouble: dict[str, Any]) -> None:
    planted = trouble["invocations"]
    ids = [one["invocation_id"] for one in planted.values()]
    keys = list(planted)
    release_1 = trouble["deployments"]["release-1"]["id"]
    of_keys = {"service": "OrderWorkflow", "keys": keys}
    server.ask("clock", "clock")
    server.ask("invocations_by_place", "invocations_by_place")
    server.ask("invoked_by_activity", "invoked_by_activity", retries=3)
    failed = server.ask("latest_terminal_failures", "latest_terminal_failures", limit=20)
    unsettled = server.ask("latest_unsettled", "latest_unsettled", limit=20)
    server.ask("failures", "failures", ids=[row["id"] for row in (*failed, *unsettled)])
    server.ask("last_events", "last_events", ids=[row["id"] for row in unsettled])
    server.ask("pattern_check", "pattern_check", pattern="(a+)+$")
    server.ask("zombies", "zombies", limit=20)
    server.ask("pending", "pending")
    server.ask("pinned_kinds", "pinned_kinds", deployment_id=release_1)
    server.ask("unfinished_on", "unfinished_on", deployment_id=release_1, services=["OrderWorkflow"])
    server.ask("invocations", "invocations", ids=ids)
    server.ask("cancelled", "cancelled", ids=ids)
    server.ask("status_of", "status_of", ids=ids)
    server.ask("children", "children", ids=ids)
    server.ask("invocations_of_keys", "invocations_of_keys", **of_keys)
    server.ask("invocations_of_keys_by_scan", "invocations_of_keys", **of_keys, by_scan=True)
    server.ask("some_invocations", "some_invocations", limit=3)
    server.ask("state_of_keys", "state_of_keys", **of_keys)
    server.ask("state_values", "state_values", service="OrderWorkflow", keys=["order-1001"])
    server.ask("promises_of_keys", "promises_of_keys", **of_keys)
    server.ask("any_of_service", "any_of_service", service="OrderWorkflow")
    server.ask("any_state_of_service", "any_state_of_service", service="OrderWorkflow")
    server.ask("hostile_key", "state_values", service="OrderWorkflow", keys=["it's; -- \\' \" % _ 鍵"])


def _errors(server: Capture, trouble: dict[str, Any], type_changed_url: str) -> None:
    waiting = trouble["invocations"]["order-1004"]["invocation_id"]
    drained = trouble["deployments"]["drained"]
    dry = {"dry_run": True, "force": False}
    server.keep("error_bad_sql", "POST", "/query", {"query": "SELECT nothing FROM nowhere"})
    server.keep("error_no_deployment", "GET", "/deployments/dp_11T20hDBm2yfWrx3B8cRlsd")
    server.keep("error_bad_deployment_id", "GET", "/deployments/dp_nope")
    server.keep("error_no_service", "GET", "/services/Nope")
    server.keep("error_unreachable", "POST", "/deployments", {"uri": DEAD_URL, **dry})
    server.keep("error_type_change", "POST", "/deployments", {"uri": type_changed_url, **dry})
    server.keep("error_bad_uri", "POST", "/deployments", {"uri": "::::", **dry})
    server.keep("error_bad_body", "POST", "/deployments", {"uri": DEAD_URL, "additional_headers": {"x": 1}})
    server.keep("error_not_forced", "DELETE", f"/deployments/{drained['id']}")
    server.keep("error_purge_unfinished", "PATCH", f"/invocations/{waiting}/purge")
    server.keep("known_not_forced", "POST", "/deployments", {"uri": drained["url"], "force": False})


def _registrations(server: Capture, trouble: dict[str, Any], url: str, *, knows_metadata: bool) -> None:
    body: dict[str, Any] = {"uri": url, "force": False, "additional_headers": {"X-Api-Key": SECRET}}
    if knows_metadata:
        body |= {"breaking": False, "metadata": {"git.sha": "0a1b2c3"}}
    server.keep("registration_dry_run", "POST", "/deployments", {**body, "dry_run": True})
    deployment_id = server.keep("registration", "POST", "/deployments", body).json()["id"]
    server.keep("deployment_with_headers", "GET", f"/deployments/{deployment_id}")
    server.keep("deployments_with_headers", "GET", "/deployments")
    server.keep("service_patched", "PATCH", "/services/Invoices", {"public": False})
    settings = {"idempotency_retention": "2h", "inactivity_timeout": "5m", "abort_timeout": "6m"}
    server.keep("service_patched_again", "PATCH", "/services/Invoices", settings)
    again = {**body, "force": True, "dry_run": True}
    server.keep("registration_again_dry_run", "POST", "/deployments", again)
    server.keep("registration_again", "POST", "/deployments", {**again, "dry_run": False})
    drained = trouble["deployments"]["drained"]["id"]
    server.keep("deletion", "DELETE", f"/deployments/{drained}?force=true")
    server.keep("deletion_again", "DELETE", f"/deployments/{drained}?force=true")


if __name__ == "__main__":
    for one in sys.argv[1:] or restate_server.VERSIONS:
        capture(one)
