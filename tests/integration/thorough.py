# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make thorough` runs beyond `make test`, which must stay short enough to be run before each change."""

from __future__ import annotations

import pytest
import restate_server

from tests.integration import ways

# They run many playbooks each, or wait for what takes its time.
LONG = {
    "approved_runbooks",
    "awx",
    "awx_jobs",
    "cluster_doctor",
    "dying_node",
    "guides",
    "in_process",
    "lambda",
    "progress",
    "report",
}
# On the older versions, the core of each operation.
ON_ALL_VERSIONS = {
    "both_backends",
    "cleanup",
    "doctor",
    "recover_workflow",
    "redeploy",
    "resume",
    "sandbox",
}


def takes_long(item: pytest.Item) -> bool:
    """Whether a test is left to a thorough run."""
    name = item.path.stem.removeprefix("test_")
    params = getattr(getattr(item, "callspec", None), "params", {})
    values = {value for value in params.values() if isinstance(value, str)}
    is_older = bool(values & (set(restate_server.VERSIONS) - {restate_server.DEFAULT_VERSION}))
    if name in LONG or (is_older and name not in ON_ALL_VERSIONS):
        return True
    return is_older and ways.AS_MODULE in values
