# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long work tells how far it is, in process, through Ansible's display."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.integration import ways
from tests.integration.dalp.server import OPERATOR_KEY, DalpServer
from tests.integration.playbook import environment
from tests.integration.proxy import Answer, Forward, Proxy, Request, answer, proxy_of
from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, superseded


def told(tmp_path: Path, module: str, options: dict[str, Any], *arguments: str, **keywords: Any) -> list[str]:
    """Run a task as an operator does, and return the lines about its progress."""
    task = {f"dalp.restate.restate_{module}": options, **keywords}
    play = {"hosts": "localhost", "gather_facts": False, "vars": ways.variables(), "tasks": [task]}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        str(tmp_path / "play.json"),
        *arguments,
    ]
    done = subprocess.run(
        [*command, "-i", "localhost,", "-c", "local"],
        capture_output=True,
        text=True,
        env=environment(ANSIBLE_NOCOLOR="1", LC_ALL="C.UTF-8"),
    )
    assert "PLAY RECAP" in done.stdout, done.stdout + done.stderr
    return re.findall(r"^\[localhost\] (.*)$", done.stdout, re.MULTILINE)


def slow(_request: Request, forward: Forward) -> Answer:
    """Take longer than what nothing is told of."""
    time.sleep(2.2)
    return forward()


def failed_orders(server: Server, number: int) -> list[dict[str, str]]:
    """Let orders fail, and return their keys as the option O(workflows) takes them."""
    server.release("release-1")
    keys = [f"order-{each}" for each in range(number)]
    for key in keys:
        server.submit("OrderWorkflow", key, "run", {"mode": "fail"})
    return [{"service_name": "OrderWorkflow", "service_key": key} for key in keys]


def draining(server: Server) -> tuple[str, dict[str, Any]]:
    """Return the id of a deployment with pending work, and the options that wait for it."""
    old, new = superseded(server, ("order-1", "wait"))
    return old.id, {**server.connection, "service_url": new.url, "drain_timeout": 7}


def test_a_cleanup_tells_what_it_waits_for(server: Server, tmp_path: Path) -> None:
    old, options = draining(server)
    lines = told(tmp_path, "cleanup", options)
    assert 1 < len(lines) <= 3
    assert [re.sub(r"\d+ s", "N s", line) for line in lines] == [
        f"draining: {old} has 1 pending; N s left" for _ in lines
    ]
    left = [int(re.findall(r"(\d+) s left", line)[0]) for line in lines]
    assert left == sorted(left, reverse=True)
    assert left[0] <= 6


def test_a_dry_run_tells_no_progress(server: Server, tmp_path: Path) -> None:
    _old, options = draining(server)
    assert told(tmp_path, "cleanup", options, "--check") == []


def test_what_a_task_hides_is_not_told(server: Server, tmp_path: Path) -> None:
    _old, options = draining(server)
    assert told(tmp_path, "cleanup", options, no_log=True) == []


def test_whatever_a_pattern_matches_an_address_is_told(server: Server, tmp_path: Path) -> None:
    old, options = draining(server)
    lines = told(tmp_path, "cleanup", {**options, "redact_patterns": [old, "draining"]})
    assert lines
    assert all(f"draining: {old} has 1 pending" in line for line in lines)


def test_a_redeploy_tells_which_service_does_not_answer(server: Server, tmp_path: Path) -> None:
    options = {**server.connection, "service_url": "http://ops:pw@127.0.0.1:9", "wait_timeout": 5}
    lines = told(tmp_path, "redeploy", options)
    assert lines
    assert all("the service at http://127.0.0.1:9 answers" in line and "pw" not in line for line in lines)


def test_a_cleanup_tells_how_many_are_removed(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    server.release("release-1")
    server.release("other", "release-1")
    new = server.release("new", "release-2")
    proxy.once("DELETE", "", slow, slow)
    options = {"admin_url": proxy.url, "service_url": new.url, "remove": "superseded"}
    assert told(tmp_path, "cleanup", options) == [
        "cleanup: 1 of 2 removed",
        "cleanup: 2 of 2 removed",
    ]


def test_a_cleanup_tells_that_it_goes_on_while_it_ends_pending_work(
    server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    _old, new = superseded(server, ("order-1", "wait"), ("order-2", "wait"))
    proxy.once("PATCH", "cancel", slow)
    options = {"admin_url": proxy.url, "service_url": new.url, "pending": "cancel", **FORCED}
    assert told(tmp_path, "cleanup", options)[0] == "cleanup: 0 of 1 removed"


def test_a_resumption_tells_how_many_were_moved(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    server.release("release-1")
    ids = [server.payment("payment-1"), server.payment("payment-2")]
    new = server.release("new", "release-2")
    proxy.once("PATCH", "resume", slow)
    options = {"admin_url": proxy.url, "invocation_ids": ids, "deployment": "latest"}
    assert told(tmp_path, "resume", options)[0] == f"moving: 2 of 2 were asked to go on at {new.id}"


def test_a_recovery_of_many_tells_how_many_are_done(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    failed_orders(server, 600)
    proxy.once("POST", "purge", slow)
    select = {"service_name": "OrderWorkflow", "kinds": ["failed"], "limit": 600}
    options = {**server.connection, "admin_url": proxy.url, "select": select}
    assert "recovery: 500 of 600 keys done: 500 recovered" in told(tmp_path, "recover_workflow", options)


def test_a_recovery_tells_that_it_goes_on_where_it_waits_for_the_server(
    server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    workflows = failed_orders(server, 2)
    proxy.once("POST", "purge", *[answer(503)] * 6)
    options = {**server.connection, "admin_url": proxy.url, "workflows": workflows}
    lines = told(tmp_path, "recover_workflow", options)
    assert proxy.is_used_up
    assert lines[0] == "recovery: 0 of 2 keys done"


def test_a_recovery_tells_how_many_were_submitted_again(server: Server, tmp_path: Path) -> None:
    workflows = failed_orders(server, 2)
    with proxy_of(server.connection["ingress_url"]) as ingress:
        ingress.once("POST", "", slow, slow)
        options = {
            **server.connection,
            "ingress_url": ingress.url,
            "workflows": workflows,
            "snapshot_dir": str(tmp_path / "snapshots"),
            "resubmit": "original_input",
        }
        lines = told(tmp_path, "recover_workflow", options)
    assert lines == [
        "recovery: 0 of 2 keys done: 1 submitted again",
        "recovery: 0 of 2 keys done: 2 submitted again",
    ]


def test_a_recovery_by_dalp_tells_how_many_are_done(server: Server, dalp: DalpServer, tmp_path: Path) -> None:
    workflows = failed_orders(server, 2)
    with proxy_of(dalp.url) as front:
        front.once("POST", "recover", slow, slow)
        options = {"backend": "dalp", "dalp_url": front.url, "dalp_api_key": OPERATOR_KEY}
        lines = told(tmp_path, "recover_workflow", {**options, "workflows": workflows})
    assert lines == [
        "recovery: 1 of 2 keys done: 1 recovered",
        "recovery: 2 of 2 keys done: 2 recovered",
    ]
