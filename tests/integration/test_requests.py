# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a module: nothing that writes in check mode, and never a call that would hit more than was planned."""

from __future__ import annotations

from typing import Any

from tests.integration.proxy import Proxy
from tests.integration.server import Server
from tests.integration.versions import on

FORCED = {"force_drain": True, "drain_timeout": 0}

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("doctor", {"probe_services": True, "fail_on": ["warning"]}),
    ("redeploy", {"service_url": "release-2"}),
    ("redeploy", {"service_url": "new", "breaking": True}),
    ("redeploy", {"service_url": "changed"}),
    ("redeploy", {"service_url": "nothing", "wait_timeout": 1}),
    ("cleanup", {"service_url": "release-2", "remove": "superseded"}),
    *(
        ("cleanup", {"service_url": "release-2", "remove": "superseded", **FORCED, "pending": pending})
        for pending in ("migrate", "cancel", "kill", "abandon")
    ),
    *(
        ("recover_workflow", {"service_name": "OrderWorkflow", "service_key": key, "kill_active": "any"})
        for key in ("failed", "retrying", "waiting", "calling")
    ),
    (
        "recover_workflow",
        {"service_name": "ForgetfulWorkflow", "service_key": "done", "clear_orphaned_state": True},
    ),
]


@on("1.7.12", "1.5.3")
def test_no_write_leaves_in_check_mode(server: Server, proxy: Proxy) -> None:
    server.release("zero-retention")
    server.submit("ForgetfulWorkflow", "done", "run", {})
    server.release("changed", "release-1")
    server.release("release-1")
    for key, mode in (("failed", "fail"), ("retrying", "retry"), ("waiting", "wait"), ("calling", "child")):
        server.order(key, mode)
    server.release("release-2")
    server.serve("changed", "extra-service")
    server.serve("new", "type-changed")
    before = server.snapshot()

    changes = 0
    for module, args in CHANGES:
        if "service_url" in args:
            args = {**args, "service_url": server.services.url(args["service_url"])}
        result = server.task(module, check=True, admin_url=proxy.url, **args)
        assert "error" in result or not result["failed"], result["msg"]
        changes += bool(result["changed"])

    assert proxy.writes == []
    assert {str(request) for request in proxy.requests if request.method != "GET"} == {
        "POST /query",
        "POST /deployments",
    }
    assert server.snapshot() == before
    assert changes >= 9


@on("1.7.12", "1.5.3")
def test_a_state_call_never_follows_a_purge(server: Server, proxy: Proxy) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    server.order("order-2", "retry")

    for key in ("order-1", "order-2"):
        recovered = server.task(
            "recover_workflow",
            admin_url=proxy.url,
            service_name="OrderWorkflow",
            service_key=key,
            kill_active="stuck",
            clear_orphaned_state=True,
        )
        assert recovered["outcome"] == "recovered"

    assert [write.rpartition("/")[2] for write in proxy.writes] == ["purge", "kill", "purge"]


def test_a_blocked_key_and_a_registration_that_is_there_send_no_write(server: Server, proxy: Proxy) -> None:
    release = server.release("release-1")
    server.order("order-1", "wait")

    server.task("recover_workflow", admin_url=proxy.url, service_name="OrderWorkflow", service_key="order-1")
    server.task("redeploy", admin_url=proxy.url, service_url=release.url)
    server.task("cleanup", admin_url=proxy.url, service_url=release.url)

    assert proxy.writes == []


@on("1.7.12", "1.5.3")
def test_force_is_always_said_outright(server: Server, proxy: Proxy) -> None:
    url = server.serve("release-1", "release-1")
    server.task("redeploy", admin_url=proxy.url, service_url=url)
    server.serve("release-1", "extra-service")
    server.task("redeploy", admin_url=proxy.url, service_url=url)

    sent = [request.body for request in proxy.requests if str(request) == "POST /deployments"]

    assert [(body["force"], body.get("dry_run", False)) for body in sent] == [
        (False, True),
        (False, False),
        (True, True),
        (True, False),
    ]
    assert all(("breaking" in body) == server.is_at_least(1, 6) for body in sent)
