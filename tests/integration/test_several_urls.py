# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""admin_url and ingress_url name several nodes: a task needs only one of them to be there."""

from __future__ import annotations

import pytest

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


def test_none_of_them_is_there(server: Server) -> None:
    refused = server.task("doctor", admin_url=[DEAD, "http://127.0.0.1:2"], retries=0)

    assert refused["admin"]["status"] == "unreachable"
    assert "hunter22" not in str(refused)
