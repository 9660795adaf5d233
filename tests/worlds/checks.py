# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task in a world: dry both ways, for real, and again; and all that is wrong, in words."""

from __future__ import annotations

import json
from typing import Any

from tests.integration import ways
from tests.integration.ansible_task import Result
from tests.integration.proxy import Proxy
from tests.integration.server import Row, Server, Snapshot
from tests.integration.three_runs import compared
from tests.worlds.tasks import Task
from tests.worlds.world import World, rows_by_id

_OUTPUT = (
    "snapshot",
    "resubmitted_at",
    "latency_ms",
    "failed_at",
    "next_retry_at",
    "recent_failures",
    "retry_count",
    "by_activity",
    "waited_seconds",
)
"""What a dry run cannot know, or what changes by itself from one look to the next."""
_AFTER_A_WAIT = ("migrated", "cancelled", "killed", "abandoned", "impact")
"""What depends on the work that ends by itself while a cleanup waits, which a dry run does not do."""
_ENDED = ("killed", "cancelled", "abandoned", "purged")
_WAYS = (ways.IN_PROCESS, ways.AS_MODULE)


class Trial:
    """One task in one world; `wrong` is what was found."""

    def __init__(self, world: World, task: Task, proxy: Proxy) -> None:
        self._world = world
        self._server = world.server
        self._task = task
        self._proxy = proxy
        self.results: dict[str, Result] = {}
        self.wrong: list[str] = []

    def run(self) -> None:
        """Run the task, and look for what is wrong."""
        self._world.settle()
        before, rows = self._server.snapshot(), rows_by_id(self._server)
        dry = self._run_dry(before)
        real = self._run("real", self._world.random.choice(_WAYS), plan_digest=dry.get("plan_digest"))
        after = self._server.snapshot()
        self._compare(dry, real, before)
        self._check_written(real, before, after)
        stuck = _stuck(self._server)
        again = self._run("again", self._world.random.choice(_WAYS))
        self._check_again(real, again, after, stuck)
        self._check_nothing_lost(rows, real, again)

    @property
    def _deployments(self) -> set[str]:
        return {each.id for each in self._world.deployments}

    def _run_dry(self, before: Snapshot) -> Result:
        dry = self._run("dry", ways.IN_PROCESS, check=True)
        as_module = self._run("dry as a module", ways.AS_MODULE, check=True)
        if self._server.snapshot() != before:
            self.wrong.append(
                f"the dry run changed the server: {_differences(before, self._server.snapshot())}"
            )
        if self._proxy.writes:
            self.wrong.append(f"the dry run sent {self._proxy.writes}")
        found = _differences(_without(dry), _without(as_module))
        if found:
            self.wrong.append(f"in process and as a module differ: {found}")
        return dry

    def _run(self, name: str, way: str, *, check: bool = False, plan_digest: str | None = None) -> Result:
        args = {**self._task.args, **({"plan_digest": plan_digest} if plan_digest else {})}
        with ways.run_tasks(way):
            result = self._server.task(self._task.module, check=check, admin_url=self._proxy.url, **args)
        self.results[name] = result
        if "Traceback" in str(result) or result.get("error", {}).get("code") == "RESTATE_BUG":
            self.wrong.append(f"{name}: ends in a bug: {result['msg']}")
        if result["failed"] and "error" not in result:
            self.wrong.append(f"{name}: failed without an error: {result['msg']}")
        return result

    def _compare(self, dry: Result, real: Result, before: Snapshot) -> None:
        """Compare what was predicted with what was done."""
        if real.get("error", {}).get("code") == "RESTATE_PLAN_CHANGED":
            self.wrong.append(f"the approved plan was refused: {real['msg']}")
            return
        # Only an attempt shows what the service says to work that goes on.
        has_failed_again = self._task.module == "resume" and bool(_failed_attempts(real))
        if self._has_waited(dry, real) or has_failed_again:
            return
        is_conditional = any(each.get("conditional") for each in dry.get("steps", ()))
        unknown = (*self._task.unknown, *(_AFTER_A_WAIT if is_conditional else ()))
        found = _differences(_without(dry, unknown), _without(real, unknown))
        if found:
            self.wrong.append(f"predicted and done differ: {found}")

    def _has_waited(self, dry: Result, real: Result) -> bool:
        """Whether the prediction says itself that it depends on a wait."""
        return (
            bool(self._task.args.get("drain_timeout")) and "if " in dry["msg"] and dry["msg"] != real["msg"]
        )

    def _check_written(self, real: Result, before: Snapshot, after: Snapshot) -> None:
        has_changed = _stable(before) != _stable(after)
        if has_changed and not real["changed"]:
            self.wrong.append(
                f"changed: false, and changed is {_differences(_stable(before), _stable(after))}"
            )
        if self._task.module == "cleanup" and "diff" in real and not real["failed"]:
            said = set(real["diff"]["after"].get("deployments", {}))
            there = {each["id"] for each in after["deployments"]}
            if said != there:
                self.wrong.append(f"diff.after has {sorted(said)}, there are {sorted(there)}")

    def _check_again(self, real: Result, again: Result, after: Snapshot, stuck: set[str]) -> None:
        if self._task.module == "doctor":
            return
        if not real["failed"] and again["failed"]:
            self.wrong.append(f"the second run fails: {again['msg']}")
        # What goes on where it got stuck gets stuck again, and is resumed again.
        is_stuck_again = (self._task.module == "resume" and _resumed(again) <= stuck) or (
            _listed(again, "recovered") <= _resubmitted(real) != set()
        )
        if not real["failed"] and again["changed"] and not is_stuck_again:
            self.wrong.append(f"the second run changes again: {again['msg']}")
        if real["failed"] and not again["failed"] and not again["changed"]:
            self.wrong.append(f"the first run fails, and the second one has nothing to do: {again['msg']}")
        if not again["changed"] and _stable(self._server.snapshot()) != _stable(after):
            self.wrong.append("the second run says changed: false, and something changed")

    def _check_nothing_lost(self, rows: dict[str, Row], *results: Result) -> None:
        """Each unfinished invocation is there, or has completed, unless a result lists it as ended."""
        ended = json.dumps([_ended(result) for result in results])
        deployments = self._server.deployment_ids()
        now = rows_by_id(self._server)
        for invocation_id, row in rows.items():
            if row["status"] == "completed" or invocation_id in ended:
                continue
            seen = now.get(invocation_id)
            if seen is None:
                self.wrong.append(f"{invocation_id} ({row['status']}) is gone, which nobody said")
            elif seen.get("completion_result") == "failure":
                self.wrong.append(f"{invocation_id} ({row['status']}) was ended, which nobody said")
            elif _is_stranded(seen, deployments) and not _is_stranded(row, self._deployments):
                self.wrong.append(f"{invocation_id} ({row['status']}) is stranded, which nobody said")


