# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Restate with services and, on demand, planted invocations: for the demo, the tests and the benchmark.

    with Sandbox() as sandbox:
        planted = sandbox.plant()
        ...  # sandbox.admin_url, sandbox.ingress_url, sandbox.serve("extra-service").url

    with Sandbox(nodes=3) as sandbox:
        sandbox.kill(sandbox.leaders()[0])
        ...  # sandbox.nodes[1].admin_url

Nothing stays behind, whatever happens to the process that owns a sandbox; `owned_processes.py` says how.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import planted_invocations
import restate_cluster
import restate_server
from log_tail import log_tail
from owned_processes import OwnedProcesses
from restate_api import RestateApi
from restate_server import PortTakenError
from waiting import SandboxError, wait_until

_ORDER_SERVICE = str(Path(__file__).with_name("order_service.py"))
_SERVICE_TIMEOUT = 30.0
_RESET_TIMEOUT = 30.0


class Service:
    """A running variant of the order service."""

    def __init__(
        self, variant: str, port: int, log: Path, process: subprocess.Popen[bytes], processes: OwnedProcesses
    ) -> None:
        self.variant = variant
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._process = process
        self._processes = processes

    def wait(self) -> None:
        """Wait until the service listens. Raises SandboxError with the end of its log when it does not."""

        def listening() -> bool:
            if self._process.poll() is not None:
                text = log_tail(self._log)
                kind = PortTakenError if restate_server.port_taken(text) else SandboxError
                raise kind(f"service {self.variant} ended on port {self.port}: {text}")
            return _listens(self.port)

        wait_until(f"service {self.variant} on port {self.port}", listening, _SERVICE_TIMEOUT)

    def stop(self) -> None:
        """Stop the service and wait until its port is free. Does nothing the second time."""
        if self._process.returncode is None:
            self._processes.stop(self._process)
            wait_until(f"port {self.port} free", lambda: not _listens(self.port))


