# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook of the collection, and gives the results of its tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.playbook import environment

_CALLBACKS = Path(__file__).with_name("callback_plugins")


def playbook_results(
    name: str, folder: Path, variables: dict[str, Any]
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Give the exit status, and the result of each module of the collection that was no dry run."""
    results = folder / "results.jsonl"
    results.write_text("")
    extra = {"ansible_python_interpreter": sys.executable, **variables}
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ansible-playbook")), f"dalp.restate.{name}"),
            *("-i", "localhost,", "-c", "local", "-e", json.dumps(extra)),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(
            ANSIBLE_CALLBACK_PLUGINS=str(_CALLBACKS),
            ANSIBLE_CALLBACKS_ENABLED="task_results",
            PROOF_RESULTS=str(results),
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
        ),
    )
    (folder / "playbook.log").write_text(done.stdout + done.stderr)
    entries = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return done.returncode, {entry["module"]: entry["result"] for entry in entries}
