# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sandbox on the command line contains, and how it is told to others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

from restate_sandbox import Sandbox

Planting = Literal["nothing", "all", "unreleased"]
"""`all` plants the invocations; `unreleased` as well, but leaves the registration of release 2 to somebody else."""


def serve_releases(sandbox: Sandbox, planting: Planting) -> dict[str, Any]:
    """Serve both releases and plant what is asked; give the description that can be written as JSON.

    Keys: version, admin_url, ingress_url, nodes (a list: name, admin_url, ingress_url and pid of each),
    release_1_url, release_2_url, planting, trouble (what planted_invocations.plant gives, or null), pid and python
    (of the process that owns the sandbox), directory (of the logs).
    """
    planted = None
    if planting == "nothing":
        release_1_url, release_2_url = sandbox.serve("release-1").url, sandbox.serve("release-2").url
    else:
        planted = sandbox.plant(register_release_2=planting == "all")
        release_1_url, release_2_url = (
            planted["deployments"][name]["url"] for name in ("release-1", "release-2")
        )
    return {
        "version": sandbox.version,
        "admin_url": sandbox.admin_url,
        "ingress_url": sandbox.ingress_url,
        "nodes": [
            {
                "name": node.name,
                "admin_url": node.admin_url,
                "ingress_url": node.ingress_url,
                "pid": node.process.pid,
            }
            for node in sandbox.nodes
        ],
        "release_1_url": release_1_url,
        "release_2_url": release_2_url,
        "planting": planting,
        "trouble": planted,
        "pid": os.getpid(),
        "python": sys.executable,
        "directory": str(sandbox.processes.directory),
    }


def environment(description: dict[str, Any], file: Path) -> dict[str, str]:
    """Give the variables with which a command finds the sandbox."""
    return {
        "RESTATE_ADMIN_URL": description["admin_url"],
        "RESTATE_INGRESS_URL": description["ingress_url"],
        "SANDBOX_RELEASE_1_URL": description["release_1_url"],
        "SANDBOX_RELEASE_2_URL": description["release_2_url"],
        "SANDBOX_FILE": str(file),
    }
