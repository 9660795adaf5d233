# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cleanup that a signal ends in the middle of its work."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import HANG
from ansible_collections.dalp.restate.tests.unit.scripted_admin import ScriptedAdmin

DELETE_2 = "DELETE /deployments/dp_2?force=true"


def test_a_task_that_is_ended_during_the_second_removal_tells_what_it_did(
    serve: Serve, run: Any, delays: list[float]
) -> None:
    script = ScriptedAdmin()
    script.before[DELETE_2] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    script.faults[DELETE_2] = [HANG]

    _text, result = run("restate_cleanup", admin_url=serve(script).url, service_url="http://dp_new:9080")

    assert result["failed"]
    assert (result["error"]["code"], result["error"]["reason"]) == ("RESTATE_INTERRUPTED", "signal")
    assert [step["deployment_id"] for step in result["done"]] == ["dp_1"]
    assert [step["deployment_id"] for step in result["unknown"]] == ["dp_2"]
    assert result["not_done"] == []
    assert result["changed"]
    assert result["removed"] == ["dp_1"]
    assert [(each["deployment_id"], each["reason"]) for each in result["remaining"]] == [("dp_2", "unknown")]
    assert result["diff"]["before"]["deployments"].keys() == {"dp_1", "dp_2", "dp_new"}
    assert result["diff"]["after"]["deployments"].keys() == {"dp_2", "dp_new"}
    assert result["audit"]["data"]["outcome"] == "failed"
