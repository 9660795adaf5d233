# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor route answers: five components, each examined by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

_MOST_FAILURES = 20

_BY_STATUS = "SELECT status, count(1) AS number FROM sys_invocation_status GROUP BY status"
_FAILURES = (
    "SELECT id, target, target_service_name, target_service_key, status, completion_failure, completed_at, modified_at "
    "FROM sys_invocation_status "
    "WHERE (status = 'completed' AND completion_result = 'failure') OR status = 'paused' "
    f"ORDER BY coalesce(completed_at, modified_at) DESC LIMIT {_MOST_FAILURES}"
)

# What an unexpected payload is met with.
_NOT_THE_SHAPE = (KeyError, TypeError, ValueError, AttributeError)


class _DegradedError(Exception):
    """It responded, but not as it should."""


def examine(admin: httpx.Client, ingress: httpx.Client, timeout: float) -> dict[str, Any]:
    """Give the whole answer; no request waits longer than `timeout` seconds."""

    def get(client: httpx.Client, path: str) -> Any:
        return _json(client.get(path, timeout=timeout))

    def query(sql: str) -> list[dict[str, Any]]:
        json_please = {"Accept": "application/json"}
        answer = admin.post("/query", headers=json_please, json={"query": sql}, timeout=timeout)
        rows: list[dict[str, Any]] = _json(answer)["rows"]
        return rows

    return {
        "ingress": _timed({}, lambda: _no_more(get(ingress, "/restate/health"))),
        "admin": _timed({"version": None}, lambda: {"version": str(get(admin, "/version")["version"])}),
        "deployments": _listed({"items": []}, lambda: _deployments(get(admin, "/deployments"))),
        "services": _listed({"items": []}, lambda: _services(get(admin, "/services"))),
        "invocations": _listed({"byStatus": {}, "recentFailures": []}, lambda: _invocations(query)),
    }


def _timed(empty: dict[str, Any], probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.monotonic()
    status, found, _error = _probed(empty, probe)
    latency = None if status == "unreachable" else round((time.monotonic() - began) * 1000)
    return {"status": status, "latencyMs": latency, **found}


def _listed(empty: dict[str, Any], probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    status, found, error = _probed(empty, probe)
    return {"status": status, **found, "error": error}


def _probed(
    empty: dict[str, Any], probe: Callable[[], dict[str, Any]]
) -> tuple[str, dict[str, Any], str | None]:
    try:
        return "ok", probe(), None
    except httpx.TransportError as error:
        return "unreachable", empty, f"{type(error).__name__}: {error}"
    except _DegradedError as error:
        return "degraded", empty, str(error)
    except _NOT_THE_SHAPE as error:
        return "degraded", empty, f"unexpected payload: {error!r}"


def _json(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise _DegradedError(f"{answer.request.url.path} answered {answer.status_code}")
    return answer.json()


def _no_more(_payload: Any) -> dict[str, Any]:
    return {}


def _deployments(payload: Any) -> dict[str, Any]:
    return {
        "items": [
            {
                "id": one["id"],
                "serviceUrl": one["uri"] if "uri" in one else one["arn"],
                "createdAt": _milliseconds(one["created_at"]),
            }
            for one in payload["deployments"]
        ]
    }


def _services(payload: Any) -> dict[str, Any]:
    return {"items": [{"name": one["name"], "revision": one["revision"]} for one in payload["services"]]}


def _invocations(query: Callable[[str], list[dict[str, Any]]]) -> dict[str, Any]:
    by_status = {row["status"]: row["number"] for row in query(_BY_STATUS)}
    rows = query(_FAILURES)
    paused = [row["id"] for row in rows if row["status"] == "paused"]
    last_words = _last_words(query, paused) if paused else {}
    return {
        "byStatus": by_status,
        "recentFailures": [
            {
                "id": row["id"],
                "target": row["target"],
                "serviceName": row["target_service_name"],
                "serviceKey": row.get("target_service_key"),
                "status": row["status"],
                "failure": row.get("completion_failure", last_words.get(row["id"])),
                "failedAt": _milliseconds(row.get("completed_at", row["modified_at"])),
            }
            for row in rows
        ],
    }


def _last_words(query: Callable[[str], list[dict[str, Any]]], ids: list[str]) -> dict[str, str | None]:
    """Why invocations were paused: Restate keeps it with their journals."""
    among = ", ".join(f"'{one}'" for one in ids)
    rows = query(
        f"SELECT id, event_json FROM sys_journal_events WHERE event_type = 'Paused' AND id IN ({among})"
    )
    events = {row["id"]: json.loads(row["event_json"]) for row in rows}
    return {one: (event.get("last_failure") or {}).get("error_message") for one, event in events.items()}


def _milliseconds(told: str) -> str:
    moment = datetime.fromisoformat(told).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
