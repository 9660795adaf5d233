# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which folders vanish with a job of AWX."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery import snapshots, vanishing


def test_outside_a_job_nothing_vanishes(tmp_path: Path) -> None:
    assert not vanishing.vanishes(tmp_path / "snapshots", {}, tmp_path / "runner")


def test_the_folder_of_the_job_vanishes_with_it(tmp_path: Path) -> None:
    job = {"AWX_PRIVATE_DATA_DIR": str(tmp_path / "awx_7_x")}
    assert vanishing.vanishes(tmp_path / "awx_7_x" / "project" / "snapshots", job, tmp_path / "runner")
    assert not vanishing.vanishes(tmp_path / "elsewhere" / "snapshots", job, tmp_path / "runner")


def test_a_link_into_the_folder_of_the_job_vanishes_with_it(tmp_path: Path) -> None:
    (tmp_path / "awx_7_x").mkdir()
    (tmp_path / "kept").symlink_to(tmp_path / "awx_7_x")
    assert vanishing.vanishes(
        tmp_path / "kept" / "snapshots",
        {"AWX_PRIVATE_DATA_DIR": str(tmp_path / "awx_7_x")},
        tmp_path / "runner",
    )


def test_in_an_execution_environment_only_a_volume_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, volume = tmp_path / "runner", tmp_path / "volume"
    (runner / "project").mkdir(parents=True)
    devices = {volume: 2}
    monkeypatch.setattr(vanishing, "_device", lambda path: devices.get(path.parent, 1))
    assert vanishing.vanishes(Path("/var/lib/snapshots"), {}, runner)
    assert vanishing.vanishes(runner / "project" / "snapshots", {}, runner)
    assert not vanishing.vanishes(volume / "snapshots", {}, runner)


def test_a_folder_that_vanishes_is_refused_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "vanishes", lambda folder: True)
    with pytest.raises(OperatorError) as raised:
        snapshots.Snapshots(str(tmp_path / "kept"), cluster=None).check_usable()  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.reason) == ("RESTATE_INVALID_ARGUMENT", "snapshot_dir_vanishes")
    assert not (tmp_path / "kept").exists()
