# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a page goes, and what is refused before anything is done."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.plugin_utils.report.files import (
    check_report_path,
    report_path,
    write_page,
)
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_run import page_of_run

from tests.unit.runs import release

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
HOSTS = ["eu-1", "us-1"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.setenv("REPORTS", "/srv/reports")


@pytest.mark.parametrize(("given", "hosts", "path"), [
    ("", ["eu-1"], None),
    (None, ["eu-1"], None),
    ("report.html", ["eu-1"], "{here}/report"),
    ("report.md", ["eu-1"], "{here}/report"),
    ("release-2.3", ["eu-1"], "{here}/release-2.3"),
    ("sub/report.html", HOSTS, "{here}/sub/report-eu-1"),
    ("report-eu-1.html", HOSTS, "{here}/report-eu-1"),
    ("~/report.html", ["eu-1"], "/home/ops/report"),
    ("$REPORTS/report.html", ["eu-1"], "/srv/reports/report"),
])  # fmt: skip
def test_a_path_is_one_from_where_ansible_was_called_and_several_hosts_have_a_file_each(
    given: str | None, hosts: list[str], path: str | None, tmp_path: Path
) -> None:
    expected = path and Path(path.format(here=tmp_path))
    assert report_path(given, "eu-1", hosts) == expected


def test_the_name_of_a_host_leads_nowhere_else(tmp_path: Path) -> None:
    path = report_path("report.html", "../../etc/cron.d/x", HOSTS)
    assert path == tmp_path / "report-.._.._etc_cron.d_x"


def test_a_new_page_is_its_owners_alone_and_what_others_may_read_they_still_may(tmp_path: Path) -> None:
    page = page_of_run(release())
    old_mask = os.umask(0)
    try:
        files, changed = write_page(page, tmp_path / "new" / "report")
    finally:
        os.umask(old_mask)
    assert changed
    assert [file.name for file in files] == ["report.html", "report.md"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    files[0].chmod(0o644)
    assert not write_page(page, tmp_path / "new" / "report")[1]
    assert write_page(page_of_run(release(check=True)), tmp_path / "new" / "report")[1]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o644


@pytest.mark.parametrize(("given", "said"), [
    ("folder/", "is a folder"),
    (".", "is a folder"),
    ("file/report.html", "/file cannot be written to"),
    ("taken.html", "/taken.md cannot be written to"),
    (["a", "b"], "must be the path of a file or folder"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused_before_anything_is_done(
    given: object, said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken.md").mkdir()
    with pytest.raises(OperatorError, match=said) as refused:
        check_report_path(given, "eu-1", ["eu-1"])
    assert refused.value.code == "RESTATE_INVALID_ARGUMENT"
    assert "Nothing was touched." in refused.value.message


def test_what_can_be_written_is_not_refused_and_nothing_is_made_yet(tmp_path: Path) -> None:
    check_report_path("not/there/yet/report.html", "eu-1", HOSTS)
    check_report_path("", "eu-1", HOSTS)
    assert list(tmp_path.iterdir()) == []


def plant(kind: str, name: str, elsewhere: Path) -> None:
    """Put something that leads elsewhere at the name of a page's file."""
    elsewhere.write_text("precious")
    if kind == "symlink":
        Path(name).symlink_to(elsewhere)
    elif kind == "dangling":
        Path(name).symlink_to(elsewhere.with_name("nowhere"))
    elif kind == "hard link":
        Path(name).hardlink_to(elsewhere)
    else:
        os.mkfifo(name)


@pytest.mark.parametrize("name", ["report.html", "report.md"])
@pytest.mark.parametrize(("kind", "reason"), [
    ("symlink", "is a link"),
    ("dangling", "is a link"),
    ("hard link", "has other names"),
    ("fifo", "cannot be written to"),
])  # fmt: skip
def test_what_leads_elsewhere_is_refused_and_nothing_is_written(
    kind: str, reason: str, name: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    plant(kind, name, elsewhere)
    with pytest.raises(OperatorError, match=f"{name} {reason}"):
        check_report_path("report.html", "eu-1", ["eu-1"])
    with pytest.raises(OSError, match=f"{name} {reason}"):
        write_page(page_of_run(release()), tmp_path / "report")
    assert elsewhere.read_text() == "precious"
    assert {file.name for file in tmp_path.iterdir()} == {name, "elsewhere"}


def test_a_link_at_the_page_of_one_of_several_hosts_is_refused_before_anything_is_done(
    tmp_path: Path,
) -> None:
    plant("symlink", "report-eu-1.html", tmp_path / "elsewhere")
    with pytest.raises(OperatorError, match="is a link"):
        check_report_path("report.html", "eu-1", HOSTS)


@AS_ROOT
def test_a_folder_behind_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    write_page(page_of_run(release()), tmp_path / "folder" / "report")
    assert (tmp_path / "real" / "report.html").exists()
    os.chown(tmp_path / "folder", 12345, 12345, follow_symlinks=False)
    with pytest.raises(OperatorError, match="folder is a link of another user"):
        check_report_path("folder/sub/report.html", "eu-1", HOSTS)
    with pytest.raises(OSError, match="folder is a link of another user"):
        write_page(page_of_run(release()), tmp_path / "folder" / "report")


def test_a_link_that_is_planted_while_the_page_is_written_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, replace = tmp_path / "elsewhere", os.replace

    def plant_first(name: str, file: Path) -> None:
        plant("symlink", str(file), elsewhere)
        replace(name, file)

    monkeypatch.setattr(os, "replace", plant_first)
    [html, _markdown], _changed = write_page(page_of_run(release()), tmp_path / "report")
    assert not html.is_symlink()
    assert elsewhere.read_text() == "precious"


def test_a_page_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_page(page_of_run(release()), tmp_path / "report")
    before = (tmp_path / "report.html").read_bytes()

    def full(_handle: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_page(page_of_run(release(check=True)), tmp_path / "report")
    assert (tmp_path / "report.html").read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"report.html", "report.md"}


@AS_ROOT
def test_what_another_user_has_put_there_decides_on_no_permission(tmp_path: Path) -> None:
    planted = tmp_path / "report.html"
    planted.write_text("")
    planted.chmod(0o666)
    os.chown(planted, 12345, 12345)
    write_page(page_of_run(release()), tmp_path / "report")
    assert (planted.stat().st_uid, stat.S_IMODE(planted.stat().st_mode)) == (os.geteuid(), 0o600)
