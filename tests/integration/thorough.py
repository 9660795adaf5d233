# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that only `make thorough` runs: those that take long, and those on older versions of Restate."""

from __future__ import annotations

import pytest
import restate_server

# They run many playbooks each, or wait for what takes its time.
LONG = {
    "approved_runbooks",
    "awx",
    "awx_jobs",
    "cluster_doctor",
    "dying_node",
    "frozen_node",
    "guides",
    "in_process",
    "lambda",
    "pauses_of_a_move",
    "progress",
    "release_and_rollback",
    "report",
    "two_runbooks_at_once",
    "two_tasks_at_once",
}


def takes_long(item: pytest.Item) -> bool:
    """Whether a test is left to a thorough run."""
    name = item.path.stem.removeprefix("test_")
    params = getattr(getattr(item, "callspec", None), "params", {})
    values = {value for value in params.values() if isinstance(value, str)}
    return name in LONG or bool(values & (set(restate_server.VERSIONS) - {restate_server.DEFAULT_VERSION}))
