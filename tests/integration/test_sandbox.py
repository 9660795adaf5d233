# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the other tests, the demo and molecule rely on in the sandbox."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import restate_server
from restate_api import RestateApi
from restate_sandbox import Sandbox
from waiting import SandboxError

ROOT = Path(__file__).resolve().parents[2]
CLI = [sys.executable, str(ROOT / "roles" / "sandbox" / "files" / "sandbox.py")]

# As the server tells them: status (several where it changes by itself), completion_result, and a part of the failure.
KINDS: dict[str, tuple[set[str], str | None, str]] = {
    "failed": ({"completed"}, "failure", "payment provider refused the card"),
    "retrying": ({"backing-off", "running"}, None, "database is down"),
    "waiting": ({"running", "suspended"}, None, ""),
    "succeeded": ({"completed"}, "success", ""),
    "paused": ({"paused"}, None, ""),
    "waiting-shared": ({"running", "suspended"}, None, ""),
    "zombie": ({"backing-off", "running"}, None, "deployment"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def blank(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    sandbox.reset()


@pytest.mark.parametrize("version", restate_server.VERSIONS)
def test_all_trouble_is_there_as_described_until_the_reset(version: str) -> None:
    if version == "1.5.3" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("1.5.3 exists for Linux on x64 only")
    with Sandbox(version) as sandbox, sandbox.api() as api:
        trouble = sandbox.plant()
        rows = {row["id"]: row for row in api.query("SELECT * FROM sys_invocation")}
        registered = set(api.deployments())
        latest = {row["deployment_id"] for row in api.query("SELECT deployment_id FROM sys_service")}
        sandbox.reset()
        assert_blank(api)
    assert {one["invocation_id"] for one in trouble["invocations"].values()} == set(rows)
    for key, piece in trouble["invocations"].items():
        row = rows[piece["invocation_id"]]
        statuses, result, failure = KINDS[piece["kind"]]
        assert (row["target_service_name"], row["target_service_key"]) == (piece["service"], key)
        assert row["pinned_deployment_id"] == piece["deployment_id"], key
        assert row["status"] in statuses, key
        assert row.get("completion_result") == result, key
        assert failure in row.get("completion_failure", "") + row.get("last_failure", ""), key
    deployments = trouble["deployments"]
    assert {name for name, one in deployments.items() if one["registered"]} == {
        "drained",
        "release-1",
        "release-2",
    }
    assert registered == {one["id"] for one in deployments.values() if one["registered"]}
    assert latest == {deployments["release-2"]["id"]}
    json.dumps(trouble)


def test_reset_takes_children_and_state_of_objects_along(sandbox: Sandbox) -> None:
    release_1 = sandbox.serve("release-1")
    with sandbox.api() as api:
        api.register(release_1.url)
        parent = api.submit("OrderWorkflow", "order-1", "run", {"mode": "child"})
        api.submit("Counter", "count-1", "add", 3)
        eventually(lambda: bool(api.query(f"SELECT id FROM sys_invocation WHERE invoked_by_id = '{parent}'")))

        sandbox.reset()

        assert_blank(api)
    with pytest.raises(httpx.TransportError):
        httpx.get(release_1.url)


def assert_blank(api: RestateApi) -> None:
    tables = ("sys_invocation_status", "state", "sys_promise", "sys_deployment", "sys_service", "sys_inbox")
    assert {table: rows for table in tables if (rows := api.query(f"SELECT * FROM {table}"))} == {}


def test_a_service_can_demand_a_header(blank: Sandbox) -> None:
    service = blank.serve("release-2", required_header="x-key=secret")

    assert httpx.get(f"{service.url}/discover").status_code == 403
    assert httpx.get(f"{service.url}/discover", headers={"X-Key": "secret"}).status_code != 403


def test_a_stopped_service_leaves_its_port_to_the_next(blank: Sandbox) -> None:
    first = blank.serve("release-1")
    first.stop()

    assert blank.serve("release-2", port=first.port).url == first.url


def test_two_live_side_by_side(sandbox: Sandbox) -> None:
    with Sandbox(sandbox.version) as other, other.api() as api:
        api.register(other.serve("release-1").url)
        assert other.admin_url != sandbox.admin_url
        with sandbox.api() as ours:
            assert ours.deployments() == []
    assert httpx.get(f"{sandbox.admin_url}/health").status_code == 200


class Running:
    """`sandbox.py run` beside a command that tells where the sandbox is, and what belongs to it."""

    def __init__(self, tmp_path: Path, command: str) -> None:
        told = tmp_path / "told"
        shell = f'echo "$SANDBOX_FILE" > {told}.new; mv {told}.new {told}; {command}'
        self.process = subprocess.Popen([*CLI, "run", "--", "sh", "-c", shell], start_new_session=True)
        eventually(told.exists)
        self.directory = Path(told.read_text().strip()).parent
        self.children = {pid for pid, parent in processes().items() if parent == self.process.pid}
        # the guard, the server, two services; the command, unless it has ended
        assert len(self.children) >= 4

    def is_gone(self) -> bool:
        return not self.directory.exists() and not self.children & set(processes())


def processes() -> dict[int, int]:
    """Give the parent of each process; those that ended and wait for their parent's notice do not count."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split() for line in listed.splitlines()]
    return {int(pid): int(parent) for pid, parent, status in lines if not status.startswith("Z")}


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_is_left_two_seconds_after_sigkill(tmp_path: Path) -> None:
    running = Running(tmp_path, "exec sleep 60")

    running.process.kill()
    running.process.wait()

    eventually(running.is_gone, 2.0)


def test_nothing_is_left_after_ctrl_c(tmp_path: Path) -> None:
    running = Running(tmp_path, "exec sleep 60")

    # As a terminal does it: to the command as well.
    os.killpg(running.process.pid, signal.SIGINT)

    assert running.process.wait(10) == 128 + signal.SIGINT
    assert running.is_gone()


def test_a_failing_command_gives_the_status_and_leaves_nothing(tmp_path: Path) -> None:
    running = Running(tmp_path, "sleep 0.5; exit 7")

    assert running.process.wait(30) == 7
    assert running.is_gone()


def test_a_cluster_of_two_is_refused() -> None:
    with pytest.raises(SandboxError, match="1 or 3 nodes, not 2"), Sandbox(nodes=2):
        pass


def test_a_version_that_does_not_exist_is_named() -> None:
    failed = subprocess.run([*CLI, "run", "--version=latest", "--", "true"], capture_output=True, text=True)

    assert failed.returncode == 1
    assert "'latest' is no exact version" in failed.stderr


def up(file: Path, *options: str) -> dict[str, Any]:
    started = subprocess.run(
        [*CLI, "up", f"--file={file}", *options], capture_output=True, text=True, check=True
    )
    described: dict[str, Any] = json.loads(started.stdout)
    return described


def test_up_and_down_are_idempotent(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    first = up(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert up(file) == {**first, "started_now": False}
    other = subprocess.run([*CLI, "up", f"--file={file}", "--plant"], capture_output=True, text=True)
    assert (other.returncode, "stop it first" in other.stderr) == (1, True)

    down = [*CLI, "down", f"--file={file}"]
    stopped = [json.loads(subprocess.check_output(down, text=True))["stopped_now"] for _ in range(2)]

    assert stopped == [True, False]
    assert first["pid"] not in processes()
    assert not Path(first["directory"]).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_detached_sandbox_ends_with_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    with subprocess.Popen(["sleep", "60"]) as owner:
        described = up(file, f"--owner={owner.pid}")
        owner.kill()
    eventually(lambda: not file.exists() and described["pid"] not in processes(), 5.0)
    assert not Path(described["directory"]).exists()


def test_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    described = up(file)
    children = {pid for pid, parent in processes().items() if parent == described["pid"]}

    os.kill(described["pid"], signal.SIGKILL)

    eventually(lambda: not file.exists() and not children & set(processes()), 2.0)
    assert not Path(described["directory"]).exists()


def test_the_playbook_starts_and_stops_with_release_2_left_to_a_runbook(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"

    variables = {
        "restate_sandbox_file": str(file),
        "restate_sandbox_python": sys.executable,
        "restate_sandbox_register_release_2": False,
    }

    def play(*options: str) -> str:
        command = ["ansible-playbook", "dalp.restate.sandbox", "-e", json.dumps(variables), *options]
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    try:
        assert "Would start Restate" in play("--check")
        assert not file.exists()
        assert "changed=1" in play()
        trouble = json.loads(file.read_text())["trouble"]
        assert trouble["invocations"]["order-1001"]["kind"] == "failed"
        registered = {name for name, one in trouble["deployments"].items() if one["registered"]}
        assert registered == {"drained", "release-1"}
    finally:
        assert "changed=1" in play("-e", "restate_sandbox_state=stopped")
    assert not file.exists()
