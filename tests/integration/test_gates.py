# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health checks of runbooks: what `restate_fail_on` names stops a run, and all runbooks see the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import playbook
from tests.integration.server import Server

Ran = subprocess.CompletedProcess[str]
RUNBOOKS: dict[str, dict[str, Any]] = {
    "doctor": {},
    "resume": {"restate_select": {"limit": 10, "kinds": ["paused"]}},
    "cleanup": {},
    "redeploy": {},
    "recover_failed": {"restate_limit": 10, "restate_kinds": "paused"},
}


def run(server: Server, name: str, tmp_path: Path, *options: str, **more: Any) -> Ran:
    variables = {"restate_admin_url": server.admin_url, "restate_ingress_url": server.ingress_url}
    return playbook(name, tmp_path, *options, **{**variables, **more})


def headline(ran: Ran) -> str:
    """Return what the first line of the summary says of the server."""
    text = ran.stdout.partition(" on localhost: ")[2]
    return text.partition("; ")[2].partition("\n")[0]


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["real", "dry"])
def test_what_fail_on_names_stops_a_release_before_anything_is_registered(
    options: tuple[str, ...], server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    url = server.serve("release-2", "release-2")
    before = server.snapshot()

    ran = run(server, "release", tmp_path, *options, restate_service_url=url, restate_fail_on="warning")

    assert ran.returncode == 2, ran.stdout
    assert "RESTATE_UNHEALTHY" in ran.stdout
    assert "  - redeploy: not tried, since doctor failed" in ran.stdout
    assert server.snapshot() == before


def test_what_nobody_named_does_not_stop_a_repair(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.serve("release-1", None)
    url = server.serve("new", "release-2")

    ran = run(server, "release", tmp_path, restate_service_url=url)

    assert "critical: " in ran.stdout
    assert server.service("OrderWorkflow")["deployment_id"] in server.deployment_ids()
    assert server.deployment(server.service("OrderWorkflow")["deployment_id"])["uri"].rstrip(
        "/"
    ) == url.rstrip("/")


@pytest.mark.parametrize("name", RUNBOOKS)
def test_all_runbooks_find_the_same(name: str, server: Server, tmp_path: Path) -> None:
    url = server.release("release-1").url
    server.serve("release-1", None)
    given = {**RUNBOOKS[name], **({"restate_service_url": url} if name in ("cleanup", "redeploy") else {})}

    ran = run(server, name, tmp_path, "--check", restate_wait_timeout=0, **given)
    unasked = run(
        server, name, tmp_path, "--check", restate_wait_timeout=0, restate_probe_services=False, **given
    )

    assert headline(ran) == "Restate is NOT healthy (1 critical finding)", ran.stdout
    assert "ervices were not asked" not in ran.stdout
    assert headline(unasked) == "Restate is healthy", unasked.stdout
    assert "ervices were not asked whether they answer" in unasked.stdout
