# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the result of each task that was no dry run to the file that PROOF_RESULTS names, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_results
type: aggregate
short_description: Writes the results of a playbook's tasks to a file
description:
  - Writes them to the file that the environment variable E(PROOF_RESULTS) names.
"""


class CallbackModule(CallbackBase):
    """Keeps the name of the module and the result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_results"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write the result of a task that succeeded."""
        self._write(result, is_failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Write the result of a task that failed."""
        self._write(result, is_failed=True)

    def _write(self, result: Any, *, is_failed: bool) -> None:
        task = getattr(result, "task", None) or result._task
        content = getattr(result, "result", None) or result._result
        if task.check_mode or "audit" not in content:
            return
        entry = {"module": task.action, "result": {"changed": False, **content, "failed": is_failed}}
        with Path(os.environ["PROOF_RESULTS"]).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry, default=str) + "\n")
