# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that a task left open are found by the tasks that follow, and by no task on another Restate."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import Journal
from ansible_collections.dalp.restate.plugins.module_utils._operations.open_actions import (
    OpenAction,
    OpenActions,
    open_actions_of,
)

URL = "http://n1:9070"
NOW = datetime.datetime(2026, 12, 1, 3, 0, tzinfo=datetime.UTC)
PURGE = OpenAction("purge", "inv_1", NOW)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user."""
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "dalp.restate"


def in_doubt(urls: list[str], seconds_later: float, *folders: str) -> dict[str, datetime.datetime]:
    now = NOW + datetime.timedelta(seconds=seconds_later)
    return OpenActions(urls, *folders).in_doubt(grace=120, now=now)


def test_a_write_is_in_doubt_until_its_grace_has_passed() -> None:
    OpenActions([URL]).keep([PURGE])
    assert in_doubt([URL], 119) == {"inv_1": NOW + datetime.timedelta(seconds=120)}
    assert in_doubt([URL], 120) == {}


def test_any_url_of_a_cluster_finds_it_and_another_cluster_does_not() -> None:
    OpenActions([URL, "http://n2:9070"]).keep([PURGE])
    assert in_doubt(["http://n2:9070"], 1)
    assert not in_doubt(["http://other:9070"], 1)


def test_the_folder_of_the_operator_is_used_first(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "snapshots"
    OpenActions([URL], str(folder)).keep([PURGE])
    assert not home.exists()
    assert in_doubt([URL], 1, str(folder))
    assert not in_doubt([URL], 1)


def test_the_latest_write_decides() -> None:
    OpenActions([URL]).keep([PURGE])
    later = PURGE._replace(sent_at=NOW + datetime.timedelta(seconds=60))
    OpenActions([URL]).keep([later])
    assert in_doubt([URL], 121) == {"inv_1": NOW + datetime.timedelta(seconds=180)}


def test_a_settled_pause_is_forgotten_and_the_rest_stays() -> None:
    pauses = [OpenAction("pause", each, NOW) for each in ("inv_1", "inv_2")]
    OpenActions([URL]).keep([*pauses, PURGE])
    OpenActions([URL]).settle("pause", ["inv_1"])
    assert OpenActions([URL]).paused() == {"inv_2"}
    assert in_doubt([URL], 1)


def test_a_pause_is_no_write_in_doubt() -> None:
    OpenActions([URL]).keep([OpenAction("pause", "inv_1", NOW)])
    assert not in_doubt([URL], 1)


def test_nobody_elses_file_counts(home: Path) -> None:
    OpenActions([URL]).keep([OpenAction("pause", "inv_1", NOW)])
    (path,) = home.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o660)
    assert not OpenActions([URL]).paused()
    path.chmod(0o600)
    os.link(path, home / "other")
    assert not OpenActions([URL]).paused()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 1}', b"\xff", b'{"format":1,"admin_urls":0}'])
def test_a_file_that_cannot_be_read_is_passed_over(home: Path, content: bytes) -> None:
    home.mkdir(parents=True)
    path = home / "x.open-actions.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert not in_doubt([URL], 1)


def test_old_files_are_removed(home: Path) -> None:
    OpenActions([URL]).keep([PURGE])
    (old,) = home.iterdir()
    os.utime(old, (0, 0))
    OpenActions([URL]).keep([PURGE])
    assert old not in set(home.iterdir())


def test_a_journal_leaves_open_what_is_unknown_and_what_is_paused_still() -> None:
    journal = Journal()
    journal.sending("purge", ["inv_1", "inv_2"])
    journal.done("purge", ["inv_2"])
    journal.sending("cancel", ["inv_3"])
    journal.sending("pause", ["inv_4", "inv_5"])
    journal.done("pause", ["inv_4"])
    journal.not_done("pause", ["inv_5"], "resumed")
    left = open_actions_of(journal)
    assert {(each.action, each.subject) for each in left} == {("purge", "inv_1"), ("pause", "inv_4")}
    assert all(_timestamps.now() - each.sent_at < datetime.timedelta(minutes=1) for each in left)


class _Known:
    """A server by one of its URLs, with what it lists."""

    def __init__(self, url: str, *deployments: str) -> None:
        self.node_urls = [url]
        self.known_deployments: list[str] = []
        self._listed = list(deployments)

    def list_deployments(self) -> None:
        self.known_deployments = self._listed


def test_actions_are_known_by_any_url_of_a_server_with_one_of_its_deployments() -> None:
    first = _Known("http://proxy:9070", "dp_1", "dp_2")
    first.list_deployments()
    with OpenActions.of(first).noted([PURGE], lambda _each: True):
        pass
    other = "http://n2:9070"
    OpenActions.of(_Known(other, "dp_2")).send_again([PURGE.subject])
    for each in (_Known(other, "dp_2", "dp_3"), _Known("http://proxy:9070")):
        assert [action.subject for action in OpenActions.of(each).writes()] == [PURGE.subject]
    assert not OpenActions.of(_Known("http://staging:9070", "dp_9")).writes()
