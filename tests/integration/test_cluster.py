# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of three nodes: tasks work through each of them, and what they say is true when one of them dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from restate_sandbox import Sandbox

from tests.integration.cleanup_claims import wrong_of_cleanup, wrong_of_moved
from tests.integration.cluster import Cluster
from tests.integration.cluster_work import (
    failed_payments,
    known_as_latest,
    paused_payments,
    suspended_orders,
    wait_for_truth,
)
from tests.integration.kills import Kill, Moment, killing
from tests.integration.recovery_claims import pending_snapshots, wrong_of_recovery
from tests.integration.services import Services
from tests.integration.superseded_deployments import FORCED
from tests.integration.three_runs import run_three_times

BATCH_PURGE = Moment("POST", "/internal/invocations_batch_operations/purge$")
KEYS = 100


@pytest.fixture(scope="module")
def started(services: Services, python: str) -> Iterator[Cluster]:
    with Sandbox(nodes=3) as sandbox:
        cluster = Cluster(sandbox, services, python)
        yield cluster
        cluster.close()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """Three nodes that run and hold nothing."""
    started.reset()
    return started


# Through each node


def test_what_is_registered_through_one_node_is_healthy_at_all(cluster: Cluster) -> None:
    url = cluster.services.put("release-1", "release-1")

    registered = run_three_times(
        cluster.nodes["n2"], "redeploy", unknown=("deployment_id",), service_url=url
    ).real

    assert not registered["failed"], registered["msg"]
    for server in cluster.nodes.values():
        doctor = server.task("doctor")
        assert doctor["healthy"], doctor["findings"]
        assert [each["id"] for each in doctor["deployments"]["items"]] == [registered["deployment_id"]]


def test_what_failed_is_recovered_and_a_drained_deployment_removed_through_other_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    keys = failed_payments(cluster, 5)
    before = cluster.truth()

    recovered = cluster.nodes["n3"].task("recover_workflow", **resubmitting(keys, tmp_path))

    assert not recovered["failed"], recovered["msg"]
    after = wait_for_truth(cluster, "succeeded", all_succeeded)
    assert wrong_of_recovery(recovered, before, after, tmp_path) == []
    assert recovered["summary"]["recovered"] == 5
    old = next(iter(after.deployments))
    new = cluster.release("release-2")
    known_as_latest(cluster, new)
    cleaned = run_three_times(cluster.nodes["n2"], "cleanup", service_url=new.url, remove="superseded").real
    assert cleaned["removed"] == [old]
    assert cluster.truth().deployments == {new.id}


def test_what_paused_goes_on_through_another_node(cluster: Cluster) -> None:
    paused_payments(cluster, 3)
    cluster.services.put("release-1", "release-2")

    resumed = cluster.nodes["n3"].task("resume", select={"limit": 9, "kinds": ["paused"]})

    assert not resumed["failed"], resumed["msg"]
    assert resumed["summary"]["resumed"] == 3
    wait_for_truth(cluster, "succeeded", all_succeeded)


# A node dies


def test_no_key_is_lost_or_misreported_when_the_leader_dies_in_the_purge(
    cluster: Cluster, tmp_path: Path
) -> None:
    keys = failed_payments(cluster, KEYS)
    before = cluster.truth()
    kill = whom(cluster, "leader", BATCH_PURGE)

    with killing(cluster, kill) as proxy:
        first = cluster.nodes[kill.used].task(
            "recover_workflow", **resubmitting(keys, tmp_path), admin_url=proxy.url
        )
        assert proxy.is_used_up

    then = cluster.truth()
    assert wrong_of_recovery(first, before, then, tmp_path) == []
    again = elsewhere(cluster, kill).task(
        "recover_workflow", **resubmitting(keys, tmp_path), skip_blocked=True
    )
    assert not again["failed"], again["msg"]
    after = wait_for_truth(cluster, "succeeded", all_succeeded)
    assert {seen.key for seen in after.invocations.values()} == {each["service_key"] for each in keys}
    for run, seen in then.invocations.items():
        was_submitted = seen.created_at != before.invocations[run].created_at
        assert (after.invocations[run].created_at == seen.created_at) is was_submitted
    assert pending_snapshots(tmp_path) == set()


def test_nothing_that_is_said_to_be_left_is_gone_when_the_admins_node_dies_in_a_migration(
    cluster: Cluster,
) -> None:
    old, new = suspended_orders(cluster, 10)
    known_as_latest(cluster, new)
    before = cluster.truth()
    kill = whom(cluster, "admin", Moment("PATCH", "/resume$", number=4))
    args: dict[str, Any] = {**FORCED, "service_url": new.url}

    with killing(cluster, kill) as proxy:
        first = cluster.nodes[kill.used].task("cleanup", **args, admin_url=proxy.url)
        assert proxy.is_used_up

    assert wrong_of_cleanup(first, before, cluster.truth()) == []
    again = elsewhere(cluster, kill).task("cleanup", **args)
    assert not again["failed"], again["msg"]
    after = cluster.truth()
    assert after.deployments == {new.id}
    assert old.id not in {seen.deployment for seen in after.invocations.values()}
    assert [each for run in before.invocations for each in wrong_of_moved(run, before, after)] == []


def resubmitting(keys: list[dict[str, str]], folder: Path) -> dict[str, Any]:
    return {"workflows": keys, "snapshot_dir": str(folder), "resubmit": "original_input"}


def all_succeeded(truth: Any) -> bool:
    return all(seen.result == "success" for seen in truth.invocations.values())


def whom(cluster: Cluster, victim: str, moment: Moment) -> Kill:
    """The task uses a node that is not the leader of most partitions."""
    leader = cluster.leader()
    used = cluster.others(leader)[0]
    return Kill(used, used if victim == "admin" else leader, moment)


def elsewhere(cluster: Cluster, kill: Kill) -> Any:
    """A node that runs, and that the task did not use."""
    return cluster.nodes[cluster.others(kill.used)[0]]
