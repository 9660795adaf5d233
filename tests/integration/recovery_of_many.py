# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that recover many keys, and what they and the server say of each."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Server
from tests.integration.three_runs import ThreeRuns, run_three_times


def recover(server: Server, **args: Any) -> ThreeRuns:
    return run_three_times(server, "recover_workflow", unknown=("results",), **args)


def outcomes(result: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["service_key"]: (each["outcome"], each["reason"]) for each in result["results"]}


def of_order(*keys: str) -> list[dict[str, str]]:
    return [{"service_name": "OrderWorkflow", "service_key": key} for key in keys]


def created_at_by_key(server: Server, service: str = "OrderWorkflow") -> dict[str, str]:
    """When the run of each key was created."""
    rows = server.query(
        "SELECT target_service_key, created_at FROM sys_invocation_status "
        f"WHERE target_service_name = '{service}' AND target_handler_name = 'run'"
    )
    return {row["target_service_key"]: row["created_at"] for row in rows}
