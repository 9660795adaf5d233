# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Restate server: installed from npm into a cache, and started on free ports of 127.0.0.1.

It is one node, alone or of a cluster (`restate_cluster.py`).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import npm
from log_tail import log_tail
from owned_processes import OwnedProcesses
from waiting import SandboxError, wait_until

VERSIONS = ("1.7.12", "1.6.2", "1.5.3")
"""The versions that the sandbox is tested with. 1.5.3 exists for Linux on x64 only."""

DEFAULT_VERSION = VERSIONS[0]

PARTITIONS = 4

# Restate 1.5 refuses services that declare `on-max-attempts: pause` unless the server's own default does,
# too. Newer servers have these values as their default.
_RETRY_POLICY_1_5 = (
    '{initial-interval="50ms",max-attempts=70,exponentiation-factor=2.0,'
    'max-interval="10s",on-max-attempts="pause"}'
)

_START_TIMEOUT = 60.0


class PortTakenError(SandboxError):
    """Another process took one of the ports between its choice and its use."""


def default_cache() -> Path:
    """Where servers are kept: SANDBOX_CACHE, else a directory of this collection in the user's cache directory."""
    if named := os.environ.get("SANDBOX_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dalp.restate"


def free_ports(count: int) -> list[int]:
    """Give `count` different ports of 127.0.0.1 that nothing listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def port_taken(text: str) -> bool:
    """Tell from a log whether a process ended because its port was taken."""
    return re.search(r"address (already )?in use|AddrInUse|EADDRINUSE", text, re.IGNORECASE) is not None


def install(version: str, cache: Path, processes: OwnedProcesses) -> Path:
    """Give the server's binary, installed into `cache` unless it is there already.

    Safe when several processes install at once, and when one is killed on the way: the cache only ever shows
    whole versions. Raises SandboxError when npm is missing, fails, or the version does not exist for this
    platform.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SandboxError(f"{version!r} is no exact version such as {DEFAULT_VERSION}")
    return npm.install("restate-server", version, cache / version, cache, processes)


@dataclass(frozen=True)
class NodeSettings:
    """What tells one node from others: its name, its ports, and what its environment has besides."""

    name: str
    cluster: str
    admin_port: int
    ingress_port: int
    fabric_port: int
    """Where nodes talk to each other, and restatectl to them."""
    environment: dict[str, str]


class RestateServer:
    """A node, which can be killed and started again: its ports and its data stay.

    Made, it does not run yet.
    """

    def __init__(
        self, version: str, binary: Path, processes: OwnedProcesses, home: Path, settings: NodeSettings
    ) -> None:
        self.version = version
        self.name = settings.name
        self.admin_url = f"http://127.0.0.1:{settings.admin_port}"
        self.ingress_url = f"http://127.0.0.1:{settings.ingress_port}"
        self.fabric_url = f"http://127.0.0.1:{settings.fabric_port}"
        self.log = processes.directory / f"{settings.name}.log"
        self._binary = binary
        self._processes = processes
        self._home = home
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        if self._process is None:
            raise SandboxError(f"{self.name} was never started")
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, and do not wait for it."""
        (self._home / "tmp").mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self._process = self._processes.spawn(
            [str(self._binary), "--node-name", self.name], env=self._environment(), log=self.log
        )

    def kill(self) -> None:
        """End the process with SIGKILL, and wait until it is gone. Does nothing the second time."""
        if self.is_running:
            self._processes.stop(self.process)

    def wait(self) -> None:
        """Wait until the node is ready. Raises SandboxError with the end of its log when it is not."""
        wait_until(
            f"Restate {self.version} ready", self._is_ready, _START_TIMEOUT, seen=lambda: log_tail(self.log)
        )

    def answers_queries(self) -> bool:
        """Tell whether SQL over all partitions is answered now."""
        query = {"query": "SELECT count(1) AS invocations FROM sys_invocation_status"}
        try:
            answer = httpx.post(
                f"{self.admin_url}/query",
                headers={"Accept": "application/json"},
                json=query,
                timeout=2.0,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def _is_ready(self) -> bool:
        if not self.is_running:
            text = log_tail(self.log)
            kind = PortTakenError if port_taken(text) else SandboxError
            status = self.process.returncode
            raise kind(f"Restate {self.version} ended with status {status} while starting: {text}")
        return self._answers() and self.answers_queries()

    def _answers(self) -> bool:
        """Tell whether the admin API and the ingress answer, and are this server's."""
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            try:
                version = client.get(f"{self.admin_url}/version")
                health = client.get(f"{self.admin_url}/cluster-health")
                ingress = client.get(f"{self.ingress_url}/restate/health")
            except httpx.TransportError:
                return False
        if not all(answer.status_code == httpx.codes.OK for answer in (version, health, ingress)):
            return False
        return bool(
            health.json().get("cluster_name") == self._settings.cluster
            and version.json().get("version") == self.version
        )

    def _environment(self) -> dict[str, str]:
        # The caller's RESTATE_* variables mean another server: none of them may configure this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESTATE_")}
        settings = self._settings
        environment |= {
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{settings.admin_port}",
            "RESTATE_ADVERTISED_ADDRESS": self.fabric_url,
            "RESTATE_BASE_DIR": str(self._home / "data"),
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{settings.fabric_port}",
            "RESTATE_CLUSTER_NAME": settings.cluster,
            "RESTATE_DEFAULT_NUM_PARTITIONS": str(PARTITIONS),
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{settings.ingress_port}",
            # A Unix socket in a temporary directory with a long name exceeds what the kernel allows.
            "RESTATE_LISTEN_MODE": "tcp",
            # Without it, 1.5 joins whatever listens on the default port, and both die.
            "RESTATE_METADATA_CLIENT__ADDRESSES": f'["{self.fabric_url}"]',
            "NO_COLOR": "1",
            # The server makes directories in the temporary directory that it leaves behind.
            "TMPDIR": str(self._home / "tmp"),
        }
        if self.version.startswith("1.5."):
            environment["RESTATE_DEFAULT_RETRY_POLICY"] = _RETRY_POLICY_1_5
        return environment | settings.environment
