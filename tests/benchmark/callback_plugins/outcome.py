# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what the benchmark wants of the one task's result to the file that BENCHMARK_RESULT names.

A further task that shows the result would be part of what is measured, and so would a second callback: Ansible copies
the whole result for each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback.default import CallbackModule as DefaultCallback

DOCUMENTATION = """
name: outcome
type: stdout
short_description: Writes what the benchmark wants of a task's result to a file
description:
  - Prints what P(ansible.builtin.default#callback) does, and writes the rest to the file that the environment variable
    E(BENCHMARK_RESULT) names.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""


class CallbackModule(DefaultCallback):
    """Keeps the audit record's duration, in ms, and what was counted."""

    CALLBACK_NAME = "outcome"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write the outcome of a task that succeeded."""
        super().v2_runner_on_ok(result)
        content = getattr(result, "result", None) or result._result
        outcome = {
            "duration_ms": content.get("audit", {}).get("data", {}).get("duration_ms"),
            "summary": content.get("summary"),
            "results": len(content.get("results", [])),
            "by_status": content.get("invocations", {}).get("by_status"),
        }
        Path(os.environ["BENCHMARK_RESULT"]).write_text(json.dumps(outcome))
