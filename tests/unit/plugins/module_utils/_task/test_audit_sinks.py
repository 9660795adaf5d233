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
from ansible_collections.dalp.restate.plugins.module_utils._audit import chain as _audit_chain
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog, line_hash
from ansible_collections.dalp.restate.plugins.module_utils._audit.record import GENERATED
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer, Request, answer

from tests.unit.audit_records import record

ANSWERS = Path(__file__).resolve().parents[3] / "answers" / "1.7.12"
SERVICE = "http://orders:9080"
WRITE = "POST /deployments"


def captured(name: str) -> Any:
    """Return what a real server answered."""
    return json.loads((ANSWERS / f"{name}.json").read_text())["body"]


class Restate:
    """A server that knows no deployment and takes one. O(before_write) is called when the write arrives."""

    def __init__(self, serve: Serve, *, status: int = 201, version: str = "1.7.12") -> None:
        self.before_write: Callable[[], object] = lambda: None
        self.status = status
        self.version = version
        self._registered: dict[str, Any] = {"deployments": [], "services": []}
        self.server: LoopbackServer = serve(self._answer)
        self.url = self.server.url

    @property
    def writes(self) -> list[Request]:
        """The write calls that came."""
        return [one for one in self.server.requests if _writes(one)]

    def _answer(self, request: Request) -> bytes:
        if request.target == "/version":
            return answer(200, {**captured("version"), "version": self.version})
        if request.method == "GET":
            return answer(200, self._registered)
        if not _writes(request):
            return answer(200, captured("registration_dry_run"))
        self.before_write()
        if self.status == 201:
            made = captured("registration")
            deployment = {**made, "uri": SERVICE, "created_at": "2026-01-01T00:00:00Z"}
            self._registered = {"deployments": [deployment], "services": made["services"]}
            return answer(201, made)
        return answer(self.status, {"message": "the card 4711-0815 was refused"})


def _writes(request: Request) -> bool:
    return request.method != "GET" and not request.json.get("dry_run")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def redeploy(run: Any) -> Any:
    """Run restate_redeploy and return its result."""

    def start(admin: Restate, **more: Any) -> dict[str, Any]:
        arguments = {"admin_url": admin.url, "service_url": SERVICE, "retries": 0, "wait_timeout": 0, **more}
        _text, result = run(
            "restate_redeploy", **{k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()}
        )
        return dict(result)

    return start


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log, whose chain is whole."""
    chain = _audit_chain.read(str(log))
    assert (chain.broken, chain.torn) == (None, [])
    return chain.records


def outcomes(log: Path) -> list[str]:
    return [one["data"]["outcome"] for one in records(log)]


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
    def full(self: AuditLog, _record: Any) -> str:
        raise self._unavailable("No space left on device")

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


# The webhook


def test_each_record_is_posted_as_it_is_in_the_log(redeploy: Any, serve: Serve, log: Path) -> None:
    hook = serve(answer(204))
    redeploy(
        Restate(serve), audit_log=log, audit_webhook=f"{hook.url}/secret-hook", auth_token="of-the-admin"
    )
    posted = [request.json for request in hook.requests]
    for one in (written := records(log)):
        del one["previoushash"]
    assert posted == written
    assert "of-the-admin" not in str(hook.requests)


def test_a_webhook_that_fails_is_a_warning(redeploy: Any, serve: Serve, log: Path) -> None:
    hook, admin = serve(answer(410)), Restate(serve)
    result = redeploy(admin, audit_log=log, audit_webhook=f"{hook.url}/secret-hook")
    assert not result.get("failed")
    assert len(admin.writes) == 1
    assert any("did not take the audit record: status 410" in str(one) for one in result["warnings"])
    assert "secret-hook" not in json.dumps(result) + log.read_text()
    assert outcomes(log) == ["attempted", "succeeded"]


def test_a_webhook_that_is_required_and_fails_refuses_before_the_write(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    hook, admin = serve(answer(410)), Restate(serve)
    result = redeploy(admin, audit_log=log, audit_webhook=f"{hook.url}/secret-hook", audit_required=True)
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert (result["changed"], admin.writes) == (False, [])
    assert "secret-hook" not in json.dumps(result) + log.read_text()
    assert outcomes(log) == ["attempted", "refused"]


def test_a_webhook_that_is_required_and_fails_after_the_write_fails_the_task(
    redeploy: Any, serve: Serve
) -> None:
    hook, admin = serve(answer(204), answer(410)), Restate(serve)
    result = redeploy(admin, audit_webhook=f"{hook.url}/secret-hook", audit_required=True)
    assert result["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert (result["failed"], result["changed"], len(admin.writes)) == (True, True, 1)


# What a site calls secret


@pytest.mark.parametrize("status", [201, 500])
def test_what_a_pattern_matches_is_nowhere(status: int, redeploy: Any, serve: Serve, log: Path) -> None:
    hook = serve(answer(410))
    text = {
        "reason": "card 4711-0815",
        "actor": "ops 4711-0815",
        "audit_context": {"card 4711-0815": ["4711-0815"]},
    }
    result = redeploy(
        Restate(serve, status=status),
        service_url="http://orders-4711-0815:9080",
        audit_log=log,
        audit_detail="full",
        audit_webhook=f"{hook.url}/",
        redact_patterns=[r"\d{4}-\d{4}"],
        **text,
    )
    assert bool(result.get("failed")) == (status == 500)
    assert result["diff"]["after"] or status == 500
    assert result["warnings"]
    for told in (json.dumps(result), log.read_text(), str([request.body for request in hook.requests])):
        assert "4711-0815" not in told
        assert "(hidden)" in told
    assert records(log)[-1]["data"]["context"] == {"card (hidden)": ["(hidden)"]}


def test_a_pattern_that_matches_in_a_warning_hides_it_there(redeploy: Any, serve: Serve) -> None:
    hook = serve(answer(410))
    result = redeploy(Restate(serve), audit_webhook=f"{hook.url}/", redact_patterns=["status 4.0"])
    assert "audit_webhook did not take the audit record: (hidden)." in str(result["warnings"])
    assert "status 410" not in json.dumps(result)


def test_a_pattern_as_wide_as_can_be_leaves_a_log_that_can_be_read(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    result = redeploy(Restate(serve), audit_log=log, redact_patterns=["(?s).+"])
    assert outcomes(log) == ["attempted", "succeeded"]
    assert _audit_chain.without_outcome(records(log)) == []
    assert result["audit"]["linehash"] == line_hash(log.read_bytes().splitlines()[-1])
    for one in records(log):
        one.pop("previoushash")
        data = one.pop("data")
        shown = {name: value for name, value in {**one, **data}.items() if name not in GENERATED}
        texts = {value for value in shown.values() if isinstance(value, str)}
        assert texts == {"(hidden)"}


def test_a_pattern_that_is_none_is_refused_before_anything_is_sent(redeploy: Any, serve: Serve) -> None:
    admin = Restate(serve)
    result = redeploy(admin, redact_patterns=["harmless", "secret("])
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "redact_patterns" in result["msg"]
    assert "secret(" not in result["msg"]
    assert admin.server.requests == []


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
