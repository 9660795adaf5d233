# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of playbooks, whose processes are measured as a whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

_PROBE = HERE / "python_probe.py"
_TERMINATION_TIMEOUT = 5.0


@dataclass(frozen=True)
class PlaybookRun:
    """What a run of a playbook took: wall time in seconds, what the callback wrote, and what the probe did (or {})."""

    seconds: float
    outcome: dict[str, Any]
    process: dict[str, Any]

    @property
    def own_ms(self) -> float:
        """The module's own part, in milliseconds: its audit record's duration."""
        return float(self.outcome["duration_ms"])

    @property
    def process_ms(self) -> float:
        """What the module's process took, in milliseconds."""
        return float(self.process["ended"] - self.process["started"]) * 1000


class PlaybookRunner:
    """Runs the playbooks beside this file against one server, in a directory of its own."""

    def __init__(self, directory: Path, admin_url: str) -> None:
        self.directory = directory
        self.admin_url = admin_url
        self._result = directory / "result.json"
        self._report = directory / "report.json"

    def run(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        probe: bool = False,
        stages: bool = False,
        whole: bool = False,
        arguments: Sequence[str] = (),
    ) -> PlaybookRun:
        """Run a playbook, one of the collection where its name has a dot, and give what it cost.

        With `probe` or `stages`, what the module's process cost is in it, too; with `whole`, in their place, what the
        playbook's processes did, of which the largest counts.

        Raises RuntimeError with the output of a playbook that fails.
        """
        given = {"admin_url": self.admin_url, **(variables or {})}
        if probe or stages:
            given["ansible_python_interpreter"] = str(self._probe())
        extra = self.directory / "variables.json"
        extra.write_text(json.dumps(given))
        for file in (self._result, self._report):
            file.unlink(missing_ok=True)
        environment = _environment() | {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_STDOUT_CALLBACK": "outcome",
            "BENCHMARK_RESULT": str(self._result),
            # What a module that is cut off leaves behind goes with the directory.
            "TMPDIR": str(self.directory),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
        }
        if stages:
            environment["BENCHMARK_STAGES"] = str(self.directory / "marks.json")
        playbook = name if "." in name else str(HERE / "playbooks" / f"{name}.yml")
        command = ["ansible-playbook", playbook, "-e", f"@{extra}", *arguments]
        if whole:
            command = [
                sys.executable,
                str(_PROBE),
                str(self._report),
                str(shutil.which(command[0])),
                *command[1:],
            ]
        seconds = timed(command, environment)
        return PlaybookRun(seconds, _read(self._result), _read(self._report))

    def _probe(self) -> Path:
        probe = self.directory / "python"
        probe.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -IS "{_PROBE}" "{self._report}" "{sys.executable}" "$@"\n'
        )
        probe.chmod(0o700)
        return probe


def timed(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command and give its wall time in seconds. Raises RuntimeError with its output when it fails."""
    started = time.monotonic()
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            # ansible-playbook ends the processes of its tasks, which are in sessions of their own.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TERMINATION_TIMEOUT)
            process.kill()
            raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{output}")
    return seconds


def _environment() -> dict[str, str]:
    # Without bytecode, every process would compile what it imports; nobody's user has it like that.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return content
