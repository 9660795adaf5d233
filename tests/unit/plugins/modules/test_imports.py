# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task of the doctor imports: no more than it uses, and nothing of it anew in each worker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import answer

ROOT = Path(__file__).resolve().parents[4]
COLLECTION = "ansible_collections.dalp.restate.plugins"
OURS = f"{COLLECTION}.module_utils"
HEALTHY = {"version": "1.7.12", "deployments": [], "services": [], "subscriptions": [], "rows": []}
"""What answers all that the doctor asks of a server with nothing on it."""

PROGRAM = f"""
import json, sys, types
sys.path.insert(0, {str(ROOT / ".build" / "collections")!r})
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from {COLLECTION}.action.restate_doctor import ActionModule, OPERATION
from {OURS}._task.execute import execute
there = lambda: {{name for name, module in sys.modules.items() if module}}
before = there()
options = {{"admin_url": sys.argv[1], "ingress_url": sys.argv[1]}}
validation = ModuleArgumentSpecValidator(ActionModule.argument_spec).validate(options)
how = {{"check_mode": False, "wants_diff": False, "tell": None, "warn": print}}
task = types.SimpleNamespace(params=validation.validated_parameters, **how)
result = execute(task, OPERATION)
print(json.dumps([result["healthy"], sorted(before), sorted(there() - before)]))
"""

UNUSED = ["httpx._main"] + [
    f"{OURS}.{name}"
    for name in (
        "_audit.webhook",
        "_dalp.client",
        "_operations.approval",
        "_operations.doctor.dalp",
        "_operations.invocations.fit",
        "_restate.troubled_runs",
    )
]


@pytest.fixture
def imported(serve: Serve) -> tuple[set[str], set[str]]:
    """The modules that are there before a task of the doctor in process, and those that it imports itself."""
    url = serve(answer(200, HEALTHY)).url
    ended = subprocess.run([sys.executable, "-c", PROGRAM, url], capture_output=True, text=True, check=True)
    is_healthy, before, during = json.loads(ended.stdout)
    assert is_healthy
    return set(before), set(during)


def test_a_doctor_imports_nothing_that_only_other_tasks_need(imported: tuple[set[str], set[str]]) -> None:
    before, during = imported
    assert not set(UNUSED) & (before | during)


def test_a_task_in_process_imports_nothing_anew_in_its_worker(imported: tuple[set[str], set[str]]) -> None:
    _before, during = imported
    assert not [name for name in during if name.startswith((COLLECTION, "httpcore", "httpx", "pydantic"))]


OTHER_PLUGIN = f"""
import sys
sys.path.insert(0, {str(ROOT / ".build" / "collections")!r})
sys.path.insert(0, sys.argv[1])
from {COLLECTION}.module_utils import _thirdparty
assert "httpx._main" not in sys.modules, "our import leaves something behind"
import httpx._main
assert httpx._main.main
"""


def test_another_plugin_can_import_what_we_do_not(tmp_path: Path) -> None:
    # What httpx imports for its command line, as far as it looks at it when it is imported.
    for name in (
        "click",
        "rich",
        "rich.console",
        "rich.markup",
        "rich.progress",
        "rich.syntax",
        "rich.table",
        "pygments",
        "pygments.lexers",
        "pygments.util",
    ):
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(STAND_IN)
    ended = subprocess.run(
        [sys.executable, "-c", OTHER_PLUGIN, str(tmp_path)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


STAND_IN = """
class Anything:
    def __call__(self, *given, **named): return self
    def __getattr__(self, name): return self
    def __mro_entries__(self, bases): return (object,)

def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return Anything()
"""


@pytest.mark.parametrize(
    "module", sorted((ROOT / "plugins" / "modules").glob("restate_*.py")), ids=lambda path: path.stem
)
def test_mitogen_takes_each_file_for_a_module_of_ansible(module: Path) -> None:
    # What NewStylePlanner of Mitogen looks for; without it, the file is sent alone and can import nothing of ours.
    assert re.search(rb"from ansible(?:_collections|\.module_utils)\.", module.read_bytes())
