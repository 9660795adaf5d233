# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments that a release has superseded, for the tests of restate_cleanup."""

from __future__ import annotations

from typing import Any

from tests.integration.server import Deployment, Server

FORCED: dict[str, Any] = {"remove": "superseded", "force_drain": True, "drain_timeout": 0}


def superseded(
    server: Server, *orders: tuple[str, str], by: str = "release-2"
) -> tuple[Deployment, Deployment]:
    """Submit orders (key, mode) on release 1, and supersede it."""
    old = server.release("release-1")
    for key, mode in orders:
        server.order(key, mode)
    return old, server.release("new", by)


def remaining(result: dict[str, Any]) -> dict[str, str]:
    return {entry["deployment_id"]: entry["reason"] for entry in result["remaining"]}
