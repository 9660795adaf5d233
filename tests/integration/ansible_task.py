# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a task as ansible-core does, without the start of a process for each task."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from ansible import context
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader, connection_loader, init_plugin_loader, shell_loader
from ansible.vars.manager import VariableManager
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.integration import ways
from tests.integration.returned_keys import COLLECTION, keep

Result = dict[str, Any]

MODULES = [path.stem for path in Path(__file__).parents[2].glob("plugins/modules/restate_*.py")]
_SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "audit-record.schema.json"
_RECORDS = jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))

_one_at_a_time = threading.Lock()


class _Collector(CallbackBase):
    """Keeps the result of the one task."""

    def __init__(self) -> None:
        super().__init__()
        self.result: Result | None = None

    def _keep(self, task_result: Any, **more: Any) -> None:
        result = dict(getattr(task_result, "result", None) or task_result._result)
        result.setdefault("failed", False)
        self.result = {**result, **more}

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._keep(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._keep(result, skipped=True)


@functools.cache
def prepare() -> None:
    """Do once what an `ansible` command line would have done, and import what every task needs."""
    for name in list(os.environ):
        if name.startswith("RESTATE_"):
            del os.environ[name]
    # A module's process would otherwise spend most of its time on compiling what it imports, and on being started.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(Path(os.environ["SANDBOX_CACHE"]).absolute() / "bytecode")
    os.environ["ANSIBLE_PIPELINING"] = "true"
    # What an `ansible` command line would have set; check and diff are the play's.
    context.CLIARGS = ImmutableDict(
        connection="local",
        forks=1,
        become=None,
        become_method="sudo",
        become_user=None,
        check=False,
        diff=False,
        verbosity=0,
        syntax=None,
        start_at_task=None,
        module_path=None,
    )
    init_plugin_loader([os.environ["ANSIBLE_COLLECTIONS_PATH"]])
    # Each task runs in a fork, which inherits what is imported here and would otherwise import it again and again.
    action_loader.get("ansible.legacy.normal", class_only=True)
    for module in MODULES:
        action_loader.get(f"{COLLECTION}{module}", class_only=True)
    connection_loader.get("ansible.legacy.local", class_only=True)
    shell_loader.get("sh", class_only=True)


def run_task(
    module: str,
    args: dict[str, Any],
    *,
    check: bool = False,
    diff: bool = True,
    python: str = sys.executable,
    **keywords: Any,
) -> Result:
    """Run a task on localhost and give its whole result, with `failed` and `changed` in any case.

    Other keywords are those of the task.
    """
    prepare()
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=["localhost,"])
    variables = VariableManager(loader=loader, inventory=inventory)
    # Ansible has one dictionary of them for a whole process.
    variables.extra_vars.clear()
    variables.extra_vars.update(ways.variables(python))
    play = Play().load(
        {
            "name": "test",
            "hosts": "localhost",
            "gather_facts": False,
            "check_mode": check,
            "diff": diff,
            "tasks": [{"name": module, module: args, **keywords}],
        },
        variable_manager=variables,
        loader=loader,
    )
    collector = _Collector()
    collector._init_callback_methods()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with _one_at_a_time:
        manager = TaskQueueManager(inventory, variables, loader, passwords={}, forks=1)
        # Instead of loading the one that prints.
        manager._callback_plugins = [collector]
        try:
            manager.run(play)
        finally:
            manager.cleanup()
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert collector.result is not None, f"{module} gave no result"
    if "audit" in collector.result:
        _check_record(collector.result["audit"])
    if module.startswith(COLLECTION):
        keep(module.removeprefix(COLLECTION), collector.result)
    return {"changed": False, **collector.result}


def _check_record(record: dict[str, Any]) -> None:
    """Hold the audit record of every task of the suite against its schema, and against the CloudEvents SDK."""
    _RECORDS.validate(record)
    event = JSONFormat().read(CloudEvent, json.dumps(record))
    assert event.get_data() == record["data"]
