# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tasks cost in process and as modules, and a whole dry run, a cleanup of many, and a play of many hosts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.benchmark.benchmark_server import BenchmarkServer
from tests.benchmark.measuring import in_turns, less_median, ratios
from tests.benchmark.tables import Table

_FIVE = 5
_AS_MODULE = {"dalp_restate_in_process": False}
_DRAINED = 150
_ENVIRONMENTS = 20
_FORKS = 5


def tasks(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the doctor in process and as a module with one GET by `uri`, five in a play and alone."""
    run = server.playbooks.run
    found = in_turns(
        server.runs,
        {
            "nothing": server.nothing,
            "five in process": lambda: run("doctor_five"),
            "five modules": lambda: run("doctor_five", _AS_MODULE),
            "five requests": lambda: run("uri_five"),
            "one in process": lambda: run("doctor"),
            "one module": lambda: run("doctor", _AS_MODULE),
            "one request": lambda: run("uri_get"),
        },
    )
    nothing = found.pop("nothing")
    costs = {
        name: [
            cost / (_FIVE if "five" in name else 1)
            for cost in less_median([run.seconds for run in runs], nothing)
        ]
        for name, runs in found.items()
    }
    table = Table("One task of the doctor")
    for name, label in (
        ("five in process", "in process, five in a play, each"),
        ("five modules", "as a module, five in a play, each"),
        ("five requests", "`uri` with one GET, five in a play, each"),
        ("one in process", "in process, alone in its play"),
        ("one module", "as a module, alone in its play"),
        ("one request", "`uri` with one GET, alone in its play"),
    ):
        table.add(label, "ms", [1000 * cost for cost in costs[name]], "less the playbook without a task")
    own = [run.own_ms for run in found["five in process"]]
    table.add("the task's own part in process", "ms", own, "`audit.data.duration_ms`")
    for name, request, target in (
        ("five in process", "five requests", "target: 0.25 at most"),
        ("one in process", "one request", "target: 0.8 at most"),
        ("five modules", "five requests", "target: 1.1 at most"),
    ):
        table.add(f"{name} / {request}", "x", ratios(costs[name], costs[request]), target)
    yield table


def release(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the dry run of a whole release with a playbook of three requests."""
    url = server.submitter.release_url
    variables = {"restate_admin_url": server.playbooks.admin_url, "restate_service_url": url}
    found = in_turns(
        server.runs,
        {
            "release": lambda: server.playbooks.run(
                "dalp.restate.release", variables, arguments=["--check", *_HERE]
            ),
            "requests": lambda: server.playbooks.run("uri_three"),
        },
    )
    whole = {name: [run.seconds for run in runs] for name, runs in found.items()}
    table = Table("The dry run of a release")
    table.add("`dalp.restate.release --check`, the whole playbook", "s", whole["release"])
    table.add("three GETs by `uri`, the whole playbook", "s", whole["requests"])
    table.add("release / requests", "x", ratios(whole["release"], whole["requests"]), "target: less than 1")
    yield table


_HERE = ("-i", "localhost,", "-c", "local")


def cleanup(server: BenchmarkServer) -> Iterator[Table]:
    """Compare the removal of drained deployments with as many bare DELETE calls, and with that of a third of them."""
    base = server.submitter.release_url.rstrip("/")
    kept = f"{base}/kept"

    def plant(number: int) -> list[str]:
        ids = [server.submitter.api.register(f"{base}/old-{each}") for each in range(number)]
        _overwrite(server, kept)
        return ids

    def by_task(number: int) -> Any:
        plant(number)
        variables = {"service_url": kept, "number": number + 5}
        return server.playbooks.run("cleanup", variables)

    def by_calls(number: int) -> float:
        ids = plant(number)
        with httpx.Client(base_url=server.playbooks.admin_url, trust_env=False, timeout=60) as client:
            started = time.monotonic()
            for each in ids:
                client.delete(f"/deployments/{each}", params={"force": "true"}).raise_for_status()
            return time.monotonic() - started

    third = _DRAINED // 3
    found = in_turns(
        server.runs,
        {
            "task": lambda: by_task(_DRAINED),
            "calls": lambda: by_calls(_DRAINED),
            "task, a third": lambda: by_task(third),
            "calls, a third": lambda: by_calls(third),
        },
    )
    own = [run.own_ms / 1000 for run in found["task"]]
    fewer = [run.own_ms / 1000 for run in found["task, a third"]]
    table = Table(f"The removal of {_DRAINED} drained deployments")
    table.add("`restate_cleanup`, the whole playbook", "s", [run.seconds for run in found["task"]])
    table.add("... its own part", "s", own, "`audit.data.duration_ms`")
    table.add("the bare DELETE calls", "s", found["calls"], "on one connection")
    table.add("own part / calls", "x", ratios(own, found["calls"]), "target: 2 at most")
    table.add(f"the own part for {third} of them", "s", fewer)
    table.add(f"the bare DELETE calls for {third} of them", "s", found["calls, a third"])
    table.add("own part, three times as many / a third", "x", ratios(own, fewer), "3 is linear")
    growth = ratios(found["calls"], found["calls, a third"])
    table.add("bare calls, three times as many / a third", "x", growth)
    yield table


def _overwrite(server: BenchmarkServer, url: str) -> None:
    answer = httpx.post(
        f"{server.playbooks.admin_url}/deployments",
        json={"uri": url, "force": True},
        trust_env=False,
        timeout=60,
    )
    answer.raise_for_status()


def environments(server: BenchmarkServer) -> Iterator[Table]:
    """Compare a play of many environments with one of a single environment."""

    def examine(number: int) -> float:
        hosts = Path(server.playbooks.directory) / f"environments-{number}.ini"
        names = "\n".join(f"environment-{each:02}" for each in range(number))
        hosts.write_text(f"[environments]\n{names}\n")
        arguments = ["-i", str(hosts), "--forks", str(_FORKS)]
        return server.playbooks.run("environments", arguments=arguments).seconds

    found = in_turns(
        server.runs,
        {"nothing": server.nothing, "one": lambda: examine(1), "many": lambda: examine(_ENVIRONMENTS)},
    )
    table = Table(f"{_ENVIRONMENTS} environments in one play, with {_FORKS} forks")
    table.add("one environment, the whole playbook", "s", found["one"])
    table.add(f"{_ENVIRONMENTS} environments, the whole playbook", "s", found["many"])
    table.add("many / one", "x", ratios(found["many"], found["one"]), "target: 5 at most")
    base = statistics.median(found["nothing"])
    costs = ratios([each - base for each in found["many"]], [each - base for each in found["one"]])
    table.add("... of the tasks alone", "x", costs, "less the playbook without a task")
    yield table
