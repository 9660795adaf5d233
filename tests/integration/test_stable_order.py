# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor and a registration report comes in one order, whatever the order of the server's answers is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.integration.proxy import Answer, Forward, Proxy, Request, proxy_of
from tests.integration.server import Server

Order = Callable[[list[Any]], list[Any]]
ALWAYS = 200


def reordered(order: Order) -> Callable[[Request, Forward], Answer]:
    """Return a fault that changes the order of each list for which the request asked for none."""

    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: change(each) for name, each in value.items()}
        return order([change(each) for each in value]) if isinstance(value, list) else value

    def fault(request: Request, forward: Forward) -> Answer:
        whole = forward()
        if request.path == "/query" and "ORDER BY" in request.body["query"]:
            return whole
        return Answer(whole.status, json.dumps(change(json.loads(whole.body))).encode(), whole.headers)

    return fault


def through(server: Server, order: Order, run: Callable[[Proxy], Any]) -> Any:
    with proxy_of(server.admin_url) as proxy:
        for method, path in (
            ("GET", "^/(deployments|services|subscriptions)"),
            ("POST", "^/(query|deployments)$"),
        ):
            proxy.once(method, path, *[reordered(order)] * ALWAYS)
        return run(proxy)


def as_it_is(values: list[Any]) -> list[Any]:
    return values


def backwards(values: list[Any]) -> list[Any]:
    return values[::-1]


def with_trouble(server: Server) -> None:
    gone = server.release("gone", "release-1")
    for number in range(3):
        server.order(f"zombie-{number}", "wait")
    server.delete(gone.id)
    for number in range(3):
        server.release(f"drained-{number}", "release-1")
    server.release("release-1")
    for number in range(3):
        server.order(f"failed-{number}", "fail")
        server.payment(f"paused-{number}")
    server.release("other", "order-only")
    server.serve("other", None)
    server.serve("release-1", None)


def test_doctor_reports_in_one_order(server: Server) -> None:
    with_trouble(server)

    def examine(proxy: Proxy) -> Any:
        seen = server.task("doctor", admin_url=proxy.url, probe_services=True)
        kept = {name: seen[name] for name in ("deployments", "services", "invocations", "findings")}
        text = json.dumps(kept).replace(proxy.url, "URL")
        return json.loads(text)

    one, other = through(server, as_it_is, examine), through(server, backwards, examine)

    assert [each["code"] for each in one["findings"]] == [each["code"] for each in other["findings"]]
    assert one == other
    lists = [each["subjects"] for each in one["findings"]]
    assert all(len(set(each)) == len(each) for each in lists)
    times = [each["failed_at"] for each in one["invocations"]["recent_failures"]]
    assert len(times) >= 6


def test_redeploy_reports_in_one_order(server: Server) -> None:
    server.release("release-1")
    url = server.serve("new", "release-2")

    def register(proxy: Proxy) -> Any:
        told = server.task("redeploy", check=True, admin_url=proxy.url, service_url=url)
        kept = {name: told.get(name) for name in ("msg", "steps", "deployment", "diff", "warnings")}
        return json.dumps(kept)

    assert through(server, as_it_is, register) == through(server, backwards, register)
