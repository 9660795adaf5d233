# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers and services that all tests of a process share: one of each for its whole session, blank for each test."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

pytest.register_assert_rewrite(
    *(f"tests.integration.{name}" for name in ("server", "three_runs", "recovery_of_one", "cluster"))
)

import restate_server  # noqa: E402
from restate_sandbox import Sandbox  # noqa: E402

from tests.integration import returned_keys, ways  # noqa: E402
from tests.integration.audit_log import SCHEMA, records, result_of  # noqa: E402
from tests.integration.dalp.server import OPERATOR_KEY, DalpServer  # noqa: E402
from tests.integration.lambda_stand_in import LambdaStandIn, lambda_stand_in  # noqa: E402
from tests.integration.preloaded_python import preloaded_python  # noqa: E402
from tests.integration.proxy import Proxy, proxy_of  # noqa: E402
from tests.integration.server import Server  # noqa: E402
from tests.integration.services import Services  # noqa: E402
from tests.integration.thorough import takes_long  # noqa: E402

CORE = ("audit", "cleanup", "doctor", "ended_early", "recover_workflow", "redeploy", "resume", "secrets")
"""The files of tests whose tasks always run both ways, without the test_ of their names."""
OF_ONE_WAY = ("awx_jobs", "awx_workflows", "in_process", "node_lists", "progress", "server_clock")
"""The files of tests that say themselves in which way a task runs, or are about what there is in one way only."""
NEVER_RETURNED = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of the whole suite in which something that is documented was never returned."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["returned"] = {
            module: sorted(keys) for module, keys in returned_keys.returned.items()
        }
    elif _is_whole(session):
        missing = returned_keys.never_returned(returned_keys.returned)
        session.config.stash[NEVER_RETURNED] = missing
        if missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_testnodedown(node: Any) -> None:
    """Take over what the tasks of another process have returned."""
    for module, keys in getattr(node, "workeroutput", {}).get("returned", {}).items():
        returned_keys.returned.setdefault(module, set()).update(keys)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what is documented and was never returned."""
    for name in terminalreporter.config.stash.get(NEVER_RETURNED, []):
        terminalreporter.write_line(f"FAILED documented, and returned by no task: {name}", red=True)


def _is_whole(session: pytest.Session) -> bool:
    """Whether all tests were run to their end, and nothing else is wrong."""
    option = session.config.option
    is_selection = option.keyword or option.markexpr or _names_a_file(session.config) or not option.thorough
    return not (is_selection or option.collectonly) and session.exitstatus == pytest.ExitCode.OK


def _names_a_file(config: pytest.Config) -> bool:
    """Whether somebody asked for the tests of a file."""
    return any(".py" in one for one in config.args)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the options by which all tests run, and run both ways."""
    parser.addoption("--both-ways", action="store_true", help="run each task in process and as a module")
    parser.addoption(
        "--write-outputs", action="store_true", help="write into the guides what their commands print"
    )
    parser.addoption("--thorough", action="store_true", help="run what takes long, too, on all versions")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what takes long to a thorough run, unless it was named."""
    if config.getoption("thorough", default=False) or _names_a_file(config):
        return
    left = [item for item in items if takes_long(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that have a server, or are of the core, in process and as modules."""
    name = metafunc.module.__name__.rpartition(".test_")[2]
    is_asked = metafunc.config.getoption("both_ways", default=False) and "python" in metafunc.fixturenames
    is_both = name in CORE or (is_asked and name not in OF_ONE_WAY)
    metafunc.parametrize("way", [ways.IN_PROCESS, *([ways.AS_MODULE] if is_both else [])], indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The way in which tasks run."""
    with ways.run_tasks(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a folder for what its tasks leave open: IDs of workflow runs repeat on a shared server."""
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with Services(Path(os.environ["SANDBOX_CACHE"])) as running:
        yield running


@pytest.fixture(scope="session")
def python() -> Iterator[str]:
    """The interpreter that modules run on."""
    with preloaded_python() as started:
        yield started


@pytest.fixture(scope="session")
def servers(services: Services, python: str) -> Iterator[Callable[[str], Server]]:
    """Give the server of a version, which is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Server] = {}

        def server_of(version: str) -> Server:
            if version not in started:
                server = Server(stack.enter_context(Sandbox(version)), services, python)
                stack.callback(server.close)
                started[version] = server
            return started[version]

        yield server_of


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """A blank server: of the newest version, unless the test is parametrized with others."""
    version = getattr(request, "param", restate_server.DEFAULT_VERSION)
    if version == "1.5.3" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("1.5.3 exists for Linux on x64 only")
    server = servers(version)
    server.reset()
    return server


@pytest.fixture(scope="session")
def aws() -> Iterator[LambdaStandIn]:
    """What the configured servers take for AWS Lambda."""
    with lambda_stand_in() as started:
        yield started


@pytest.fixture(scope="session")
def configured_servers(
    services: Services, python: str, aws: LambdaStandIn
) -> Iterator[Callable[[str], Server]]:
    """Give the server of a version that has Lambda, a Kafka cluster that nothing answers for, and routing headers."""
    environment = {
        **aws.environment,
        "RESTATE_ADMIN__DEPLOYMENT_ROUTING_HEADERS": '["x-route"]',
        "RESTATE_INGRESS__KAFKA_CLUSTERS": '[{name="events",brokers=["PLAINTEXT://127.0.0.1:9"]}]',
    }
    with contextlib.ExitStack() as stack:
        started: dict[str, Server] = {}

        def server_of(version: str) -> Server:
            if version not in started:
                sandbox = stack.enter_context(Sandbox(version, environment=environment))
                started[version] = Server(sandbox, services, python)
                stack.callback(started[version].close)
            return started[version]

        yield server_of


@pytest.fixture
def configured(
    request: pytest.FixtureRequest, configured_servers: Callable[[str], Server], aws: LambdaStandIn
) -> Server:
    """A blank configured server: of the newest version, unless the test is parametrized with others."""
    aws.is_denied = False
    server = configured_servers(getattr(request, "param", restate_server.DEFAULT_VERSION))
    for each in server.http.get("/subscriptions").json()["subscriptions"]:
        server.http.delete(f"/subscriptions/{each['id']}").raise_for_status()
    server.reset()
    return server


@pytest.fixture(scope="session")
def dalps(servers: Callable[[str], Server]) -> Iterator[Callable[[Server], DalpServer]]:
    """Give the DALP of a server, which is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, DalpServer] = {}

        def dalp_of(server: Server) -> DalpServer:
            if server.version not in started:
                dalp_server = DalpServer(server.admin_url, server.sandbox.ingress_url)
                started[server.version] = stack.enter_context(dalp_server)
            return started[server.version]

        yield dalp_of


