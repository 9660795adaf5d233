# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A linter that calls an action plugin gets its options, and nothing is carried out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
ACTIONS = ("cleanup", "doctor", "recover_workflow", "redeploy", "resume")
# A process of its own: what an action plugin imports of Ansible changes how a process warns.
CALL = """
import importlib, sys
from ansible.module_utils import basic
action = importlib.import_module(f"ansible_collections.dalp.restate.plugins.action.restate_{sys.argv[1]}")
# Only what is imported already may be replaced: the class is the base of another one.
made = []
basic.AnsibleModule = lambda **given: made.append(given)
action.main()
[given] = made
assert given["supports_check_mode"]
assert {"admin_url", "redact_patterns"} <= given["argument_spec"].keys()
"""


@pytest.mark.parametrize("name", ACTIONS)
def test_a_linter_reads_the_options_of_a_module_from_its_action(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".build" / "collections")}
    called = subprocess.run(
        [sys.executable, "-c", CALL, name], env=environment, capture_output=True, text=True
    )
    assert called.returncode == 0, called.stderr