class Sandbox:
    """A Restate server and the services that are served to it, from `with` until its end.

    With 3 `nodes`, the server is a cluster. The `environment` configures the server, by its RESTATE_* variables.
    `cache` keeps installed servers (default: SANDBOX_CACHE, else the user's cache directory).
    `service_python` is a Python with the packages of requirements.txt. Every method raises SandboxError with
    what was seen.
    """

    def __init__(
        self,
        version: str = restate_server.DEFAULT_VERSION,
        cache: Path | None = None,
        service_python: str = sys.executable,
        nodes: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version
        self.node_count = nodes
        self._environment = environment
        self._cache = cache or restate_server.default_cache()
        self._service_python = service_python
        self._processes: OwnedProcesses | None = None
        self._cluster: restate_cluster.Cluster | None = None
        self._services: list[Service] = []

    def __enter__(self) -> Sandbox:
        self._processes = OwnedProcesses("restate-sandbox-")
        try:
            self._cluster = restate_cluster.start(
                self.version, self._processes, self._cache.absolute(), self.node_count, self._environment
            )
        except BaseException:
            self._processes.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.processes.close()
        self._services.clear()

    @property
    def admin_url(self) -> str:
        """The URL of the (first node's) admin API, without a slash at its end."""
        return self.nodes[0].admin_url

    @property
    def ingress_url(self) -> str:
        """The URL of the (first node's) ingress, without a slash at its end."""
        return self.nodes[0].ingress_url

    @property
    def nodes(self) -> tuple[restate_server.RestateServer, ...]:
        """The nodes, each with its name, admin_url, ingress_url, process and log; a server alone is one."""
        return self._running().nodes

    def kill(self, name: str) -> None:
        """End a node with SIGKILL, and wait until it is gone."""
        self._running().node(name).kill()

    def restart(self, name: str) -> None:
        """Start a node that was killed, and wait until the cluster is whole again: some eight seconds."""
        self._running().restart(name)

    def wait_until_queries_answer(self) -> None:
        """Wait until all nodes that run answer queries: some two seconds after the death of a leader."""
        self._running().wait_until_queries_answer()

    def leaders(self) -> dict[int, str]:
        """Give the name of the node that leads, by partition; a partition without a leader is missing."""
        return self._running().leaders()

    @property
    def processes(self) -> OwnedProcesses:
        """What starts processes that end with the sandbox."""
        if self._processes is None:
            raise SandboxError("the sandbox is not started: use it in a with statement")
        return self._processes

    def api(self) -> RestateApi:
        """Make a client for this server, to be used in a with statement."""
        return RestateApi(self.admin_url, self.ingress_url)

    def serve(self, variant: str, port: int | None = None, required_header: str | None = None) -> Service:
        """Serve a variant of order_service.py, on a free port unless one is given, and wait until it listens.

        It is not registered. With `required_header` ("name=value"), requests without that header are answered
        with 403.
        """
        return self._serve_all([variant], port, required_header)[0]

    def plant(self, register_release_2: bool = True) -> dict[str, Any]:
        """Serve the releases and plant what planted_invocations.py describes; give its description.

        Without `register_release_2`, release 2 is served and left for somebody else to register.
        """
        served = self._serve_all(list(planted_invocations.DEPLOYMENTS.values()))
        services = dict(zip(planted_invocations.DEPLOYMENTS, served, strict=True))
        urls = {name: service.url for name, service in services.items()}
        with self.api() as api:
            return planted_invocations.plant(
                api,
                urls,
                lambda name: services[name].stop(),
                register_release_2=register_release_2,
            )

    def reset(self) -> None:
        """Make the server blank again: no invocation, state, promise or deployment, and no service running."""
        with self.api() as api:
            _end_invocations(api)
            _delete_deployments(api)
            self._clear_promises(api)
            for row in api.query("SELECT DISTINCT service_name, service_key FROM state"):
                api.clear_state(row["service_name"], row["service_key"])
            wait_until(
                "no state left", lambda: not api.query("SELECT key FROM state LIMIT 1"), _RESET_TIMEOUT
            )
        for service in self._services:
            service.stop()
        self._services.clear()

    def _running(self) -> restate_cluster.Cluster:
        if self._cluster is None:
            raise SandboxError("the sandbox is not started: use it in a with statement")
        return self._cluster

    def _serve_all(
        self, variants: list[str], port: int | None = None, required_header: str | None = None
    ) -> list[Service]:
        started = [self._start_service(variant, port, required_header) for variant in variants]
        return [self._ready(service, port is None, required_header) for service in started]

    def _ready(self, service: Service, other_port: bool, required_header: str | None) -> Service:
        try:
            service.wait()
        except PortTakenError:
            if not other_port:
                raise
            service = self._start_service(service.variant, None, required_header)
            service.wait()
        return service

    def _start_service(self, variant: str, port: int | None, required_header: str | None) -> Service:
        chosen = port or restate_server.free_ports(1)[0]
        if _listens(chosen):
            raise PortTakenError(f"something listens on port {chosen} already")
        environment = dict(os.environ)
        environment.pop("ORDER_SERVICE_REQUIRED_HEADER", None)
        # Half of a service's start is the compilation of what it imports, where no bytecode may be written beside it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(self._cache.absolute() / "bytecode")
        if required_header is not None:
            environment["ORDER_SERVICE_REQUIRED_HEADER"] = required_header
        log = self.processes.directory / f"{variant}-{chosen}.log"
        process = self.processes.spawn(
            [self._service_python, _ORDER_SERVICE, str(chosen), variant], env=environment, log=log
        )
        service = Service(variant, chosen, log, process, self.processes)
        self._services.append(service)
        return service

    def _clear_promises(self, api: RestateApi) -> None:
        """Clear the promises of keys that never had a run, which only the purge of a run does."""
        keys = [
            (row["service_name"], row["service_key"])
            for row in api.query("SELECT DISTINCT service_name, service_key FROM sys_promise")
        ]
        if not keys:
            return
        api.register(self.serve("release-2").url)
        for service, key in keys:
            api.submit(service, key, "run", {"mode": "ok"})
        wait_until("runs completed", lambda: not api.query(f"{_UNFINISHED} LIMIT 1"), _RESET_TIMEOUT)
        _end_invocations(api)
        wait_until(
            "no promise left", lambda: not api.query("SELECT key FROM sys_promise LIMIT 1"), _RESET_TIMEOUT
        )
        _delete_deployments(api)


_UNFINISHED = "SELECT id FROM sys_invocation_status WHERE status != 'completed'"
_COMPLETED = "SELECT id FROM sys_invocation_status WHERE status = 'completed'"


def _end_invocations(api: RestateApi) -> None:
    """Kill and purge until there is no invocation: a kill ends the children of an invocation some time later."""

    def none_left() -> bool:
        api.kill(str(row["id"]) for row in api.query(_UNFINISHED))
        api.purge(str(row["id"]) for row in api.query(_COMPLETED))
        return not api.query("SELECT id FROM sys_invocation_status LIMIT 1")

    wait_until("no invocation left", none_left, _RESET_TIMEOUT)


def _delete_deployments(api: RestateApi) -> None:
    for deployment_id in api.deployments():
        api.delete_deployment(deployment_id)
    wait_until("no deployment left", lambda: not api.deployments(), _RESET_TIMEOUT)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