@pytest.fixture
def dalp(server: Server, dalps: Callable[[Server], DalpServer]) -> Iterator[DalpServer]:
    """A DALP in front of the server; what violates its document fails the test, unless the test takes it."""
    dalp_server = dalps(server)
    dalp_server.reset()
    yield dalp_server
    assert dalp_server.violations == []


@pytest.fixture
def through_dalp(server: Server, dalp: DalpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks of the server go through its DALP, with no other way to Restate."""
    connection = {
        "backend": "dalp",
        "dalp_url": dalp.url,
        "dalp_api_key": OPERATOR_KEY,
        "admin_url": "http://127.0.0.1:9",
    }
    monkeypatch.setattr(server, "connection", connection)


@pytest.fixture(params=["restate", "dalp"])
def backend(request: pytest.FixtureRequest) -> str:
    """The tasks of the server run through each of the backends."""
    if request.param == "dalp":
        request.getfixturevalue("through_dalp")
    return str(request.param)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy in front of the server's admin API."""
    with proxy_of(server.admin_url) as started:
        yield started


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A log; whatever a test leaves in it is as the schema says, and its chain is whole."""
    path = tmp_path / "audit.jsonl"
    yield path
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for one in (written := records(path)):
        validator.validate(one)
    assert written
    assert result_of("audit_info", path=str(path))["verified"]
