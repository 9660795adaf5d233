# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a task as a process of its own, so that a test can run two at once, or time one out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration import ways
from tests.integration.returned_keys import COLLECTION, keep


class TaskProcess:
    """A task under way."""

    def __init__(
        self, module: str, args: dict[str, Any], *, timeout: int = 0, options: tuple[str, ...] = ()
    ) -> None:
        """Start it. O(timeout) is Ansible's own for the task, in seconds; 0 is none. O(options) are for C(ansible)."""
        self._module = f"restate_{module}"
        environment = {name: text for name, text in os.environ.items() if not name.startswith("RESTATE_")}
        environment |= {
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        self._process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ansible")),
                "localhost",
                *("-m", f"{COLLECTION}{self._module}"),
                *("-a", json.dumps(args)),
                *("-e", json.dumps(ways.variables())),
                *("--task-timeout", str(timeout)),
                *options,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        """Wait for the end, and give the result."""
        output = self.output()
        assert "=> {" in output, output
        result: dict[str, Any] = json.loads(output[output.index("=> {") + 3 :])
        keep(self._module, result)
        return result

    def output(self) -> str:
        """Wait for the end, and give what was printed."""
        output, _errors = self._process.communicate(timeout=120)
        return output
