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

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

pytest.register_assert_rewrite("tests.integration.world")

import restate_server  # noqa: E402
from restate_sandbox import Sandbox  # noqa: E402

from tests.integration.dalp.server import OPERATOR_KEY, DalpServer  # noqa: E402
from tests.integration.services import Services  # noqa: E402
from tests.integration.warm_python import warm_python  # noqa: E402
from tests.integration.world import World  # noqa: E402


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with Services(Path(os.environ["SANDBOX_CACHE"])) as running:
        yield running


@pytest.fixture(scope="session")
def worlds(services: Services) -> Iterator[Callable[[str], World]]:
    """Give the world of a version, whose server is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, World] = {}
        python = stack.enter_context(warm_python())

        def world_of(version: str) -> World:
            if version not in started:
                world = World(stack.enter_context(Sandbox(version)), services, python)
                stack.callback(world.close)
                started[version] = world
            return started[version]

        yield world_of


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    """A blank server: of the newest version, unless the test is parametrized with others."""
    version = getattr(request, "param", restate_server.DEFAULT_VERSION)
    if version == "1.5.3" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("1.5.3 exists for Linux on x64 only")
    world = worlds(version)
    world.reset()
    return world


@pytest.fixture(scope="session")
def dalps(worlds: Callable[[str], World]) -> Iterator[Callable[[World], DalpServer]]:
    """Give the DALP of a world, which is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, DalpServer] = {}

        def dalp_of(world: World) -> DalpServer:
            if world.version not in started:
                server = DalpServer(world.admin_url, world.sandbox.ingress_url)
                started[world.version] = stack.enter_context(server)
            return started[world.version]

        yield dalp_of


@pytest.fixture
def dalp(world: World, dalps: Callable[[World], DalpServer]) -> Iterator[DalpServer]:
    """A DALP in front of the world; what violates its document fails the test, unless the test takes it."""
    server = dalps(world)
    server.reset()
    yield server
    assert server.violations == []


@pytest.fixture
def through_dalp(world: World, dalp: DalpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks of the world go through its DALP, with no other way to Restate."""
    way = {
        "backend": "dalp",
        "dalp_url": dalp.url,
        "dalp_api_key": OPERATOR_KEY,
        "admin_url": "http://127.0.0.1:9",
    }
    monkeypatch.setattr(world, "connection", way)


@pytest.fixture(params=["restate", "dalp"])
def backend(request: pytest.FixtureRequest) -> str:
    """The tasks of the world run through each of the backends."""
    if request.param == "dalp":
        request.getfixturevalue("through_dalp")
    return str(request.param)
