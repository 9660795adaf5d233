# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an attempt."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import datetime
import getpass
import hashlib
import json
import time
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit.record import (
    REFUSALS,
    Attempt,
    user,
)
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES, OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report, digest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def attempt(*, check_mode: bool = False, **more: Any) -> Attempt:
    fields: dict[str, Any] = {
        "operation": "cleanup",
        "source": "http://h:9070",
        "arguments": {"service_url": "http://s:9080"},
        "actor": "release-bot",
        "reason": "INC-4711",
        "context": {"ticket": 4711},
        **more,
    }
    return Attempt(check_mode=check_mode, **fields)


def record(made: Attempt, **more: Any) -> dict[str, Any]:
    wrote = more.pop("wrote", False)
    ended = Report(**{"message": "", "subject": "http://s:9080", "changed": False, "details": {}, **more})
    return dict(made.outcome(ended, wrote=wrote, restate_version="1.7.12"))


@pytest.mark.parametrize(("check_mode", "wrote", "code", "phase"), [
    pytest.param(False, True, None, "succeeded", id="it was done"),
    pytest.param(False, False, None, "succeeded", id="nothing was to be done"),
    pytest.param(True, False, None, "planned", id="a dry run"),
    pytest.param(False, False, "RESTATE_SERVICE_REMOVAL_REFUSED", "refused", id="it said no"),
    pytest.param(True, False, "RESTATE_SERVICE_REMOVAL_REFUSED", "refused", id="a dry run said no"),
    pytest.param(False, True, "RESTATE_WORKFLOW_RETRY_BLOCKED", "failed", id="it said no after a write"),
    pytest.param(False, False, "RESTATE_ADMIN_UNREACHABLE", "failed", id="it could not ask"),
    pytest.param(True, False, "RESTATE_QUERY_FAILED", "failed", id="a dry run could not ask"),
    pytest.param(False, True, "RESTATE_DRAIN_TIMEOUT", "failed", id="it was not done to the end"),
])  # fmt: skip
def test_phase(check_mode: bool, wrote: bool, code: str | None, phase: str) -> None:
    error = OperatorError(code, "why") if code else None
    made = record(attempt(check_mode=check_mode), wrote=wrote, error=error)
    assert made["type"] == f"dalp.restate.cleanup.{phase}"
    data = made["data"]
    assert (data["outcome"], data["check_mode"]) == (phase, check_mode)
    assert (data["error_code"], data["error_message"]) == (code, "why" if code else None)


def test_refusals_are_error_codes() -> None:
    assert ERROR_CODES.keys() >= REFUSALS


@pytest.mark.parametrize(
    "error", [None, OperatorError("RESTATE_DRAIN_TIMEOUT", "why")], ids=["success", "failure"]
)
def test_a_record_is_a_cloud_event(error: OperatorError | None) -> None:
    made = record(attempt(), error=error, changed=True, before={"a": 1}, after={"b": ["ä"]})
    event = JSONFormat().read(CloudEvent, json.dumps(made))
    assert event.get_specversion() == "1.0"
    assert event.get_source() == "http://h:9070"
    assert event.get_subject() == "http://s:9080"
    assert event.get_type() == made["type"]
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == made["data"]
    time = event.get_time()
    assert time is not None
    assert abs((datetime.datetime.now(datetime.UTC) - time).total_seconds()) < 60


def test_a_record_says_who_what_and_why() -> None:
    data = record(attempt(), changed=True)["data"]
    assert {name: data[name] for name in ("actor", "operation", "arguments", "reason", "changed", "restate_version", "context")} == {
        "actor": "release-bot", "operation": "cleanup", "arguments": {"service_url": "http://s:9080"},
        "reason": "INC-4711", "changed": True, "restate_version": "1.7.12", "context": {"ticket": 4711},
    }  # fmt: skip
    assert data["duration_ms"] >= 0


def test_each_record_has_an_id_of_its_own() -> None:
    made = attempt()
    assert record(made)["id"] != record(made)["id"]


def test_the_duration_is_since_the_attempt_began() -> None:
    duration = record(attempt(started=time.monotonic() - 1.5))["data"]["duration_ms"]
    assert 1500 <= duration < 60000


def test_digests_are_of_what_was_and_what_is() -> None:
    before, after = {"b": 1, "a": ["ä"]}, {"a": ["ä"], "b": 2}
    data = record(attempt(), before=before, after=after)["data"]
    canonical = '{"a":["ä"],"b":1}'
    assert data["before_digest"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert data["before_digest"] == digest({"a": ["ä"], "b": 1})
    assert data["after_digest"] == digest(after)
    assert data["before_digest"] != data["after_digest"]
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 1000"), OSError("no user")])
def test_a_user_without_a_name_is_unknown(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert user() == "unknown"
