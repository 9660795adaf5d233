# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the records of a module go: its result, the log, the webhook, and what is hidden in all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog, line_hash
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.audited_task import (
    SERVICE,
    Restate,
    outcomes,
    records,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve

# The log


def test_the_attempt_is_in_the_log_before_the_write_and_its_outcome_after(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    admin = Restate(serve)
    seen: list[str] = []
    admin.before_write = lambda: seen.extend(outcomes(log))
    result = redeploy(admin, audit_log=log, reason="INC-4711", actor="ada")
    assert (seen, outcomes(log)) == (["attempted"], ["attempted", "succeeded"])
    attempted, succeeded = records(log)
    assert attempted["data"]["attempt"] == succeeded["data"]["attempt"]
    assert attempted["id"] != succeeded["id"]
    for one in (attempted, succeeded):
        assert (one["subject"], one["data"]["actor"], one["data"]["reason"]) == (SERVICE, "ada", "INC-4711")
        assert one["data"]["restate_version"] == "1.7.12"
    assert (attempted["data"]["changed"], succeeded["data"]["changed"], result["changed"]) == (
        False,
        True,
        True,
    )
    assert len(admin.writes) == 1


def test_the_result_has_the_record_of_the_log_and_the_hash_of_its_line(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    result = redeploy(Restate(serve), audit_log=log)
    last = log.read_bytes().splitlines()[-1]
    assert result["audit"]["linehash"] == line_hash(last)
    written = json.loads(last)
    assert written.pop("previoushash") == line_hash(log.read_bytes().splitlines()[0])
    assert {**written, "linehash": line_hash(last)} == result["audit"]


def test_without_a_log_there_is_no_hash(redeploy: Any, serve: Serve) -> None:
    assert "linehash" not in redeploy(Restate(serve))["audit"]


def test_a_dry_run_is_planned_and_nothing_else(redeploy: Any, serve: Serve, log: Path) -> None:
    admin = Restate(serve)
    result = redeploy(admin, audit_log=log, _ansible_check_mode=True)
    assert (outcomes(log), result["changed"], admin.writes) == (["planned"], True, [])
    assert records(log)[0]["data"]["check_mode"]


def test_what_failed_after_the_write_failed(redeploy: Any, serve: Serve, log: Path) -> None:
    result = redeploy(Restate(serve, status=500), audit_log=log)
    assert outcomes(log) == ["attempted", "failed"]
    assert records(log)[-1]["data"]["error_code"] == result["error"]["code"]
    assert "4711-0815" in records(log)[-1]["data"]["error_message"]


def test_what_could_not_ask_failed_without_an_attempt_to_write(run: Any, log: Path) -> None:
    run(
        "restate_redeploy", admin_url="http://127.0.0.1:1", retries=0, service_url=SERVICE, audit_log=str(log)
    )
    assert outcomes(log) == ["failed"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"metadata": {"a": "b"}}, id="by the operation"),
        pytest.param({"request_timeout": 0}, id="by the options"),
        pytest.param({"audit_webhook": "http://elsewhere/hook"}, id="by the webhook"),
    ],
)
def test_a_refusal_is_in_the_log(arguments: dict[str, Any], redeploy: Any, serve: Serve, log: Path) -> None:
    admin = Restate(serve, version="1.5.3")
    result = redeploy(admin, audit_log=log, **arguments)
    assert (outcomes(log), admin.writes) == (["refused"], [])
    assert records(log)[0]["data"]["error_code"] == result["error"]["code"]


@pytest.mark.parametrize("after_the_write", [False, True])
def test_an_error_of_this_collection_leaves_a_failed_record(
    after_the_write: bool, redeploy: Any, serve: Serve, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(admin: AdminClient, *_args: Any) -> None:
        if after_the_write:
            admin.guard.authorize_write("POST /deployments")
        raise ZeroDivisionError("of the collection")

    monkeypatch.setattr(AdminClient, "register" if after_the_write else "deployments", fails)
    result = redeploy(Restate(serve), audit_log=log)
    assert result["failed"]
    assert result["error"]["code"] == "RESTATE_INTERRUPTED"
    assert result["error"]["reason"] == "ZeroDivisionError"
    assert result["changed"] is after_the_write
    assert outcomes(log) == (["attempted", "failed"] if after_the_write else ["failed"])
    data = records(log)[-1]["data"]
    assert data["error_code"] == "RESTATE_INTERRUPTED"
    assert "ZeroDivisionError: of the collection" in data["error_message"]


def test_a_log_of_the_environment_is_kept(
    redeploy: Any, serve: Serve, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTATE_AUDIT_LOG", str(log))
    redeploy(Restate(serve))
    assert outcomes(log) == ["attempted", "succeeded"]


def _no_log(path: Path) -> None:
    path.write_text("root:x:0:0\n")
    path.chmod(0o600)


@pytest.mark.parametrize("make", [_no_log, Path.mkdir], ids=["something else", "a folder"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_log_that_cannot_be_used_refuses_before_anything_is_sent(
    make: Callable[[Path], object], check_mode: bool, redeploy: Any, serve: Serve, log: Path
) -> None:
    make(log)
    admin = Restate(serve)
    result = redeploy(admin, audit_log=log, _ansible_check_mode=check_mode)
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert result["audit"]["data"]["outcome"] == "refused"
    assert admin.server.requests == []


def test_a_log_that_cannot_take_the_attempt_refuses_before_the_write(
    redeploy: Any, serve: Serve, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_log: AuditLog, _record: Any) -> str:
        raise OperatorError("RESTATE_AUDIT_UNAVAILABLE", "No space left on device")

    monkeypatch.setattr(AuditLog, "append", full)
    admin = Restate(serve)
    result = redeploy(admin, audit_log=log)
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert result["audit"]["data"]["outcome"] == "refused"
    assert (result["changed"], admin.writes) == (False, [])


def test_a_log_that_cannot_take_the_outcome_fails_the_task_and_shows_what_was_done(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    admin = Restate(serve)
    admin.before_write = lambda: log.chmod(0o644)
    result = redeploy(admin, audit_log=log)
    assert result["failed"]
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert (result["changed"], result["audit"]["data"]["outcome"]) == (True, "succeeded")
    assert "acknowledged" not in result


def test_detail_is_what_the_diff_shows(redeploy: Any, serve: Serve, log: Path) -> None:
    result = redeploy(Restate(serve), audit_log=log, audit_detail="full")
    data = records(log)[-1]["data"]
    assert result["diff"]["after"]
    assert {"before": data["before"], "after": data["after"]} == result["diff"]


def test_without_detail_there_are_digests_alone(redeploy: Any, serve: Serve, log: Path) -> None:
    redeploy(Restate(serve), audit_log=log)
    data = records(log)[-1]["data"]
    assert not {"before", "after"} & data.keys()
    assert data["before_digest"] != data["after_digest"]


def test_half_of_a_surrogate_pair_does_not_cost_the_record(redeploy: Any, serve: Serve, log: Path) -> None:
    result = redeploy(Restate(serve), audit_log=log, audit_context={"a": "\udcff"}, audit_detail="full")
    assert not result.get("failed"), result
    assert records(log)[-1]["data"]["context"] == {"a": "\udcff"}
    log.read_text(encoding="utf-8")
