# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measuring whole processes, and a table of what came out."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

_FAREWELL = 5.0


@dataclass(frozen=True)
class Played:
    """A playbook run: its wall time in seconds, what the callback wrote, and what the probe did (else empty)."""

    seconds: float
    outcome: dict[str, Any]
    process: dict[str, Any]


@dataclass
class Row:
    """A line of the table: the values of all runs, in one unit (`ms`, `s`, `MiB`, `x`)."""

    name: str
    unit: str
    values: list[float]
    note: str = ""


@dataclass
class Table:
    """The rows of one part of the benchmark, and what was said about them."""

    title: str
    rows: list[Row] = field(default_factory=list)

    def add(self, name: str, unit: str, values: Sequence[float], note: str = "") -> None:
        """Add a row."""
        self.rows.append(Row(name, unit, list(values), note))

    def markdown(self) -> str:
        """Give the table as Markdown."""
        lines = [f"### {self.title}", "", "| what | median | min | max | |", "|---|---:|---:|---:|---|"]
        for row in self.rows:
            numbers = (statistics.median(row.values), min(row.values), max(row.values))
            shown = " | ".join(f"{_rounded(number)} {row.unit}" for number in numbers)
            lines.append(f"| {row.name} | {shown} | {row.note} |")
        return "\n".join(lines)


class Player:
    """Runs the playbooks beside this file against one server, in a directory of its own."""

    def __init__(self, directory: Path, admin_url: str) -> None:
        self._directory = directory
        self._admin_url = admin_url
        self._result = directory / "result.json"
        self._report = directory / "report.json"

    def play(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        probe: bool = False,
        stages: bool = False,
    ) -> Played:
        """Run a playbook and give what it cost; with `probe` or `stages`, what the module's process cost, too.

        Raises RuntimeError with the output of a playbook that fails.
        """
        given = {"admin_url": self._admin_url, **(variables or {})}
        if probe or stages:
            given["ansible_python_interpreter"] = str(self._probe())
        extra = self._directory / "variables.json"
        extra.write_text(json.dumps(given))
        for file in (self._result, self._report):
            file.unlink(missing_ok=True)
        environment = _environment() | {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "BENCHMARK_RESULT": str(self._result),
            # What a module that is cut off leaves behind goes with the directory.
            "TMPDIR": str(self._directory),
            "ANSIBLE_REMOTE_TEMP": str(self._directory / "remote"),
        }
        if stages:
            environment["BENCHMARK_STAGES"] = str(self._directory / "marks.json")
        playbook = str(HERE / "playbooks" / f"{name}.yml")
        seconds = timed(["ansible-playbook", playbook, "-e", f"@{extra}"], environment)
        return Played(seconds, _read(self._result), _read(self._report))

    def _probe(self) -> Path:
        probe = self._directory / "python"
        script = HERE / "python_probe.py"
        probe.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -IS "{script}" "{self._report}" "{sys.executable}" "$@"\n'
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
                process.wait(_FAREWELL)
            process.kill()
            raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{output}")
    return seconds


def in_turns(runs: int, contenders: Mapping[str, Callable[[], Any]]) -> dict[str, list[Any]]:
    """Call all contenders, `runs` times one after another, and give what each returned, by name.

    Side by side, so that what else the machine does meets all of them.
    """
    found: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(1, runs + 1):
        for name, contender in contenders.items():
            say(f"  run {number}: {name}")
            found[name].append(contender())
    return found


def say(text: str) -> None:
    """Tell on standard error how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


def _environment() -> dict[str, str]:
    # Without bytecode, every process would compile what it imports; nobody's user has it like that.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return content


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
