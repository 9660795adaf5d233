# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot that another user can have planted is refused, and common folders and volumes are not."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery import trust
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import (
    OPEN,
    SUBMITTING,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.trust import (
    distrust_of_file,
    distrust_of_folder,
)
from ansible_collections.dalp.restate.tests.unit.kept_snapshots import BORN, content, path_of, snapshots

STRANGER = 54321


def planted(folder: Path, suffix: str = OPEN) -> Path:
    """Write a snapshot as if it were ours."""
    kept = snapshots(folder)
    path = kept.write(content(), BORN, is_pending=True)
    return path.rename(path_of(folder, "Flow", "k", BORN, suffix))


def link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def link_hard(path: Path) -> None:
    os.link(path, path.with_suffix(".other"))


@pytest.mark.parametrize("suffix", [OPEN, SUBMITTING])
@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(link, id="a link"),
        pytest.param(link_hard, id="two names"),
        pytest.param(lambda path: path.chmod(0o640), id="its group reads"),
        pytest.param(lambda path: path.chmod(0o602), id="others write"),
    ],
)
def test_a_snapshot_that_may_be_forged_is_refused(
    forge: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    path = planted(tmp_path, suffix)
    assert list(snapshots(tmp_path).pending()) == [("Flow", "k")]
    forge(path)
    with pytest.raises(OperatorError) as raised:
        snapshots(tmp_path).pending()
    assert (raised.value.code, raised.value.reason) == ("RESTATE_INVALID_ARGUMENT", "snapshot_not_trusted")
    assert str(path) in raised.value.message


def test_a_snapshot_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = planted(tmp_path).stat()
    assert distrust_of_file(status) == ""
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    assert "another user" in distrust_of_file(status)


def test_a_snapshot_that_is_settled_is_not_looked_at(tmp_path: Path) -> None:
    path = snapshots(tmp_path).write(content(), BORN, is_pending=False)
    path.chmod(0o644)
    assert snapshots(tmp_path).pending() == {}


@pytest.mark.parametrize(
    ("mode", "why"),
    [(0o700, ""), (0o755, ""), (0o2775, ""), (0o777, "everyone"), (0o1777, "everyone")],
)
def test_a_folder_that_everyone_can_write_to_is_refused(mode: int, why: str, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    folder.chmod(mode)
    assert why in distrust_of_folder(folder)
    assert bool(why) is bool(distrust_of_folder(folder))
    if why:
        with pytest.raises(OperatorError) as raised:
            snapshots(folder).check_usable()
        assert raised.value.reason == "snapshot_dir_not_trusted"


def test_a_folder_of_a_group_that_this_user_is_not_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    folder.chmod(0o2775)
    monkeypatch.setattr(os, "getegid", lambda: STRANGER)
    monkeypatch.setattr(os, "getgroups", lambda: [STRANGER + 1])
    assert "a group" in distrust_of_folder(folder)


def test_a_folder_of_another_user_is_refused_and_that_of_root_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    monkeypatch.setattr(trust, "_ROOT", owner)
    assert distrust_of_folder(tmp_path) == ""
    monkeypatch.setattr(trust, "_ROOT", STRANGER)
    assert "another user" in distrust_of_folder(tmp_path)
    # Whoever owns a folder above it can put another one in its place.
    assert "another user" in distrust_of_folder(tmp_path / "missing" / "below")


def test_a_folder_below_one_that_everyone_can_write_to_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)
    assert "everyone" in distrust_of_folder(parent / "kept")
    # In a sticky one nobody can rename it, and it is ours.
    parent.chmod(0o1777)
    assert distrust_of_folder(parent / "kept") == ""


def test_a_link_to_a_folder_is_judged_by_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, name = tmp_path / "kept", tmp_path / "name"
    folder.mkdir(mode=0o700)
    name.symlink_to(folder)
    assert distrust_of_folder(name) == ""
    folder.chmod(0o777)
    assert "everyone" in distrust_of_folder(name)


def test_a_volume_in_an_execution_environment_may_have_any_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "is_execution_environment", lambda: True)
    tmp_path.chmod(0o2777)
    assert distrust_of_folder(tmp_path) == ""
    # Its files may not.
    planted(tmp_path).chmod(0o666)
    with pytest.raises(OperatorError):
        snapshots(tmp_path).pending()


def test_missing_parents_are_made_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        snapshots(tmp_path / "a" / "b").make_folder()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o700] * 2


def test_the_folder_is_synced_when_a_name_in_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    kept = snapshots(tmp_path)
    path = kept.write(content(), BORN, is_pending=True)
    assert synced == [False, True]
    kept.mark_submitting("Flow", "k", BORN)
    assert synced == [False, True, True]
    assert json.loads(kept.close("Flow", "k", BORN, {}).read_bytes())["resubmitted"] == {}
    assert synced.count(True) >= 3
    assert not path.exists()
