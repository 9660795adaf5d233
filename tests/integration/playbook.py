# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook of the collection as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration import ways


def environment(**more: str) -> dict[str, str]:
    """Return an environment that says nothing of a Restate or of a DALP."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("RESTATE_", "DALP_"))}
    return {**own, **more}


def playbook(name: str, tmp_path: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection on this machine, with a fact cache and its artifacts shown."""
    extra = tmp_path / f"variables-{name}.json"
    extra.write_text(json.dumps({**ways.variables(), **variables}))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"dalp.restate.{name}", *options]
    return subprocess.run(
        [*command, "-i", "localhost,", "-c", "local", "-e", f"@{extra}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(
            ANSIBLE_CACHE_PLUGIN="jsonfile",
            ANSIBLE_CACHE_PLUGIN_CONNECTION=str(tmp_path / "facts"),
            ANSIBLE_SHOW_CUSTOM_STATS="1",
            ANSIBLE_CALLBACK_RESULT_FORMAT="json",
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
        ),
    )
