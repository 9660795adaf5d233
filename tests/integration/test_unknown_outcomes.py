# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes whose answer is lost and that no later look can tell of: the result says which they are."""

from __future__ import annotations

from typing import Any

from tests.integration.dalp.server import OPERATOR_KEY, DalpServer
from tests.integration.proxy import Answer, Forward, Proxy, Request, answer, lose, proxy_of
from tests.integration.server import Server
from tests.integration.superseded_deployments import superseded


def pass_on(_request: Request, forward: Forward) -> Answer:
    return forward()


def through(proxy: Proxy) -> dict[str, Any]:
    """Return the connection to the DALP behind a proxy."""
    return {"backend": "dalp", "dalp_url": proxy.url, "dalp_api_key": OPERATOR_KEY, "retries": 0}


def lose_sight(proxy: Proxy, route: str) -> None:
    """Lose the answer of a route, and let the doctor fail after it."""
    proxy.once("POST", "/doctor$", pass_on, answer(500))
    proxy.once("POST", f"/{route}$", lose)


def test_a_registration_through_dalp(server: Server, dalp: DalpServer) -> None:
    url = server.serve("release-1", "release-1")
    with proxy_of(dalp.url) as proxy:
        lose_sight(proxy, "force-redeploy")
        result = server.task("redeploy", service_url=url, **through(proxy))

    assert (result["failed"], result["changed"]) == (True, True)
    assert result["changed_reason"] == "No answer of DALP tells whether it was carried out."
    assert (result["done"], result["not_done"]) == ([], [])
    assert result["unknown"] == result["steps"]


def test_a_cleanup_through_dalp(server: Server, dalp: DalpServer) -> None:
    _old, new = superseded(server)
    with proxy_of(dalp.url) as proxy:
        lose_sight(proxy, "cleanup-stale-deployments")
        result = server.task("cleanup", service_url=new.url, **through(proxy))

    assert (result["failed"], result["changed"]) == (True, True)
    assert result["changed_reason"] == "No answer of DALP tells whether it was carried out."
    assert (result["done"], result["not_done"]) == ([], [])
    assert result["unknown"] == result["steps"]
    assert "removed" not in result


def test_the_second_of_three_invocations_that_are_resumed(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    runs = [server.payment(f"payment-{number}") for number in range(3)]
    server.serve("release-1", "release-2")
    proxy.once("PATCH", "/resume$", pass_on, lose)

    result = server.task("resume", admin_url=proxy.url, retries=0, invocation_ids=runs)

    assert (result["failed"], result["changed"]) == (True, True)
    told = [[step["invocation_id"] for step in result[state]] for state in ("done", "unknown", "not_done")]
    assert told == [[run] for run in runs]
