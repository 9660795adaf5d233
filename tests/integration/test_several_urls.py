# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""admin_url and ingress_url name several nodes: a task needs only one of them to be there."""

from __future__ import annotations

import pytest

from tests.integration.proxy import Proxy, answer
from tests.integration.recovery_of_one import KEY
from tests.integration.server import Server

DEAD = "http://ops:hunter22-and-more@127.0.0.1:1"


@pytest.mark.parametrize("form", ["list", "text"])
def test_a_task_goes_on_at_the_next_and_says_which_answered(server: Server, form: str) -> None:
    server.release("release-1")
    run = server.order(KEY, "fail")
    nodes = [DEAD, server.admin_url]

    recovered = server.task(
        "recover_workflow",
        admin_url=nodes if form == "list" else ",".join(nodes),
        service_name="OrderWorkflow",
        service_key=KEY,
    )

    assert not recovered["failed"], recovered["msg"]
    assert recovered["results"][0]["purged"] == [run]
    assert recovered["audit"]["source"] == server.admin_url
    assert "hunter22" not in str(recovered)


def test_the_doctor_names_the_node_that_is_down(server: Server) -> None:
    examined = server.task(
        "doctor", admin_url=[server.admin_url, DEAD], ingress_url=[server.ingress_url, DEAD]
    )

    for name, here in (("admin", server.admin_url), ("ingress", server.ingress_url)):
        component = examined[name]
        assert (component["status"], component["url"]) == ("ok", here)
        statuses = {node["url"]: node["status"] for node in component["nodes"]}
        assert statuses == {here: "ok", "http://127.0.0.1:1": "unreachable"}
    found = {each["code"]: (each["severity"], each["subjects"]) for each in examined["findings"]}
    assert found["ADMIN_NODE_UNREACHABLE"] == ("warning", ["http://127.0.0.1:1"])
    assert found["INGRESS_NODE_UNREACHABLE"] == ("warning", ["http://127.0.0.1:1"])
    assert examined["healthy"]


def test_a_partition_without_a_leader_is_critical(server: Server, proxy: Proxy) -> None:
    external = answer(500, {"message": "External error: node lookup for partition 1 failed"})
    proxy.once("POST", "^/query$", *[external] * 100)

    examined = server.task("doctor", admin_url=proxy.url)

    (finding,) = [each for each in examined["findings"] if each["severity"] == "critical"]
    assert finding["code"] == "CLUSTER_UNAVAILABLE"
    assert finding["message"].startswith("A partition has no leader, or the cluster has no quorum: ")
    assert not examined["healthy"]


def test_none_of_them_is_there(server: Server) -> None:
    refused = server.task("doctor", admin_url=[DEAD, "http://127.0.0.1:2"], retries=0)

    assert refused["admin"]["status"] == "unreachable"
    assert "hunter22" not in str(refused)
