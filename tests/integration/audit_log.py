# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run as processes and write an audit log, and what is in the log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.playbook import environment
from tests.integration.returned_keys import keep

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "audit-record.schema.json").read_text(encoding="utf-8"))
KILL = "^/invocations/[^/]+/kill$"
KEY = "order-1"
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.loads(sys.argv[3])):
    import_module("ansible_collections.dalp.restate.plugins.modules.restate_" + sys.argv[2]).main()
"""


def module_process(module: str, args: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a module as a process, with arguments that nobody takes for templates."""
    command = [sys.executable, "-c", PROGRAM, str(ROOT / ".build" / "collections"), module, json.dumps(args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def result_of(module: str, **args: Any) -> dict[str, Any]:
    """Run a module as a process to its end, and return its result."""
    output, _errors = module_process(module, args).communicate(timeout=60)
    result: dict[str, Any] = json.loads(output)
    keep(f"restate_{module}", result)
    return result


def recovery(url: str, log: Path, key: str = KEY, **more: Any) -> dict[str, Any]:
    """Return the arguments of a recovery of one key."""
    return {
        "admin_url": url,
        "service_name": "OrderWorkflow",
        "service_key": key,
        "audit_log": str(log),
        "retries": 0,
        **more,
    }


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log."""
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def outcomes(log: Path) -> list[str]:
    """Return how the records of a log say that it ended."""
    return [one["data"]["outcome"] for one in records(log)]
