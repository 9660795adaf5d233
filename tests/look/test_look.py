# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages as people see them, in headless Chromium: narrow and wide, dark and light, by keyboard, by axe's rules.

The pictures are kept in .build/look, for whoever changes a page.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.plugin_utils.report.html import as_html
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_log import Log, page_of_log
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_run import page_of_run
from ansible_collections.dalp.restate.plugins.plugin_utils.report.page import Page

from tests.unit.plugins.plugin_utils.report.test_of_run import hostile_run
from tests.unit.runs import OLD, deployment, examined, finding, key, release, result, run_of

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "look"
PACKAGES = ("axe-core@4.14.1", "playwright-core@1.65.1")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _pages() -> dict[str, Page]:
    keys = [key(f"order-{number}", failure=f"the bank said no to {number}") for number in range(1_000)]
    recovered = result("recover_workflow", results=keys)
    many = [deployment(f"dp_{number}", f"http://orders-{number}:9080/", 1) for number in range(20)]
    for number, each in enumerate(many):
        each["services"] = [{"name": f"Service{other}", "revision": number + 1} for other in range(8)]
    found = [finding("PAUSED_INVOCATIONS"), finding("DEAD_NODE", "critical"), finding("DRAINED", "info")]
    stays: dict[str, Any] = {
        "removed": [],
        "remaining": [{"deployment_id": OLD, "reason": "drain_timeout"}],
        "failed": True,
    }
    records = [release().before.result["audit"], *(step.result["audit"] for step in release().steps)]
    return {
        "dry": page_of_run(release(check=True)),
        "done": page_of_run(release()),
        "failed": page_of_run(release(**stays)),
        "keys": page_of_run(run_of(examined(*many, findings=found), examined(), recover_workflow=recovered)),
        "hostile": page_of_run(hostile_run()),
        "log": page_of_log(Log(records, "The chain of 3 records is whole.", True, records[:1])),
    }


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser: CHROMIUM, or one that is on the path."""
    found = os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, NAMES) if path), None)
    if not found or not shutil.which("node") or not shutil.which("npm"):
        pytest.skip(f"no Chromium (CHROMIUM, or one of {', '.join(NAMES)}), or no node and npm")
    return str(found)


@pytest.fixture(scope="module")
def modules() -> Path:
    """What looks at the pages, from npm."""
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "package.json").write_text(json.dumps({"private": True}))
    quiet = [
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
        "--ignore-scripts",
        "--no-save",
    ]
    subprocess.run(["npm", "install", *quiet, *PACKAGES], cwd=BUILD, check=True)
    return BUILD / "node_modules"


def _seen(chromium: str, modules: Path, path: Path) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("look.mjs")
    command = ["node", str(script), chromium, str(modules), str(BUILD), str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    seen: list[dict[str, Any]] = json.loads(ran.stdout)
    return seen


@pytest.mark.parametrize("name", _pages())
def test_a_page_looks_as_it_should(name: str, chromium: str, modules: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.html"
    path.write_text(as_html(_pages()[name]), encoding="utf-8")
    seen = _seen(chromium, modules, path)
    assert len(seen) == 4
    for view in seen:
        assert view["violations"] == [], view["name"]
        assert view["told"] == view["asked"] == []
        assert view["overflow"] <= 0, view["name"]
        assert view["stops"]["reached"] == view["stops"]["wanted"] > 0


def test_what_is_looked_for_would_be_found(chromium: str, modules: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<!DOCTYPE html><title>x</title><p style='color:#ddd;background:#fff'>Pale words.</p>"
        "<p style='width:2000px'>x<img src='y.png'>"
        "<script>console.log('ran')</script><a href='#x' tabindex='-1'>never reached</a>"
    )
    for view in _seen(chromium, modules, path):
        found = {violation.split(":")[0] for violation in view["violations"]}
        assert {"html-has-lang", "image-alt", "color-contrast"} <= found
        assert "ran" in view["told"]
        assert view["asked"]
        assert view["overflow"] > 0
        assert view["stops"] == {"wanted": 1, "reached": 0}
