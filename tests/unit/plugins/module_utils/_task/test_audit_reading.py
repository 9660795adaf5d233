# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An audit log is read by outcome, actor and time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog, line_hash
from ansible_collections.dalp.restate.tests.unit.audited_task import (
    Restate,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve

from tests.unit.audit_records import record

# Reading it


def test_a_line_without_what_readers_need_is_no_record(log: Path, run: Any) -> None:
    own = AuditLog(str(log))
    for _each in range(3):
        own.append(record())
    lines = log.read_bytes().splitlines()
    lines[1] = json.dumps({"type": "dalp.restate.cleanup.failed", "data": 1}).encode()
    log.write_bytes(b"\n".join(lines) + b"\n")
    _text, result = run("restate_audit_info", path=str(log))
    assert result["broken"] == {"file": str(log), "line": 2, "reason": "not_a_record"}


def test_a_log_is_read_by_outcome_actor_and_time(redeploy: Any, serve: Serve, log: Path, run: Any) -> None:
    for actor in ("ada", "bob"):
        redeploy(Restate(serve), audit_log=log, actor=actor)
    _text, result = run("restate_audit_info", path=str(log), actor="bob", outcome="succeeded")
    assert [one["data"]["actor"] for one in result["records"]] == ["bob"]
    assert (result["verified"], result["lines"], result["matching"]) == (True, 4, 1)
    assert result["last_hash"] == line_hash(log.read_bytes().splitlines()[-1])
    _text, none = run("restate_audit_info", path=str(log), until="2020-01-01T00:00:00+01:00")
    assert (none["records"], none["lines"]) == ([], 4)
    _text, last = run("restate_audit_info", path=str(log), limit=1)
    assert (len(last["records"]), last["matching"]) == (1, 4)


@pytest.mark.parametrize("when", ["yesterday", "2026-11-22T03:00:00"])
def test_a_time_without_a_zone_is_refused(when: str, log: Path, run: Any) -> None:
    log.touch()
    _text, result = run("restate_audit_info", path=str(log), since=when)
    assert (result["failed"], result["error"]["code"]) == (True, "RESTATE_INVALID_ARGUMENT")


@pytest.mark.parametrize("limit", [-1, -3])
def test_a_negative_limit_is_refused_rather_than_dropping_the_oldest(limit: int, log: Path, run: Any) -> None:
    own = AuditLog(str(log))
    for _each in range(4):
        own.append(record())
    _text, result = run("restate_audit_info", path=str(log), limit=limit)
    assert (result["failed"], result["error"]["code"]) == (True, "RESTATE_INVALID_ARGUMENT")
    assert "limit" in result["msg"]
    assert "records" not in result


def test_an_age_is_a_time_too(log: Path, run: Any) -> None:
    AuditLog(str(log)).append(record())
    _text, result = run("restate_audit_info", path=str(log), since="2h")
    assert result["matching"] == 1
    _text, result = run("restate_audit_info", path=str(log), until="2h")
    assert result["matching"] == 0


def test_a_broken_chain_fails_the_task_where_it_is_asked_to(
    redeploy: Any, serve: Serve, log: Path, run: Any
) -> None:
    redeploy(Restate(serve), audit_log=log)
    log.write_bytes(log.read_bytes().replace(b'"changed":false', b'"changed":true', 1))
    _text, told = run("restate_audit_info", path=str(log))
    assert (told.get("failed"), told["verified"]) == (None, False)
    _text, failed = run("restate_audit_info", path=str(log), fail_if_broken=True)
    assert (failed["failed"], failed["error"]["code"]) == (True, "RESTATE_AUDIT_UNAVAILABLE")
