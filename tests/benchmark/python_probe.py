# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the Python of a module, and reports what its process cost.

    python_probe.py REPORT COMMAND...

runs the command and writes to REPORT, as JSON: `started` and `ended` (monotonic seconds), `peak_mib` (resident),
and, with BENCHMARK_STAGES set, `marks` (monotonic seconds of what the process came by) and `imports` (the lines of
`-X importtime`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

_MARKS = """
import atexit, json, os, runpy, sys, time
marks = {"alive": time.monotonic()}
def hook(event, args):
    if event == "import" and args[0] == "ansible.module_utils.basic":
        marks.setdefault("unpacked", time.monotonic())
    elif event == "socket.connect":
        marks.setdefault("asked", time.monotonic())
def write():
    marks["done"] = time.monotonic()
    with open(os.environ["BENCHMARK_STAGES"], "w") as file:
        json.dump(marks, file)
sys.addaudithook(hook)
atexit.register(write)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main() -> int:
    """Run the command and give its exit status."""
    report, *command = sys.argv[1:]
    marks = os.environ.get("BENCHMARK_STAGES")
    actions = []
    if marks:
        command = [command[0], "-X", "importtime", "-c", _MARKS, *command[1:]]
        actions = [(os.POSIX_SPAWN_OPEN, 2, f"{marks}.imports", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    started = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    content: dict[str, object] = {
        "started": started,
        "ended": time.monotonic(),
        "peak_mib": usage.ru_maxrss / 1024,
    }
    if marks:
        content["marks"] = json.loads(Path(marks).read_text())
        content["imports"] = Path(f"{marks}.imports").read_text().splitlines()
    Path(report).write_text(json.dumps(content))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
