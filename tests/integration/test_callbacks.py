# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What prints beside Ansible's callback: nothing where a machine reads it, and no colours in a log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.playbook import environment
from tests.integration.server import Server

CALLBACK = """
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "NAME"

    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps({"stats": stats.processed}))
"""


def run(server: Server, tmp_path: Path, name: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the doctor's playbook with a callback of this name, and a cleanup that waits for what drains."""
    folder = tmp_path / "callbacks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(CALLBACK.replace("NAME", name))
    server.release("release-1")
    server.order(f"order-{name}", "wait")
    url = server.release("release-2", "release-2").url
    variables = {
        "restate_admin_url": server.admin_url,
        "restate_ingress_url": server.ingress_url,
        "restate_service_url": url,
        "restate_drain_timeout": 3,
        "restate_pending": "migrate",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "dalp.restate.cleanup"]
    return subprocess.run(
        [*command, "-i", "localhost,", "-c", "local", "-e", json.dumps(variables)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(
            ANSIBLE_CALLBACK_PLUGINS=str(folder),
            ANSIBLE_STDOUT_CALLBACK=name,
            LC_ALL="C.UTF-8",
            **more,
        ),
    )


@pytest.mark.parametrize("name", ["json", "jsonl", "null"])
def test_what_a_machine_reads_is_its_alone(name: str, server: Server, tmp_path: Path) -> None:
    ran = run(server, tmp_path, name)
    assert json.loads(ran.stdout) == {"stats": {"localhost": 1}}, ran.stdout
    assert ran.returncode == 2, ran.stderr


def test_any_other_callback_has_the_summary_and_a_log_has_no_colours(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    ran = run(server, tmp_path, "awx_display", ANSIBLE_LOG_PATH=str(log), ANSIBLE_FORCE_COLOR="1")
    for text in (ran.stdout, log.read_text()):
        assert "Cleanup on localhost: FAILED" in text
        assert "has 1 pending" in text
    assert "\x1b[" in ran.stdout
    assert "\x1b" not in log.read_text()


def test_a_log_has_the_lines_that_are_not_printed(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    ran = run(server, tmp_path, "json", ANSIBLE_LOG_PATH=str(log))
    assert json.loads(ran.stdout)
    assert "Cleanup on localhost: FAILED" in log.read_text()
