# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A linter checks the options of our modules, though action plugins have their names, and carries nothing out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.playbook import environment

PLAY = """---
- name: Play
  hosts: all
  gather_facts: false
  tasks:
    - name: Mistyped
      dalp.restate.restate_doctor:
        fail_onn: []
    - name: No such choice
      dalp.restate.restate_cleanup:
        service_url: http://a
        pending: never
    - name: Incomplete
      dalp.restate.restate_redeploy:
        force: true
    - name: Right
      dalp.restate.restate_redeploy:
        service_url: "{{ url }}"
        wait_timeout: "{{ seconds }}"
"""


def test_a_linter_finds_options_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-lint")), "--offline", "--nocolor", "-p", "play.yml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    found = [line for line in ran.stdout.splitlines() if "args[module]" in line]
    assert [line.partition(":")[2].partition(":")[0] for line in found] == ["6", "9", "13"], (
        ran.stdout + ran.stderr
    )
    for line, said in zip(found, ("fail_onn", "pending", "service_url"), strict=True):
        assert said in line
