# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the chain of a log tells of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._audit import chain as _audit_chain
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog, line_hash
from ansible_collections.dalp.restate.plugins.modules import restate_audit_info

from tests.unit.audit_records import record, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def _edit(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"number 2", b"number 9"), *lines[3:]]


def _remove(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _garble(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"not a record", *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "line", "reason"),
    [
        pytest.param(_edit, 3, "edited_or_followed_by_removed_lines", id="edited"),
        pytest.param(_remove, 2, "edited_or_followed_by_removed_lines", id="removed"),
        pytest.param(_swap, 2, "reordered", id="reordered"),
        pytest.param(_garble, 3, "not_a_record", id="replaced"),
    ],
)
def test_the_first_line_that_is_not_as_it_was_written_is_named(
    path: Path, tamper: Callable[[list[bytes]], list[bytes]], line: int, reason: str
) -> None:
    path.write_bytes(b"\n".join(tamper(written(path))) + b"\n")
    assert _audit_chain.read(str(path)).broken == {"file": str(path), "line": line, "reason": reason}


def test_a_log_whose_rotated_files_are_gone_says_what_it_follows(path: Path) -> None:
    lines = written(path, 2)
    path.rename(path.with_name("audit.jsonl.1"))
    written(path, 1)
    path.with_name("audit.jsonl.1").unlink()
    chain = _audit_chain.read(str(path))
    assert (chain.broken, chain.follows) == (None, line_hash(lines[-1]))


def test_an_attempt_without_an_outcome_is_found(path: Path) -> None:
    log = AuditLog(str(path))
    ended, killed = (record("attempted")["data"]["attempt"] for _each in range(2))
    for number, one in ((ended, "attempted"), (ended, "succeeded"), (killed, "attempted")):
        made = record(one)
        made["data"]["attempt"] = number
        log.append(made)
    found = _audit_chain.without_outcome(_audit_chain.read(str(path)).records)
    assert [one["data"]["attempt"] for one in found] == [killed]


def test_the_reasons_that_are_documented_are_those_that_are_given() -> None:
    given = set(re.findall(r'"reason": "(\w+)"', inspect.getsource(_audit_chain)))
    told = yaml.safe_load(restate_audit_info.RETURN)["broken"]["description"]
    for text in (_audit_chain.Chain.__doc__, str(told)):
        assert set(re.findall(r"V\((\w+)\)", text or "")) == given
