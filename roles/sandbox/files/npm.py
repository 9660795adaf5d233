# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the programs of Restate from npm into a cache."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from log_tail import log_tail
from owned_processes import OwnedProcesses
from waiting import SandboxError


def install(program: str, version: str, home: Path, cache: Path, processes: OwnedProcesses) -> Path:
    """Give the binary of a program (`restate-server` or `restate`), installed into `home` unless it is there already.

    Safe when several processes install at once, and when one is killed on the way: `cache`, which `home` is in, only
    ever shows whole versions. Raises SandboxError when npm is missing, fails, or the version does not exist for this
    platform.
    """
    package = f"@restatedev/{program}-{_platform()}"
    binary = home / "node_modules" / package / "bin" / program
    if binary.exists():
        return binary
    with _locked(cache):
        if not binary.exists():
            _run_npm(f"{package}@{version}", home, cache, processes)
    if not binary.exists():
        raise SandboxError(f"{home} holds no {package}: it was filled on another platform, remove it")
    return binary


def _platform() -> str:
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise SandboxError(f"no Restate server is published for {sys.platform} on {platform.machine()}")
    return f"{system}-{machine}"


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_npm(package: str, home: Path, cache: Path, processes: OwnedProcesses) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SandboxError("npm is needed to install the Restate server and was not found on PATH")
    for abandoned in cache.glob(".installing-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".installing-", dir=cache))
    log = processes.directory / "npm.log"
    try:
        quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        # Without a package.json of its own, npm would install into the next one up the tree.
        (unfinished / "package.json").write_text(json.dumps({"private": True}))
        npm_install = processes.spawn(
            [npm, "install", "--ignore-scripts", "--no-save", *quiet, "--prefix", str(unfinished), package],
            env=os.environ,
            log=log,
        )
        if npm_install.wait() != 0:
            raise SandboxError(f"npm cannot install {package}: {log_tail(log)}")
        processes.stop(npm_install)
        if not home.exists():
            unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
