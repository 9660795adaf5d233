# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that recover one key, and what is expected of them."""

from __future__ import annotations

from typing import Any

from tests.integration.proxy import Proxy
from tests.integration.server import Server
from tests.integration.three_runs import ThreeRuns, reason, run_three_times

KEY = "order-1"
NOTHING = {"sys_invocation_status": 0, "state": 0, "sys_promise": 0}


def recover(server: Server, service: str = "OrderWorkflow", key: str = KEY, **args: Any) -> ThreeRuns:
    return run_three_times(server, "recover_workflow", service_name=service, service_key=key, **args)


def assert_blocked(told: ThreeRuns, why: str, *ids: str) -> None:
    assert reason(told.real) == ("RESTATE_WORKFLOW_RETRY_BLOCKED", why)
    assert set(told.real["error"].get("invocation_ids", [])) == set(ids)
    assert told.real["outcome"] == "blocked"
    assert told.real["summary"] == {"blank": 0, "recovered": 0, "blocked": 1, "failed": 0}
    assert told.before == told.after


def assert_recovered(told: ThreeRuns, server: Server, key: str = KEY, service: str = "OrderWorkflow") -> None:
    assert told.real["outcome"] == "recovered"
    assert told.real["changed"]
    assert told.again["outcome"] == "blank"
    assert server.count_rows_of_key(key, service) == NOTHING


def recover_through(server: Server, proxy: Proxy, **args: Any) -> dict[str, Any]:
    """Recover KEY through a proxy, with a single run."""
    args = {"service_name": "OrderWorkflow", "service_key": KEY, **args}
    return server.task("recover_workflow", admin_url=proxy.url, **args)
