# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runbooks release and rollback on an engine that another application uses, too."""

from __future__ import annotations

from pathlib import Path

from tests.integration.server import Server
from tests.integration.superseded_deployments import superseded
from tests.integration.test_runbooks import run, summary

KILL = {"restate_force_drain": "true", "restate_drain_timeout": "0", "restate_pending": "kill"}


def _waiting(server: Server, ids: list[str]) -> list[str]:
    return [
        each for each in ids if (server.row(each) or {}).get("status") in ("invoked", "suspended", "running")
    ]


def test_a_release_is_rolled_back_twice_in_a_row_beside_the_work_of_another_application(
    server: Server, tmp_path: Path
) -> None:
    draining, orders = superseded(server, *((f"order-{n}", "wait") for n in range(3)))
    runs = [row["id"] for row in server.query("SELECT id FROM sys_invocation WHERE status <> 'completed'")]
    old = server.release("cron")
    tick = server.send("/Cron/tick/send?delay=1h", json=1)
    url = server.serve("newer-cron", "cron")
    everything = {draining.id, orders.id, old.id}

    for _ in range(2):
        dry = run(server, "release", tmp_path, "--check", restate_service_url=url, **KILL)
        released = run(server, "release", tmp_path, restate_service_url=url, **KILL)

        for ran in (dry, released):
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert "killed" not in "\n".join(summary(ran))
        new = server.service("Cron")["deployment_id"]
        assert new != old.id
        assert server.deployment_ids() == {*everything, new}

        back = run(server, "rollback", tmp_path, restate_service_url=old.url)

        assert back.returncode == 0, back.stdout + back.stderr
        assert server.service("Cron")["deployment_id"] == old.id
        assert server.deployment_ids() == {*everything, new}
    assert _waiting(server, runs) == runs
    assert (server.row(tick) or {})["status"] == "scheduled"


def test_the_summary_counts_by_service_what_a_release_ends(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    order, payment = server.order("order-1", "wait"), server.payment("payment-1")
    server.release("release-2")
    url = server.serve("newest", "release-2")
    asked = {"restate_service_url": url, **KILL, "restate_keep_revisions": "0"}

    dry = run(server, "release", tmp_path, "--check", **asked)
    real = run(server, "release", tmp_path, **asked)

    for ran in (dry, real):
        assert ran.returncode == 0, ran.stdout + ran.stderr
        text = "\n".join(summary(ran))
        assert "Invocations by service: OrderWorkflow (1 killed), PaymentWorkflow (1 killed)." in text
    assert _waiting(server, [order, payment]) == []
