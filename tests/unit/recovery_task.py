# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recovery of keys of the workflow Flow, by the operation's entry, against a Restate in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.plan import RecoveryRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.restate import BACKEND
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeIngress, FakeRestate
from ansible_collections.dalp.restate.tests.unit.operating import operate

KEYS = ["a", "b", "c"]


def recovered(restate: FakeRestate, ingress: FakeIngress, *workflows: str, **asked: Any) -> Report:
    """Recover workflows, each named as service and key, and return the report."""
    request: dict[str, Any] = {"kill_active": "never", "skip_blocked": False, **asked}
    names = [one.split("/") for one in workflows]
    request["workflows"] = [{"service_name": service, "service_key": key} for service, key in names]
    server = Restate(cast("Any", restate), cast("Any", ingress), restate.is_shown)
    return operate(BACKEND, server, RecoveryRequest(**request))


class Task:
    """Runs of one task against one server, with one folder for snapshots or none."""

    def __init__(
        self,
        restate: FakeRestate,
        folder: Path | None = None,
        *,
        resubmit: bool = False,
        kill: str = "never",
        clear: bool = False,
        retention: str = "1d",
        skip_blocked: bool = False,
    ) -> None:
        self.restate = restate
        self.folder = folder
        self.ingress = FakeIngress(restate)
        self.report: Report | None = None
        self._asked: dict[str, Any] = {"kill_active": kill, "clear_orphaned_state": clear}
        self._asked["skip_blocked"] = skip_blocked
        self._asked["resubmit"] = "original_input" if resubmit else None
        restate.retention = retention

    def recover(self, *keys: str, check_mode: bool = False) -> dict[str, Any]:
        """Recover keys, and return by key what the result says of it."""
        self.restate.check_mode = check_mode
        folder = str(self.folder) if self.folder else None
        names = [f"Flow/{key}" for key in keys]
        self.report = recovered(self.restate, self.ingress, *names, snapshot_dir=folder, **self._asked)
        results = [SimpleNamespace(**result) for result in self.report.details["results"]]
        return {result.service_key: result for result in results}

    @property
    def after(self) -> dict[str, Any]:
        """What the last result says of what is there now, by key."""
        assert self.report is not None
        return {name.removeprefix("Flow/"): state for name, state in self.report.after.items()}

    def files(self) -> list[str]:
        """The snapshots by what their names say is pending."""
        assert self.folder
        kept = [path for path in self.folder.iterdir() if not path.name.endswith(".open-actions.json")]
        return sorted(path.name.partition("Z")[2] for path in kept)


def outcomes(results: dict[str, Any]) -> dict[str, str]:
    """Return, by key, why something was not done, or what became of it."""
    return {key: result.reason or result.outcome for key, result in results.items()}
