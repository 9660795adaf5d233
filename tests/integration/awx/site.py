# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applies the playbook awx as a site does, to the stand-in of AWX."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.awx.server import PASSWORD, USERNAME, Awx
from tests.integration.playbook import environment

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "extensions" / "awx"
REPOSITORY = "https://github.com/dalp/ansible-restate.git"
MANUAL = "restate"
PLAYBOOKS = [f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")]
PROJECTS = {
    REPOSITORY: PLAYBOOKS,
    MANUAL: [f"playbooks/{path.name}" for path in DATA.glob("project/playbooks/*.yml")],
}
"""The playbooks that AWX sees in each project, by its URL or local path."""


def install_awx_collection() -> None:
    """Unpack the collection awx.awx, also where pytest was not started by make."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / "awx_collection.py")], check=True)


def apply(awx: Awx, folder: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook awx in a folder, with these variables."""
    extra = folder / "variables.json"
    extra.write_text(json.dumps(variables))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "dalp.restate.awx"]
    return subprocess.run(
        [*command, "-e", f"@{extra}", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_PIPELINING="1",
            CONTROLLER_HOST=awx.url,
            CONTROLLER_USERNAME=USERNAME,
            CONTROLLER_PASSWORD=PASSWORD,
            LC_ALL="C.UTF-8",
        ),
    )


def data_with(folder: Path, *runbooks: str, workflow: str | None) -> dict[str, str]:
    """Copy the data files to a folder, with the templates of these runbooks and one workflow alone; return the variable
    of the role that names it. Each template takes a second to apply."""
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    wanted = [*runbooks, *(f"{runbook} (dry run)" for runbook in runbooks), "nothing to approve"]
    _keep(folder / "controller" / "templates.yml", "controller_templates", wanted)
    _keep(folder / "controller" / "workflows.yml", "controller_workflows", [workflow] if workflow else [])
    return {"awx_data_dir": str(folder)}


def _keep(path: Path, variable: str, names: list[str]) -> None:
    """Keep the entries of these names, and the text as it is: it has anchors, and what only a job may template."""
    head, _, body = path.read_text().partition(f"{variable}:\n")
    entries = body.split("  - <<: ")[1:]
    kept = [
        entry
        for entry in entries
        if any(f'awx_title }}}}: {name}"' in entry.split("\n")[1] for name in names)
    ]
    path.write_text(
        f"{head}{variable}:\n" + "".join(f"  - <<: {entry}" for entry in kept) + ("" if kept else "  []\n")
    )
