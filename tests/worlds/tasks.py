# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A random task for a world."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.worlds.world import World


@dataclass(frozen=True)
class Task:
    """A module and its options; `unknown` are keys of the result that a dry run cannot know."""

    module: str
    args: dict[str, Any]
    unknown: tuple[str, ...] = field(default=())


def choose_task(world: World, folder: Path) -> Task:
    """Choose one of the modules, and options that the world allows."""
    makers = {
        "doctor": (1, _doctor),
        "redeploy": (2, _redeploy),
        "cleanup": (4, _cleanup),
        "resume": (2, _resume),
        "recover_workflow": (3, _recovery),
    }
    [name] = world.random.choices(list(makers), [weight for weight, _make in makers.values()])
    return makers[name][1](world, folder)


def _doctor(world: World, _folder: Path) -> Task:
    return Task("doctor", {"probe_services": world.random.random() < 0.5})


def _redeploy(world: World, _folder: Path) -> Task:
    random = world.random
    urls = [*world.unregistered, *(each.url for each in world.deployments)]
    args = {
        "service_url": random.choice(urls),
        "wait_timeout": 1,
        **_some(
            random,
            force=[False, True],
            breaking=[True],
            allow_service_removal=[True],
            settings=["keep", "code"],
        ),
    }
    return Task("redeploy", args, ("deployment_id", "deployment"))


def _cleanup(world: World, _folder: Path) -> Task:
    random = world.random
    kept = random.choice(world.deployments[-2:]).url if world.deployments else "http://127.0.0.1:9/none"
    args: dict[str, Any] = {"service_url": kept, "drain_timeout": random.choice([0, 0, 1])}
    args |= _some(
        random,
        remove=["all", "superseded"],
        migrate_paused=[False, True],
        allow_service_removal=[False, True],
        min_age=["1h", "1ms"],
    )
    if random.random() < 0.7:
        args["force_drain"] = True
        args |= _some(random, pending=["migrate", "cancel", "kill", "abandon"])
    if random.random() < 0.2 and world.deployments:
        args["keep"] = [random.choice(world.deployments).id]
    return Task("cleanup", args)


def _resume(world: World, _folder: Path) -> Task:
    random = world.random
    args: dict[str, Any] = {"skip_blocked": random.random() < 0.7}
    args |= _some(random, deployment=["keep", "latest"])
    if world.invocations and random.random() < 0.5:
        args["invocation_ids"] = random.sample(
            world.invocations, random.randint(1, min(4, len(world.invocations)))
        )
    else:
        args["select"] = {"limit": 20, **_some(random, service_name=["OrderWorkflow", "PaymentWorkflow"])}
    return Task("resume", args)


def _recovery(world: World, folder: Path) -> Task:
    random = world.random
    args: dict[str, Any] = {"skip_blocked": random.random() < 0.7}
    args |= _some(random, kill_active=["never", "stuck", "any"], clear_orphaned_state=[True])
    if random.random() < 0.5:
        args["snapshot_dir"] = str(folder / "snapshots")
        args |= _some(random, resubmit=["original_input"])
    if random.random() < 0.5:
        keys = random.sample(range(1, 10), 3)
        service = random.choice(["OrderWorkflow", "OrderWorkflow", "PaymentWorkflow"])
        args["workflows"] = [{"service_name": service, "service_key": f"k{number}"} for number in keys]
    else:
        kinds = random.choice([["failed"], ["failed", "paused"], ["paused", "backing_off"]])
        args["select"] = {"limit": 20, "kinds": kinds}
    return Task("recover_workflow", args)


def _some(random: Random, **choices: list[Any]) -> dict[str, Any]:
    """Choose for about half of the options one of their values."""
    return {name: random.choice(values) for name, values in choices.items() if random.random() < 0.5}
