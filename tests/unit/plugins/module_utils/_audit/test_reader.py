# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a log: which records are wanted, and the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog
from ansible_collections.dalp.restate.plugins.module_utils._audit.reader import LogRequest, read_log
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError

from tests.unit.audit_records import record, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def reasons(result: dict[str, Any]) -> list[str]:
    return [one["data"]["reason"] for one in result["records"]]


def at(path: Path, *times: str) -> None:
    """Write a log with a record of each time."""
    log = AuditLog(str(path))
    for time in times:
        log.append({**record(reason=time), "time": time})


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        (0, ["number 0", "number 1", "number 2"]),
        (2, ["number 1", "number 2"]),
        (9, ["number 0", "number 1", "number 2"]),
    ],
)
def test_a_limit_is_of_the_last_records(limit: int, wanted: list[str], path: Path) -> None:
    written(path, 3)
    result = read_log(LogRequest(path=str(path), limit=limit))
    assert (reasons(result), result["matching"]) == (wanted, 3)


def test_a_negative_limit_is_refused_before_anything_is_read(path: Path) -> None:
    with pytest.raises(OperatorError, match="limit") as refusal:
        read_log(LogRequest(path=str(path), limit=-3))
    assert refusal.value.code == "RESTATE_INVALID_ARGUMENT"


def test_since_is_a_time_from_which_on_and_until_one_before_which(path: Path) -> None:
    first, second, third = (f"2026-11-22T0{hour}:00:00.000Z" for hour in (1, 2, 3))
    at(path, first, second, third)
    assert reasons(read_log(LogRequest(path=str(path), since=second))) == [second, third]
    assert reasons(read_log(LogRequest(path=str(path), until=second))) == [first]
    assert reasons(read_log(LogRequest(path=str(path), since=second, until=third))) == [second]


@pytest.mark.parametrize(
    "wanted", [{"operation": "resume"}, {"actor": "bob"}, {"outcome": "failed"}], ids=str
)
def test_records_of_another_operation_actor_or_outcome_are_not_wanted(
    wanted: dict[str, Any], path: Path
) -> None:
    log = AuditLog(str(path))
    log.append(record(reason="other"))
    odd = record(reason="wanted")
    log.append({**odd, "data": {**odd["data"], **wanted}})
    assert reasons(read_log(LogRequest(path=str(path), **wanted))) == ["wanted"]


def test_a_log_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(OperatorError) as refusal:
        read_log(LogRequest(path=str(path)))
    assert refusal.value.code == "RESTATE_AUDIT_UNAVAILABLE"


@pytest.mark.parametrize("must_be_whole", [True, False])
def test_a_broken_chain_is_an_error_where_it_must_be_whole(must_be_whole: bool, path: Path) -> None:
    lines = written(path, 3)
    path.write_bytes(b"\n".join([lines[0], lines[2]]) + b"\n")
    result = read_log(LogRequest(path=str(path), fail_if_broken=must_be_whole))
    assert (result["verified"], "error" in result) == (False, must_be_whole)
    assert result["msg"] == (
        f"The chain of 2 records is broken: line 1 of {path} is not as it was written "
        "(edited_or_followed_by_removed_lines)."
    )


def test_the_verdict_counts_half_lines_and_attempts_without_an_outcome(path: Path) -> None:
    AuditLog(str(path)).append(record("attempted"))
    with path.open("ab") as file:
        file.write(b'{"half')
    assert read_log(LogRequest(path=str(path)))["msg"] == (
        "The chain of 1 record is whole; 1 half line left by a crash, 1 attempt without an outcome."
    )
