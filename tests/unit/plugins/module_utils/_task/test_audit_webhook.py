# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that are posted, and what a site calls secret is in none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._audit import chain as _audit_chain
from ansible_collections.dalp.restate.plugins.module_utils._audit.log import line_hash
from ansible_collections.dalp.restate.tests.unit.audited_task import (
    SERVICE,
    Restate,
    outcomes,
    records,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import answer

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
        "audit_context": {"card": ["4711-0815"]},
    }
    result = redeploy(
        Restate(serve, status=status),
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
    assert records(log)[-1]["data"]["context"] == {"card": ["(hidden)"]}


def test_a_pattern_that_is_a_word_of_ours_does_not_hide_it(redeploy: Any, serve: Serve) -> None:
    hook = serve(answer(410))
    result = redeploy(Restate(serve), audit_webhook=f"{hook.url}/", redact_patterns=["status 4.0"])
    assert "audit_webhook did not take the audit record: status 410." in str(result["warnings"])
    assert "status 4.0" not in json.dumps(result)


def test_a_pattern_as_wide_as_can_be_leaves_a_log_that_can_be_read(
    redeploy: Any, serve: Serve, log: Path
) -> None:
    given = {"reason": "why", "actor": "who", "audit_context": {"card": "4711"}}
    result = redeploy(Restate(serve), audit_log=log, redact_patterns=["(?s).+"], **given)
    assert outcomes(log) == ["attempted", "succeeded"]
    assert _audit_chain.without_outcome(records(log)) == []
    assert result["audit"]["linehash"] == line_hash(log.read_bytes().splitlines()[-1])
    for one in records(log):
        data = one["data"]
        assert {data[name] for name in ("reason", "actor")} == {"(hidden)"}
        assert data["context"] == {"card": "(hidden)"}
        assert one["subject"] == SERVICE
        assert data["arguments"]["redact_patterns"] == "1 hidden"


def test_a_pattern_that_is_none_is_refused_before_anything_is_sent(redeploy: Any, serve: Serve) -> None:
    admin = Restate(serve)
    result = redeploy(admin, redact_patterns=["harmless", "secret("])
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "redact_patterns" in result["msg"]
    assert "secret(" not in result["msg"]
    assert admin.server.requests == []
