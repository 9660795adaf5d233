# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment whose removal may be carried out late is not registered again before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.proxy import Held, Proxy
from tests.integration.server import Server
from tests.integration.superseded_deployments import superseded
from tests.integration.three_runs import reason
from tests.integration.versions import on_all_versions


@pytest.fixture
def held() -> Iterator[Held]:
    """A request that is held until the test delivers it; none is left at the end."""
    request = Held()
    yield request
    request.drop()


@on_all_versions
def test_a_deployment_whose_removal_timed_out_is_refused_until_it_was_carried_out(
    server: Server, proxy: Proxy, held: Held
) -> None:
    old, new = superseded(server)
    proxy.once("DELETE", "/deployments/", held.hold)
    through: dict[str, Any] = {"admin_url": proxy.url, "request_timeout": 1}
    assert server.task("cleanup", service_url=new.url, **through)["failed"]

    results = [
        server.task("redeploy", service_url=old.url, check=check, **through) for check in (True, False)
    ]

    for result in results:
        assert reason(result) == ("RESTATE_REGISTRATION_REFUSED", "write_in_doubt")
        assert result["error"]["deployment_ids"] == [old.id]
        assert result["retry_after"] in result["msg"]
        assert not result["changed"]
    elsewhere = server.serve("elsewhere", "release-2")
    assert server.task("redeploy", service_url=elsewhere, **through)["changed"]
    by_decision = server.task("redeploy", service_url=old.url, check=True, **through, write_grace="0")
    assert not by_decision["failed"]

    held.deliver()
    assert old.id not in server.deployment_ids()
    again = server.task("redeploy", service_url=old.url, **through)
    assert again["changed"]
    assert again["deployment_id"] != old.id