def _is_stranded(row: Row, deployments: set[str]) -> bool:
    pinned = row.get("pinned_deployment_id")
    return row["status"] != "completed" and pinned is not None and pinned not in deployments


def _stuck(server: Server) -> set[str]:
    """What is paused, or is tried again and again."""
    rows = server.query("SELECT id FROM sys_invocation WHERE status = 'paused' OR retry_count > 0")
    return {row["id"] for row in rows}


def _resumed(result: Result) -> set[str]:
    return {each["invocation_id"] for each in result.get("results", []) if each.get("outcome") == "resumed"}


def _failed_attempts(result: Result) -> list[Any]:
    return [each for each in result.get("results", []) if each.get("outcome") == "failed"]


def _listed(result: Result, outcome: str) -> set[str]:
    return {
        each.get("service_key", "") for each in result.get("results", []) if each.get("outcome") == outcome
    }


def _resubmitted(result: Result) -> set[str]:
    return {each["service_key"] for each in result.get("results", []) if each.get("resubmitted")}


def _ended(result: Result) -> list[Any]:
    entries = [result, *[each for each in result.get("results", []) if isinstance(each, dict)]]
    return [each.get(name, []) for each in entries for name in _ENDED]


def _without(result: Result, unknown: tuple[str, ...] = ()) -> Any:
    """A result without what a dry run cannot know."""
    return _pruned(compared({**result, "msg": ""}, (*unknown, "plan_digest", "warnings")))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _pruned(each) for name, each in value.items() if name not in _OUTPUT}
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return value


def _stable(snapshot: Snapshot) -> Snapshot:
    """A snapshot without what goes on by itself."""
    rows = [
        {**row, "status": "completed" if row["status"] == "completed" else "unfinished"}
        for row in snapshot["invocations"]
    ]
    return {**snapshot, "invocations": rows}


def _differences(one: Any, other: Any, path: str = "") -> str:
    """Say where two values differ, shortly."""
    found = list(_walk(one, other, path))
    return "; ".join(found[:4])


def _walk(one: Any, other: Any, path: str) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}, key=str):
            yield from _walk(one.get(name, "-"), other.get(name, "-"), f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _walk(left, right, f"{path}[{number}]")
    elif one != other:
        yield f"{path}: {str(one)[:300]} / {str(other)[:300]}"
