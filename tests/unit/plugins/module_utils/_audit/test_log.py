# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit log: what is appended, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit import chain as _audit_chain
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog, line_hash
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError

from tests.unit.audit_records import record, written

WRITER = """
import sys
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog
from tests.unit.audit_records import record
log = AuditLog(sys.argv[1])
for number in range(50):
    log.append(record(reason=f"{sys.argv[2]}-{number} " + "x" * 3000))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_a_log_is_made_for_its_owner_alone(path: Path) -> None:
    written(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_line_has_the_hash_of_the_line_before_it(path: Path) -> None:
    lines = written(path, 3)
    hashes = [json.loads(line)["previoushash"] for line in lines]
    assert hashes == ["", line_hash(lines[0]), line_hash(lines[1])]


def test_append_returns_the_hash_of_its_own_line(path: Path) -> None:
    own = AuditLog(str(path)).append(record())
    assert own == line_hash(path.read_bytes())


def test_a_record_longer_than_what_is_read_at_once_is_found_again(path: Path) -> None:
    log = AuditLog(str(path))
    log.append(record(reason="y" * 300_000))
    log.append(record())
    assert _audit_chain.read(str(path)).broken is None


def _symlink(path: Path) -> None:
    (path.parent / "elsewhere").touch(mode=0o600)
    path.symlink_to(path.parent / "elsewhere")


def _open_to_others(path: Path) -> None:
    path.touch()
    path.chmod(0o640)


def _something_else(path: Path) -> None:
    path.write_text("root:x:0:0\n")
    path.chmod(0o600)


def _somebody_elses(path: Path) -> None:
    path.touch(mode=0o600)
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_symlink, id="a symbolic link"),
        pytest.param(_open_to_others, id="open to others"),
        pytest.param(_something_else, id="something else"),
        pytest.param(
            _somebody_elses,
            id="somebody else's",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away"),
        ),
        pytest.param(Path.mkdir, id="a folder"),
    ],
)
def test_what_is_no_log_of_ours_is_refused_and_left_as_it_is(path: Path, make: Callable[[Path], Any]) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(OperatorError) as refusal:
        AuditLog(str(path))
    assert refusal.value.code == "RESTATE_AUDIT_UNAVAILABLE"
    assert before == (path.read_bytes() if path.is_file() else None)


def test_a_log_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        AuditLog(str(tmp_path / "nowhere" / "audit.jsonl"))


def test_eight_writers_at_once_lose_and_interleave_nothing(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(each)], env=environment)
        for each in range(8)
    ]
    assert [writer.wait() for writer in writers] == [0] * 8
    chain = _audit_chain.read(str(path))
    assert chain.broken is None
    reasons = [one["data"]["reason"].split()[0] for one in chain.records]
    assert sorted(reasons) == sorted(f"{writer}-{number}" for writer in range(8) for number in range(50))


def test_a_half_line_that_a_crash_left_is_kept_and_the_log_goes_on(path: Path) -> None:
    lines = written(path, 2)
    path.write_bytes(lines[0] + b"\n" + lines[1][:40])
    AuditLog(str(path)).append(record(reason="after"))
    chain = _audit_chain.read(str(path))
    assert chain.broken is None
    assert chain.torn == [{"file": str(path), "line": 2}]
    assert chain.records[-1]["data"]["reason"] == "after"
    assert path.read_bytes().splitlines()[1] == lines[1][:40]


@pytest.mark.parametrize("name", [
    "audit.jsonl.1", "audit.jsonl-20261122", "audit.jsonl-2026-11-22", "audit.jsonl-20261122T0300Z",
    "audit.jsonl-2026-11-22_03:00:00", "audit.jsonl.1764558000",
])  # fmt: skip
def test_rotation_keeps_the_chain(path: Path, name: str) -> None:
    written(path, 3)
    path.rename(path.with_name(name))
    written(path, 2)
    chain = _audit_chain.read(str(path))
    assert (len(chain.records), chain.broken) == (5, None)
    rotated = path.with_name(name)
    rotated.write_bytes(b"\n".join(rotated.read_bytes().splitlines()[:-1]) + b"\n")
    assert _audit_chain.read(str(path)).broken is not None


@pytest.mark.parametrize("name", [
    "audit.jsonl.bak", "audit.jsonl.old", "audit.jsonl.1.bak", "audit.jsonl-copy", "audit.jsonl.orig", "audit.jsonl.1~",
    "audit.jsonl.20261122.bak", "audit.jsonl-2026-11-22-before-repair",
])  # fmt: skip
def test_a_copy_beside_a_log_is_none_of_its_files(path: Path, name: str) -> None:
    copy = path.with_name(name)
    copy.write_bytes(b"\n".join(written(path, 3)) + b"\n")
    assert _audit_chain.read(str(path)).broken is None
    path.rename(path.with_name("audit.jsonl.1"))
    copy.write_bytes(copy.read_bytes() * 2)
    written(path, 1)
    chain = _audit_chain.read(str(path))
    assert (len(chain.records), chain.broken) == (4, None)


def test_a_writer_that_waited_for_the_lock_goes_on_in_the_new_file_after_a_rotation(path: Path) -> None:
    log = AuditLog(str(path))
    log.append(record())
    path.rename(path.with_name("audit.jsonl.1"))
    log.append(record())
    assert len(path.read_bytes().splitlines()) == 1
