# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A remedy works: its command is accepted as it stands, and what its finding names is less afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from restate_sandbox import Sandbox

from tests.integration.playbook import environment
from tests.integration.server import Server
from tests.integration.services import Services

_COMMAND = re.compile(r"ansible-playbook dalp\.restate\.[^\n]*")


def commands_of(finding: dict[str, Any]) -> list[str]:
    """Return what a remedy tells to type, without the dry run."""
    return [found.replace(" --check --diff", "", 1) for found in _COMMAND.findall(finding["remedy"])]


def typed(server: Server, command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Type a command as it stands, with an inventory of this machine."""
    local = f"-i localhost, -c local -e ansible_python_interpreter={sys.executable}"
    tool = str(Path(sys.executable).with_name("ansible-playbook"))
    text = command.replace("ansible-playbook", f"{tool} {local}", 1)
    return subprocess.run(
        ["bash", "-c", text.replace("~/restate-snapshots", str(directory / "kept"))],
        cwd=directory,
        env=environment(
            RESTATE_ADMIN_URL=server.admin_url,
            RESTATE_INGRESS_URL=server.ingress_url,
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
        ),
        capture_output=True,
        text=True,
    )


def findings(server: Server) -> dict[str, dict[str, Any]]:
    return {each["code"]: each for each in server.task("doctor", probe_services=True)["findings"]}


def mix_of_paused(server: Server) -> None:
    """Pause a workflow's run, calls of two keys of an object with one queued behind each, and a call of a service."""
    server.release("release-2")
    server.release("shop", "basket-object")
    started = [server.send(f"/Basket/{key}/run/send", json={}) for key in (1, 2)]
    started += [server.send("/Ledger/hold/send", json="order-1"), server.order("order-1", "wait")]
    for invocation_id in started:
        server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" in row)
    for key in (1, 2):
        server.send(f"/Basket/{key}/run/send", json={})
    for invocation_id in started:
        server.http.patch(f"/invocations/{invocation_id}/pause").raise_for_status()
        server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")


def many_paused(server: Server) -> None:
    """Pause more calls of a service than a finding names."""
    server.release("release-2")
    started = [server.send("/Ledger/hold/send", json=f"order-{number}") for number in range(23)]
    for invocation_id in started:
        server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" in row)
        server.http.patch(f"/invocations/{invocation_id}/pause").raise_for_status()
    for invocation_id in started:
        server.wait_for_row(invocation_id, lambda row: row["status"] == "paused")


def failed_runs(server: Server) -> None:
    """Let runs of two workflows fail."""
    server.release("release-2")
    server.release("blobs", "blobs")
    server.order("order-1", "fail")
    binary = {"Content-Type": "application/octet-stream"}
    server.completed(server.send("/BlobWorkflow/1/run/send", content=b"x", headers=binary))


def a_zombie(server: Server) -> None:
    """Take a waiting run's deployment away."""
    old = server.release("release-1")
    server.order("order-1", "wait")
    server.release("release-2")
    server.delete(old.id)


def many_superseded(server: Server) -> None:
    """Supersede more deployments than a cleanup removes unless it is told otherwise."""
    for number in range(12):
        server.release(f"old-{number}", "order-only")
    server.release("order-only")


def drifted(server: Server) -> None:
    """Serve other code at a URL than is registered."""
    server.release("shop", "release-2")
    server.serve("shop", "extra-service")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (mix_of_paused, "PAUSED_INVOCATIONS"),
        (many_paused, "PAUSED_INVOCATIONS"),
        (failed_runs, "FAILED_WORKFLOWS"),
        (a_zombie, "ZOMBIE_INVOCATIONS"),
        (many_superseded, "DRAINED_DEPLOYMENTS"),
        (drifted, "DEPLOYMENT_DRIFT"),
    ],
)
def test_a_remedy_is_accepted_as_it_stands_and_makes_its_finding_smaller(
    make: Callable[[Server], None], code: str, server: Server, tmp_path: Path
) -> None:
    make(server)
    before = findings(server)[code]
    subjects = set(before["subjects"])
    assert subjects

    for command in commands_of(before):
        ran = typed(server, command, tmp_path)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    after = findings(server).get(code)
    assert not subjects & set(after["subjects"] if after else ())
    if after:
        # What the first remedy said that it does not reach, the next one does.
        assert "then run the doctor again for the others" in before["remedy"]
        [command] = commands_of(after)
        assert typed(server, command, tmp_path).returncode == 0
        assert code not in findings(server)


def test_calls_that_are_queued_behind_a_paused_one_are_told(server: Server) -> None:
    mix_of_paused(server)
    message = findings(server)["PAUSED_INVOCATIONS"]["message"]
    assert message.startswith("4 invocations paused")
    assert "2 calls of Basket" in message


def test_what_cannot_go_on_where_it_is_has_a_finding_with_its_cure(server: Server) -> None:
    server.release("shop", "release-2")
    waiting = server.order("order-1", "wait")
    server.serve("shop", "journal-changed")
    server.wait_for_row(waiting, lambda row: row.get("last_failure_error_code") == "RT0016")

    told = findings(server)["JOURNAL_MISMATCH"]

    assert told["subjects"] == [waiting]
    assert "RT0016" in told["message"]
    assert "at a URL of its own" in told["remedy"]


# Runs with a scope


@pytest.fixture
def scoped(services: Services, python: str) -> Iterator[Server]:
    """A server that takes invocations with a scope."""
    with Sandbox(environment={"RESTATE_EXPERIMENTAL_ENABLE_VQUEUES": "true"}) as sandbox:
        server = Server(sandbox, services, python)
        yield server
        server.reset()
        server.close()


def test_a_failed_run_with_a_scope_is_told_apart_and_its_remedy_purges_it(scoped: Server) -> None:
    scoped.release("release-2")
    scoped.order("order-1", "fail")
    failed = scoped.send("/restate/scope/acme/send/OrderWorkflow/order-2/run", json={"mode": "fail"})
    scoped.completed(failed)

    told = findings(scoped)

    assert told["FAILED_WORKFLOWS"]["subjects"] == ["OrderWorkflow/order-1"]
    assert told["FAILED_WORKFLOWS"]["message"].startswith("1 workflow run failed")
    assert told["FAILED_SCOPED_WORKFLOWS"]["subjects"] == ["acme/OrderWorkflow/order-2"]
    assert told["FAILED_SCOPED_WORKFLOWS"]["remedy"].endswith(f"restate invocations purge {failed}")
    scoped.http.patch(f"/invocations/{failed}/purge").raise_for_status()
    assert "FAILED_SCOPED_WORKFLOWS" not in findings(scoped)
