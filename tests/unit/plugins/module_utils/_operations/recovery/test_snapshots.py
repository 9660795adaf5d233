# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots are written whole or not at all, seen by their owner alone, and say what is still owed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import (
    CLOSED,
    OPEN,
    SUBMITTING,
    Snapshots,
)
from ansible_collections.dalp.restate.tests.unit.kept_snapshots import (
    BORN,
    CLUSTER,
    LATER,
    URL,
    content,
    path_of,
    snapshots,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_snapshot_is_seen_by_its_owner_alone_and_holds_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    previous = os.umask(0)
    try:
        kept = snapshots(folder)
        kept.write(content(), BORN, is_pending=False)
    finally:
        os.umask(previous)
    path = path_of(folder, "Flow", "k", BORN)
    assert names(folder) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {"format": 1, **CLUSTER.to_json(), **content()}


@pytest.mark.parametrize("fails", ["fsync", "rename", "content"])
def test_a_write_that_fails_leaves_nothing(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    whole = content()
    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif fails == "rename":
        monkeypatch.setattr(Path, "replace", full)
    else:
        whole["state"] = {"a": b"what is no JSON"}
    kept = snapshots(tmp_path)
    with pytest.raises((OSError, TypeError)):
        kept.write(whole, BORN, is_pending=True)
    assert names(tmp_path) == []


def test_a_write_that_fails_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = snapshots(tmp_path)
    kept.write(content(), BORN, is_pending=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        kept.write(content(state={}), BORN, is_pending=True)
    with pytest.raises(OSError, match="No space"):
        kept.close("Flow", "k", BORN, {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# Names

KEYS = [
    *("k", "K", "../../etc/passwd", "/etc/passwd", ".", "..", "a/b", "a_b", "a.b", "a b", "", "\u9375\n\x00"),
    *("k" * 4096, "k" * 4097),
]


def test_no_key_leaves_the_folder_and_all_differ(tmp_path: Path) -> None:
    folder = tmp_path / "below"
    kept = snapshots(folder)
    for key in KEYS:
        kept.write(content(key), BORN, is_pending=False)
    # Where capitals make no difference, too.
    assert len({name.lower() for name in names(folder)}) == len(KEYS)
    assert all(len(name) < 200 for name in names(folder))
    assert names(tmp_path) == ["below"]


def test_service_and_key_do_not_run_into_each_other(tmp_path: Path) -> None:
    assert path_of(tmp_path, "A", "B.C", BORN) != path_of(tmp_path, "A.B", "C", BORN)


def test_runs_of_a_key_differ(tmp_path: Path) -> None:
    assert path_of(tmp_path, "Flow", "k", BORN) != path_of(tmp_path, "Flow", "k", LATER)


# What is owed


def test_what_is_open_or_being_submitted_is_owed(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.write(content("open"), BORN, is_pending=True)
    kept.write(content("sent"), BORN, is_pending=True)
    kept.mark_submitting("Flow", "sent", BORN)
    kept.write(content("closed"), BORN, is_pending=False)
    owed = snapshots(tmp_path).pending()
    assert {key: entry.was_sent for (_service, key), entry in owed.items()} == {"open": False, "sent": True}
    entry = owed["Flow", "open"]
    assert (entry.run_id, entry.created_at, entry.input.payload) == ("inv_1", BORN, b"\x00\xff")
    assert entry.input.headers == {"content-type": "text/plain"}


def test_what_others_can_have_written_settles_nothing(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.write(content("k"), BORN, is_pending=True)
    planted = kept.write(content("k", resubmitted={}), BORN, is_pending=False)
    assert not snapshots(tmp_path).pending()
    planted.chmod(0o666)
    assert snapshots(tmp_path).pending().keys() == {("Flow", "k")}


def test_of_several_the_newest_is_owed(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.write(content(created_at=LATER), LATER, is_pending=True)
    kept.write(content(), BORN, is_pending=True)
    assert kept.pending()["Flow", "k"].created_at == LATER


def test_of_one_run_what_may_have_been_sent_is_owed(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.write(content(), BORN, is_pending=True)
    kept.mark_submitting("Flow", "k", BORN)
    kept.write(content(), BORN, is_pending=True)
    assert kept.pending()["Flow", "k"].was_sent


def _without(name: str) -> str:
    return json.dumps({key: value for key, value in {"admin_url": URL, **content()}.items() if key != name})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"service_name": "Flow"', id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param(_without("service_key"), id="no key"),
        pytest.param(_without("input"), id="no input"),
        pytest.param(_without("taken_at"), id="no time"),
        pytest.param(json.dumps({"admin_url": URL, **content(input=None)}), id="a null input"),
        pytest.param(
            json.dumps({"admin_url": URL, **content(input={"payload": "?", "headers": {}})}),
            id="a payload that is no base64",
        ),
        pytest.param(
            json.dumps({"admin_url": URL, **content(input={"payload": "", "headers": {"a": 1}})}),
            id="a header that is no text",
        ),
        pytest.param(json.dumps({"admin_url": URL, **content(taken_at="yesterday")}), id="no instant"),
    ],
)
@pytest.mark.parametrize("suffix", [OPEN, SUBMITTING])
def test_an_owed_one_that_cannot_be_read_is_refused_and_named(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"Flow.k{suffix}"
    path.write_text(text)
    with pytest.raises(OperatorError) as raised:
        snapshots(tmp_path).pending()
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert str(path) in raised.value.message


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "being sent"])
def test_one_that_another_task_renames_meanwhile_is_found_under_its_new_name(
    settled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = snapshots(tmp_path)
    kept.write(content(), BORN, is_pending=True)
    listed = list(tmp_path.glob("*.json"))
    monkeypatch.setattr(Path, "glob", lambda _folder, _pattern: iter(listed))
    if settled:
        kept.close("Flow", "k", BORN, {})
    else:
        kept.mark_submitting("Flow", "k", BORN)
    found = snapshots(tmp_path).pending()
    assert [each.was_sent for each in found.values()] == ([] if settled else [True])


def test_other_files_of_the_folder_are_not_looked_at(tmp_path: Path) -> None:
    for name in ("notes.txt", "broken.json", ".writing-x", f"x{CLOSED}"):
        (tmp_path / name).write_text("{")
    assert snapshots(tmp_path).pending() == {}


# What becomes of it


@pytest.mark.parametrize("sent", [False, True], ids=["open", "being submitted"])
def test_closing_renames_and_keeps_the_content(sent: bool, tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.write(content(), BORN, is_pending=True)
    if sent:
        kept.mark_submitting("Flow", "k", BORN)
    new = {"invocation_id": "inv_1", "created_at": LATER}
    kept.close("Flow", "k", BORN, new)
    path = path_of(tmp_path, "Flow", "k", BORN)
    assert names(tmp_path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"format": 1, **CLUSTER.to_json(), **content(), "resubmitted": new}
    assert kept.pending() == {}


def test_it_says_by_its_name_where_it_is(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    seen = [kept.write(content(), BORN, is_pending=True).name]
    for rename in (kept.mark_submitting, kept.mark_not_submitted, kept.cancel_resubmission):
        seen.append(rename("Flow", "k", BORN).name)
        assert names(tmp_path) == [seen[-1]]
    stem = path_of(tmp_path, "Flow", "k", BORN, "").name
    assert seen == [f"{stem}{suffix}" for suffix in (OPEN, SUBMITTING, OPEN, CLOSED)]


def test_there_may_be_nothing_to_rename(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.mark_submitting("Flow", "k", BORN)
    kept.mark_not_submitted("Flow", "k", BORN)
    kept.cancel_resubmission("Flow", "k", BORN)
    kept.close("Flow", "k", BORN, {})
    assert names(tmp_path) == []


# The folder


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_touched(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError) as raised:
        Snapshots(str(tmp_path / place), cluster=CLUSTER).check_usable()
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "snapshot_dir" in raised.value.message


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(OperatorError) as raised:
        Snapshots(str(tmp_path), cluster=CLUSTER).check_usable()
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"


def test_looking_makes_no_folder_and_its_absence_is_no_error(tmp_path: Path) -> None:
    kept = Snapshots(str(tmp_path / "a" / "b"), cluster=CLUSTER)
    kept.check_usable()
    assert kept.pending() == {}
    assert names(tmp_path) == []
