# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that moves from http:// to https:// is called at the address that the task gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import restate_server
from restate_sandbox import Sandbox

from tests.integration.server import Server
from tests.integration.services import Services
from tests.integration.tls_front import Front, tls_front, write_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=restate_server.VERSIONS)
def trusting(
    request: pytest.FixtureRequest, services: Services, python: str, certificate: Path
) -> Iterator[Server]:
    """A server that trusts the certificate of the service."""
    with Sandbox(request.param, environment={"SSL_CERT_FILE": str(certificate)}) as sandbox:
        server = Server(sandbox, services, python)
        yield server
        server.close()


@contextlib.contextmanager
def served(server: Server, certificate: Path) -> Iterator[tuple[Front, str]]:
    """Serve release-1 at a port that takes both, and give its address without the scheme."""
    server.reset()
    url = urlsplit(server.serve("release-1", "release-1"))
    with tls_front(int(url.port or 0), certificate) as front:
        yield front, f"127.0.0.1:{front.port}{url.path}"


def registered(server: Server) -> list[tuple[str, str]]:
    deployments = server.http.get("/deployments").json()["deployments"]
    return [(each["id"], each["uri"]) for each in deployments]


@pytest.mark.parametrize(("old", "new"), [("http", "https"), ("https", "http")])
def test_another_scheme_is_an_overwrite_that_is_shown_and_discovered_at_the_new_address(
    trusting: Server, certificate: Path, old: str, new: str
) -> None:
    with served(trusting, certificate) as (front, address):
        known = trusting.register(f"{old}://{address}")
        front.schemes.clear()

        # However its end is written: Restate would take a path with a slash for another one.
        url = f"{new}://{address}/"
        dry = trusting.task("redeploy", check=True, service_url=url)
        assert registered(trusting) == [(known, f"{old}://{address}")]
        real = trusting.task("redeploy", service_url=url)
        again = trusting.task("redeploy", service_url=url)

        for result in (dry, real):
            assert not result["failed"], result["msg"]
            assert result["changed"]
            assert result["deployment_id"] == known
            assert result["steps"][0]["action"] == "overwrite"
            assert result["diff"]["before"]["service_url"] == f"{old}://{address}"
            assert result["diff"]["after"]["service_url"] == f"{new}://{address}"
        assert set(front.schemes) == {new}
        assert registered(trusting) == [(known, f"{new}://{address}")]
        assert not again["changed"]
        assert "nothing to do" in again["msg"]
        front.schemes.clear()
        trusting.order("key", "ok")
        assert set(front.schemes) <= {new}


def test_an_address_that_does_not_answer_by_the_new_scheme_is_left(
    trusting: Server, certificate: Path
) -> None:
    with served(trusting, certificate) as (front, address):
        known = trusting.register(f"http://{address}")
        front.takes_tls = False

        for check in (True, False):
            result = trusting.task("redeploy", check=check, service_url=f"https://{address}", wait_timeout=0)
            assert result["error"]["code"] == "RESTATE_SERVICE_UNREACHABLE"
        assert registered(trusting) == [(known, f"http://{address}")]


def test_another_scheme_without_force_is_refused(trusting: Server, certificate: Path) -> None:
    with served(trusting, certificate) as (_front, address):
        known = trusting.register(f"http://{address}")

        result = trusting.task("redeploy", service_url=f"https://{address}", force=False)

        assert result["error"]["reason"] == "force_required"
        assert registered(trusting) == [(known, f"http://{address}")]
