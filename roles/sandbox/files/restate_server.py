# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Restate server: installed from npm into a cache, and started on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import re
import secrets
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

# Restate 1.5 refuses services that declare `on-max-attempts: pause` unless the server's own default does,
# too. Newer servers have these values as their default.
_RETRY_POLICY_1_5 = (
    '{initial-interval="50ms",max-attempts=70,exponentiation-factor=2.0,'
    'max-interval="10s",on-max-attempts="pause"}'
)

_START_ATTEMPTS = 3
_START_TIMEOUT = 60.0


@dataclass(frozen=True)
class RestateServer:
    """A server that answers on its admin API, its ingress and its SQL."""

    version: str
    admin_url: str
    ingress_url: str
    log: Path
    process: subprocess.Popen[bytes]


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


def start(version: str, binary: Path, processes: OwnedProcesses) -> RestateServer:
    """Start the server and wait until it is ready. Raises SandboxError with the end of its log when it is not."""
    for attempt in range(1, _START_ATTEMPTS + 1):
        try:
            return _start_once(version, binary, processes, processes.directory / f"server-{attempt}")
        except PortTakenError:
            if attempt == _START_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _start_once(version: str, binary: Path, processes: OwnedProcesses, home: Path) -> RestateServer:
    home.mkdir()
    (home / "tmp").mkdir()
    admin, ingress, node = free_ports(3)
    cluster = f"sandbox-{secrets.token_hex(4)}"
    log = processes.directory / "server.log"
    log.unlink(missing_ok=True)
    process = processes.spawn(
        [str(binary), "--node-name", "sandbox"],
        env=_environment(version, home, cluster, admin, ingress, node),
        log=log,
    )
    server = RestateServer(version, f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{ingress}", log, process)

    def ready() -> bool:
        if process.poll() is not None:
            text = log_tail(log)
            kind = PortTakenError if port_taken(text) else SandboxError
            raise kind(f"Restate {version} ended with status {process.returncode} while starting: {text}")
        return _answers(server, cluster)

    try:
        wait_until(f"Restate {version} ready", ready, _START_TIMEOUT, seen=lambda: log_tail(log))
    except BaseException:
        processes.stop(process)
        raise
    return server


def _environment(
    version: str, home: Path, cluster: str, admin: int, ingress: int, node: int
) -> dict[str, str]:
    # The caller's RESTATE_* variables mean another server: none of them may configure this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RESTATE_")}
    environment |= {
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_BASE_DIR": str(home / "data"),
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_CLUSTER_NAME": cluster,
        "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        # A Unix socket in a temporary directory with a long name exceeds what the kernel allows.
        "RESTATE_LISTEN_MODE": "tcp",
        # Without it, 1.5 joins whatever listens on the default port, and both die.
        "RESTATE_METADATA_CLIENT__ADDRESSES": f'["http://127.0.0.1:{node}"]',
        "NO_COLOR": "1",
        # The server makes directories in the temporary directory that it leaves behind.
        "TMPDIR": str(home / "tmp"),
    }
    if version.startswith("1.5."):
        environment["RESTATE_DEFAULT_RETRY_POLICY"] = _RETRY_POLICY_1_5
    return environment


def _answers(server: RestateServer, cluster: str) -> bool:
    """Tell whether the admin API, SQL over all partitions and the ingress answer, and are this server's."""
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        try:
            version = client.get(f"{server.admin_url}/version")
            health = client.get(f"{server.admin_url}/cluster-health")
            query = client.post(
                f"{server.admin_url}/query",
                headers={"Accept": "application/json"},
                json={"query": "SELECT count(1) AS invocations FROM sys_invocation_status"},
            )
            ingress = client.get(f"{server.ingress_url}/restate/health")
        except httpx.TransportError:
            return False
    if not all(answer.status_code == httpx.codes.OK for answer in (version, health, query, ingress)):
        return False
    return bool(
        health.json().get("cluster_name") == cluster and version.json().get("version") == server.version
    )
