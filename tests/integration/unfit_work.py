# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that does not fit a deployment, for the tests of what is moved and what is not."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Deployment, Server
from tests.integration.versions import on

MOVING = on("1.7.12", "1.6.2")
"""Servers that can move what runs."""
CURE = "at a URL of its own"


def other_protocol(server: Server, invocation_id: str) -> tuple[int, int]:
    """Versions of the service protocol that the server speaks, and an invocation has not begun with."""
    began_with = int((server.row(invocation_id) or {})["pinned_service_protocol_version"])
    other = 6 if began_with == 5 else 5
    return other, other


def with_other_sdk(server: Server, name: str, variant: str, invocation_id: str, **body: Any) -> Deployment:
    """Register a variant whose SDK does not speak the version of an invocation."""
    url = server.serve(name, variant, protocols=other_protocol(server, invocation_id))
    return Deployment(server.register(url, **body), url)


def basket(server: Server, key: str = "basket-1") -> str:
    """Call Basket/run, and give the invocation's id once it has begun."""
    invocation_id = server.submit("Basket", key, "run", {})
    server.wait_for_row(invocation_id, lambda row: "pinned_deployment_id" in row)
    return invocation_id
