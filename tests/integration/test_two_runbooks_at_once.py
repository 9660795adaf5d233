# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release beside recover_failed: one is held at a call until the other one has ended. No run is lost or run twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.proxy import Proxy, after, before, proxy_of
from tests.integration.recovery_claims import pending_snapshots
from tests.integration.server import Server
from tests.integration.task_meeting import Meeting, Submissions, assert_no_bug
from tests.proof.playbook_results import playbook_results

Results = dict[str, dict[str, Any]]

_NOTHING: dict[str, Any] = {"changed": False, "results": [], "migrated": [], "removed": []}
_RELEASE_HELD = {
    "release-at-registration": ("POST", "^/deployments$"),
    "release-at-removal": ("DELETE", "^/deployments/"),
}
_RECOVERY_HELD = {
    "recovery-at-resume": ("PATCH", "/resume$"),
    "recovery-at-purge": ("POST", "/internal/invocations_batch_operations/purge$"),
    "recovery-at-submission": ("POST", "/run/send$"),
}


class Engine:
    """Runs that wait, are paused and have failed on release 1, which is repaired by then, and release 2 to register."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.old = server.release("release-1")
        self.waiting = [server.order(f"order-{number}", "wait") for number in range(2)]
        self.failed = [server.payment(f"failed-{number}") for number in range(2)]
        server.api.kill(self.failed)
        for run in self.failed:
            server.completed(run)
        self.paused = [server.payment(f"paused-{number}") for number in range(2)]
        server.serve("release-1", "release-2")
        self.new_url = server.serve("new", "release-2")

    def release(self, **connection: str) -> Results:
        """Release the new URL and remove what it supersedes."""
        more = {
            "restate_service_url": self.new_url,
            "restate_force_drain": True,
            "restate_migrate_paused": True,
            "restate_drain_timeout": 1,
        }
        return self._run("release", more, connection)

    def recover_failed(self, **connection: str) -> Results:
        """Let paused runs go on, and submit failed ones again."""
        more = {
            "restate_snapshot_dir": str(self.folder / "snapshots"),
            "restate_resubmit": "original_input",
            "restate_limit": 10,
        }
        return self._run("recover_failed", more, connection)

    def _run(self, name: str, more: dict[str, Any], connection: dict[str, str]) -> Results:
        folder = self.folder / name
        folder.mkdir()
        options = {**self.server.connection, **connection, "request_timeout": 60}
        variables = {f"restate_{key}": value for key, value in options.items()}
        _status, results = playbook_results(name, folder, {**variables, **more})
        return {module.rpartition("restate_")[2]: result for module, result in results.items()}


@pytest.mark.parametrize("hold", [before, after], ids=["before it", "after it"])
@pytest.mark.parametrize("name", [*_RELEASE_HELD, *_RECOVERY_HELD])
def test_a_release_beside_recover_failed_runs_nothing_twice(
    name: str, hold: Any, server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    engine = Engine(server, tmp_path)
    call = {**_RELEASE_HELD, **_RECOVERY_HELD}[name]
    is_release_held = name in _RELEASE_HELD
    held, other = engine.release, engine.recover_failed
    if not is_release_held:
        held, other = other, held
    with proxy_of(server.ingress_url) as ingress:
        meeting = Meeting(call, hold, lambda: other(ingress_url=ingress.url))
        proxy.always = meeting
        ingress.always = submissions = Submissions(meeting)

        first = held(admin_url=proxy.url, ingress_url=ingress.url)

    second = meeting.result()
    assert_no_bug(*first.values(), *second.values())
    results = {**first, **second}
    assert sorted(submissions.started) == ["failed-0", "failed-1"]
    _assert_truth(engine, results)


def _assert_truth(engine: Engine, results: Results) -> None:
    server = engine.server
    [new] = [
        each
        for each in server.deployment_ids()
        if server.deployment(each)["uri"].rstrip("/") == engine.new_url
    ]
    removed = results["cleanup"]["removed"]
    assert removed == ([] if engine.old.id in server.deployment_ids() else [engine.old.id])
    migrated = set(results["cleanup"]["migrated"])
    for run in engine.waiting:
        row = server.row(run) or {}
        assert row["status"] in ("running", "suspended")
        assert (row["pinned_deployment_id"] == new) is (run in migrated)
    for run in (*engine.failed, *engine.paused):
        assert server.completed(run)["completion_result"] == "success"
    resumed = {
        each["invocation_id"]
        for each in results.get("resume", _NOTHING)["results"]
        if each["outcome"] == "resumed"
    }
    # A paused run goes on once: it is resumed where it is, or moved.
    assert resumed | (migrated & set(engine.paused)) == set(engine.paused)
    assert resumed.isdisjoint(migrated)
    recovered = [
        each["service_key"]
        for each in results.get("recover_workflow", _NOTHING)["results"]
        if each["resubmitted"]
    ]
    assert sorted(recovered) == ["failed-0", "failed-1"]
    assert pending_snapshots(engine.folder / "snapshots") == set()
