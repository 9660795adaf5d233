# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured on a server: recoveries by a task, by a loop and by the `restate` command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from restate_sandbox import Sandbox

from tests.benchmark.playbook_runs import PlaybookRun, PlaybookRunner
from tests.benchmark.restate_cli import RestateCli, install_cli
from tests.benchmark.run_submitter import RunSubmitter


@dataclass(frozen=True)
class RunsToRecover:
    """Runs that need a recovery: how they are submitted, and how they are selected."""

    service: str
    argument: dict[str, str]
    kind: str


FAILED = RunsToRecover("OrderWorkflow", {"mode": "fail"}, "failed")
PAUSED = RunsToRecover("PaymentWorkflow", {}, "paused")


class BenchmarkServer:
    """One server with what is measured on it."""

    def __init__(self, sandbox: Sandbox, directory: Path, runs: int, keys: int) -> None:
        self.runs = runs
        self.keys = keys
        self.submitter = RunSubmitter(sandbox)
        self.playbooks = PlaybookRunner(directory, sandbox.admin_url)
        self._sandbox = sandbox
        self._directory = directory

    def nothing(self) -> float:
        """Give the seconds of a playbook without a task."""
        return self.playbooks.run("nothing").seconds

    def recover(
        self,
        runs: RunsToRecover,
        keys: int,
        *,
        probe: bool = False,
        stages: bool = False,
        whole: bool = False,
    ) -> PlaybookRun:
        """Submit the runs under new keys, and measure their recovery with one task."""
        self.submitter.submit(runs.service, keys, runs.argument)
        variables = {"service": runs.service, "kinds": [runs.kind], "keys": keys}
        run = self.playbooks.run("recover", variables, probe=probe, stages=stages, whole=whole)
        summary = run.outcome["summary"]
        remaining = self.submitter.remaining(runs.service)
        if remaining or (summary["recovered"], run.outcome["results"]) != (keys, keys):
            raise RuntimeError(f"not all of {keys} keys were recovered: {summary}")
        return run

    def loop(self, runs: RunsToRecover, keys: int) -> float:
        """Submit the runs under new keys, and give the seconds of a playbook with three requests for each key."""
        chosen = self.submitter.submit(runs.service, keys, runs.argument)
        return self.playbooks.run("uri_loop", {"service": runs.service, "chosen": chosen}).seconds

    def cli(self) -> Callable[[RunsToRecover, int | None], tuple[float, int]]:
        """Give what submits runs, and gives the seconds and calls in which the `restate` command ends them."""
        cli = RestateCli(self.submitter, install_cli(self._sandbox), self._directory, self._sandbox.admin_url)

        def end(runs: RunsToRecover, limit: int | None) -> tuple[float, int]:
            self.submitter.submit(runs.service, self.keys, runs.argument)
            return cli.kill_and_purge(runs.service, limit)

        return end
