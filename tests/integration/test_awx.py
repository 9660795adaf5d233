# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role awx, applied by the real collection awx.awx to a stand-in of AWX's API that refuses what AWX refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.awx.server import PASSWORD, USERNAME, Awx, stand_in
from tests.integration.playbook import environment

ROOT = Path(__file__).resolve().parents[2]
AWX_COLLECTION = ROOT / ".build" / "awx"
SITE = {
    "awx_organization": "Default",
    "awx_project": {"scm_type": "git", "scm_url": "https://git.example.com/restate.git"},
    "awx_environments": [
        {"name": "staging", "admin_url": "http://restate:9070", "auth_token": "a-token-of-restate"}
    ],
}
PLAYBOOKS = [f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")]


@pytest.fixture(scope="session", autouse=True)
def awx_collection() -> None:
    """The collection awx.awx, also where pytest was not started by make."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / "awx_collection.py")], check=True)


@pytest.fixture
def awx() -> Iterator[Awx]:
    """An AWX with an organization, and somebody's own objects in it."""
    with stand_in({"https://git.example.com/restate.git": PLAYBOOKS, "restate": PLAYBOOKS}) as started:
        yield started


def apply(awx: Awx, tmp_path: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook awx as a site does."""
    extra = tmp_path / "variables.json"
    extra.write_text(json.dumps({**SITE, **variables}))
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "dalp.restate.awx", "-e", f"@{extra}", *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(
            ANSIBLE_COLLECTIONS_PATH=f"{ROOT / '.build' / 'collections'}:{AWX_COLLECTION}",
            ANSIBLE_NOCOLOR="1",
            CONTROLLER_HOST=awx.url,
            CONTROLLER_USERNAME=USERNAME,
            CONTROLLER_PASSWORD=PASSWORD,
            LC_ALL="C.UTF-8",
        ),
    )


def test_applied_twice_it_changes_nothing_the_second_time(awx: Awx, tmp_path: Path) -> None:
    first = apply(awx, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr + "\n".join(awx.refused)
    awx.writes.clear()
    second = apply(awx, tmp_path)
    assert second.returncode == 0, second.stdout
    assert awx.writes == []
    assert "changed=0 " in second.stdout
