# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the sandbox (`--help` tells more).

sandbox.py run --plant -- COMMAND...
sandbox.py up --file FILE
sandbox.py down --file FILE
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import restate_cluster
import restate_server
import supervisor
from description import Planting, environment, serve_releases
from restate_sandbox import Sandbox
from stop_signals import Stopped, StopSignals
from waiting import SandboxError

_END_TIMEOUT = 5.0
_LIFETIME = 3600.0
_FAILED = 1
_SIGNALLED = 128


def main(arguments: list[str]) -> int:
    """Run one command and give the exit status: for `run` the command's own, 128 + n after signal n."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return _FAILED
    except Stopped as stopped:
        return _SIGNALLED + stopped.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox.py", description="A real Restate with services and planted invocations."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    contents = argparse.ArgumentParser(add_help=False)
    contents.add_argument(
        "--version", default=restate_server.DEFAULT_VERSION, help="of the server; %(default)s"
    )
    contents.add_argument(
        "--nodes",
        type=int,
        choices=restate_cluster.NODE_COUNTS,
        default=1,
        help="of the server, three of which are a cluster; %(default)s",
    )
    contents.add_argument(
        "--cache",
        type=Path,
        default=restate_server.default_cache(),
        help="where servers are kept; %(default)s",
    )
    contents.add_argument(
        "--service-python", default=sys.executable, help="a Python with requirements.txt; this one"
    )
    planting = contents.add_mutually_exclusive_group()
    planting.set_defaults(planting="nothing")
    planting.add_argument(
        "--plant",
        dest="planting",
        action="store_const",
        const="all",
        help="plant failed, paused and other runs",
    )
    planting.add_argument(
        "--plant-unreleased",
        dest="planting",
        action="store_const",
        const="unreleased",
        help="plant them, but leave the registration of release 2 to the command",
    )

    at_file = argparse.ArgumentParser(add_help=False)
    at_file.add_argument(
        "--file", type=lambda name: Path(name).absolute(), required=True, help="the description, as JSON"
    )

    detached = argparse.ArgumentParser(add_help=False)
    detached.add_argument("--owner", type=int, metavar="PID", help="stop when this process is gone")
    detached.add_argument(
        "--lifetime", type=float, default=_LIFETIME, metavar="SECONDS", help="stop after it; %(default)g"
    )

    run = commands.add_parser("run", parents=[contents], help="run a command beside a sandbox of its own")
    run.add_argument("argv", nargs="+", metavar="COMMAND", help="after --")
    run.set_defaults(command=_run)
    up = commands.add_parser(
        "up", parents=[contents, at_file, detached], help="start a sandbox that stays, print it"
    )
    up.set_defaults(command=_up)
    down = commands.add_parser("down", parents=[at_file], help="stop it and wait until it is gone")
    down.set_defaults(command=_down)
    # Not for people: what `up` starts.
    supervise = commands.add_parser("supervise", parents=[contents, at_file, detached])
    supervise.set_defaults(command=_supervise)
    return parser


def _sandbox(options: argparse.Namespace) -> Sandbox:
    return Sandbox(options.version, options.cache, options.service_python, options.nodes)


def _run(options: argparse.Namespace) -> int:
    with StopSignals() as signals, _sandbox(options) as sandbox:
        try:
            description = serve_releases(sandbox, options.planting)
            file = sandbox.processes.directory / "sandbox.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(description, indent=2))
            child = sandbox.processes.spawn(
                options.argv, env=os.environ | environment(description, file), foreground=True
            )
            try:
                status = child.wait()
            except Stopped as stopped:
                _end(child, stopped.number)
                raise
            return status if status >= 0 else _SIGNALLED - status
        finally:
            signals.ignore()


def _end(child: subprocess.Popen[bytes], number: int) -> None:
    """Let the command end by itself, for some seconds. After Ctrl-C, the terminal has told it already."""
    if number == signal.SIGINT and _ended_in_time(child):
        return
    child.terminate()
    _ended_in_time(child)


def _ended_in_time(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        return False
    return True


def _up(options: argparse.Namespace) -> int:
    planting: Planting = options.planting
    supervise = [sys.executable, __file__, "supervise"]
    supervise += [
        f"--version={options.version}",
        f"--nodes={options.nodes}",
        f"--cache={options.cache.absolute()}",
        f"--file={options.file}",
    ]
    supervise += [f"--service-python={options.service_python}", f"--lifetime={options.lifetime}"]
    supervise += [] if options.owner is None else [f"--owner={options.owner}"]
    supervise += {"nothing": [], "all": ["--plant"], "unreleased": ["--plant-unreleased"]}[planting]
    description, started = supervisor.up(options.file, _sandbox(options), planting, supervise)
    print(json.dumps({**description, "started_now": started}, indent=2))
    return 0


def _down(options: argparse.Namespace) -> int:
    print(json.dumps({"stopped_now": supervisor.down(options.file)}))
    return 0


def _supervise(options: argparse.Namespace) -> int:
    supervisor.supervise(options.file, _sandbox(options), options.planting, options.owner, options.lifetime)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
