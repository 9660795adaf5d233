# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paused work that got pinned while its deployment was deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.open_actions import (
    OpenAction,
    OpenActions,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.operating import operate, restate_at
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin


def test_only_what_an_earlier_task_paused_is_moved_off_a_deleted_deployment(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    script = ScriptedAdmin()

    def pin_paused() -> None:
        script.pin("dp_1")
        for each, row in script.rows.items():
            script.rows[each] = row._replace(status="paused")

    script.before["DELETE /deployments/dp_1?force=true"] = pin_paused
    restate = restate_at(serve(script), check_mode=False, clock=script.clock)
    OpenActions.of(restate).keep([OpenAction("pause", "inv_1", _timestamps.now())])

    report = operate(BACKEND, restate, cleanup_request(drain_timeout=0))

    assert [each for each in script.writes if each.startswith("PATCH")] == [
        "PATCH /invocations/inv_1/resume?deployment=dp_new"
    ]
    assert report.details["migrated"] == ["inv_1"]
    assert "inv_2" in str(report.warnings)
    assert not OpenActions.of(restate).paused()
