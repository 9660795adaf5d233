# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is secret is decided where it enters, and nothing else is hidden."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.credentials import Secrets
from ansible_collections.dalp.restate.plugins.module_utils._redact import HIDDEN, Patterns
from ansible_collections.dalp.restate.plugins.module_utils._task.redaction import (
    Redactor,
    hidden_in,
    patterns_of,
    redacted_arguments,
    secrets_of,
    shown_arguments,
    without_userinfo,
)

SECRETS = Secrets(frozenset({"hunter22"}))


@pytest.mark.parametrize(("value", "expected"), [
    pytest.param({"changed": {"deployments": ["dp_1"]}}, {"changed": {"deployments": ["dp_1"]}}, id="keys and values stay"),
    pytest.param([1, 1.5, True, None], [1, 1.5, True, None], id="what is no text stays as it is"),
    pytest.param("see http://u:p@h:1/x and https://t@h2", "see http://h:1/x and https://h2", id="the userinfo of any URL"),
    pytest.param("http://h/@scope mail@example.com", "http://h/@scope mail@example.com", id="other at signs stay"),
])  # fmt: skip
def test_userinfo_leaves_no_task(value: Any, expected: Any) -> None:
    assert without_userinfo(value) == expected


@pytest.mark.parametrize(("value", "expected"), [
    pytest.param("Bearer hunter22!", f"Bearer {HIDDEN}!", id="a text"),
    pytest.param([{"failure": "no hunter22"}], [{"failure": f"no {HIDDEN}"}], id="in lists and dictionaries"),
    pytest.param({"hunter22": 1}, {"hunter22": 1}, id="a key stays"),
    pytest.param({"id": "hunter22", "service_key": "hunter22"}, {"id": "hunter22", "service_key": "hunter22"}, id="what feeds later tasks stays"),
    pytest.param(None, None, id="nothing"),
])  # fmt: skip
def test_what_others_wrote_is_told_without_secrets(value: Any, expected: Any) -> None:
    assert hidden_in(value, SECRETS) == expected


@pytest.mark.parametrize(("params", "expected"), [
    pytest.param({}, set(), id="unset"),
    pytest.param({"auth_token": " hunter22\n"}, {"hunter22"}, id="a token, without the blanks around it"),
    pytest.param({"auth_token": "a"}, {"a"}, id="a short one"),
    pytest.param({"auth_token": "  "}, set(), id="a blank one"),
    pytest.param({"headers": {"X-Forwarded-For": "127.0.0.1", "X-Key": 12345678}}, {"12345678"}, id="headers by their names"),
    pytest.param({"url": "http://u:hunter22@h,http://h2"}, {"hunter22", "dTpodW50ZXIyMg=="}, id="the userinfo of URLs, as it is sent, too"),
    pytest.param({"url": ["http://u:hunter22@h"], "other": "http://u:p@h"}, {"hunter22", "dTpodW50ZXIyMg=="}, id="a list of URLs"),
])  # fmt: skip
def test_secrets_of_options(params: dict[str, Any], expected: set[str]) -> None:
    assert secrets_of(params, ("auth_token", "headers"), ("url",)).texts == expected


def test_arguments_are_shown_without_secrets_and_without_what_was_not_set() -> None:
    params = {
        "admin_url": "http://user:pw@h:9070",
        "auth_token": "x",
        "headers": {"X-Api-Key": "y", "X-Forwarded-For": "127.0.0.1", "Referer": "http://u:p@h"},
        "ingress_url": None,
        "retries": 3,
        "keep": ["http://u:p@h"],
    }
    assert redacted_arguments(params, {"auth_token", "headers"}) == {
        "admin_url": "http://h:9070",
        "auth_token": HIDDEN,
        "headers": {"X-Api-Key": HIDDEN, "X-Forwarded-For": "127.0.0.1", "Referer": "http://h"},
        "retries": 3,
        "keep": ["http://h"],
    }


def test_how_a_run_had_failed_is_told_without_secrets_and_the_key_stays() -> None:
    failed = {"service_key": "hunter22", "failure": "no hunter22 here"}
    told = Redactor(SECRETS).result({"results": [failed, {"failure": None}], "msg": "hunter22"})
    assert told["results"] == [
        {"service_key": "hunter22", "failure": f"no {HIDDEN} here"},
        {"failure": None},
    ]
    assert told["msg"] == "hunter22"
    assert failed["failure"] == "no hunter22 here"


RUN = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz"
RESULT: dict[str, Any] = {
    "failed": True,
    "changed": True,
    "msg": "1 key failed: OrderWorkflow/failed was not recovered (reason failed). What to do: Look.",
    "error": {"code": "RESTATE_QUERY_FAILED", "reason": "failed", "message": "It failed.", "remedy": "Run it.",
              "http": {"method": "POST", "url": "http://failed:9070/OrderWorkflow/failed/run", "status": 500}},
    "results": [{"service_name": "OrderWorkflow", "service_key": "failed", "outcome": "failed", "reason": "failed",
                 "message": "failed", "failure": "the card failed", "invocation_ids": [RUN]}],
    "remaining": [{"deployment_id": "dp_10zqLrFj7IiekMcbyui9lvj", "service_url": "http://failed:9080/failed", "pending_invocations": 3}],
    "diff": {"before": {"OrderWorkflow/failed": {"state": ["failed"], "invocations": {RUN: "run completed (failed)"}}}},
    "deployment": {"service_url": "http://failed:9080/failed", "services": [{"name": "failed"}]},
}  # fmt: skip
HIDDEN_ONES: dict[str, Any] = {
    **RESULT,
    "msg": "1 key failed: OrderWorkflow/(hidden) was not recovered (reason failed). What to do: Look.",
    "error": {**RESULT["error"], "http": {"method": "POST", "url": "http://failed:9070/OrderWorkflow/(hidden)/run", "status": 500}},
    "results": [{**RESULT["results"][0], "failure": "the card (hidden)"}],
    "diff": {"before": {"OrderWorkflow/(hidden)": {"state": ["(hidden)"], "invocations": {RUN: "run completed (failed)"}}}},
}  # fmt: skip


def redactor(*patterns: str, given: Any = None) -> Redactor:
    compiled, refused = patterns_of({"redact_patterns": list(patterns)})
    assert refused is None
    return Redactor(Secrets(patterns=compiled), given)


def test_a_pattern_that_is_a_word_of_ours_hides_only_what_others_wrote() -> None:
    assert redactor("failed").result(RESULT) == HIDDEN_ONES


@pytest.mark.parametrize("pattern", ["a+", "[A-Za-z0-9]{20,}", "(?s).+", "", "x*", r"\d", "[a-z_]+"])
def test_whatever_a_pattern_is_names_codes_ids_and_addresses_stay(pattern: str) -> None:
    shown = redactor(pattern).result(RESULT)
    assert shown.keys() == RESULT.keys()
    for name in ("failed", "changed", "remaining", "deployment"):
        assert shown[name] == RESULT[name]
    [told], [entry] = shown["results"], RESULT["results"]
    assert {**told, "failure": ""} == {**entry, "failure": ""}
    assert {**shown["error"], "http": ""} == {**RESULT["error"], "http": ""}
    assert shown["error"]["http"]["url"].startswith("http://failed:9070")
    assert RUN in str(shown["diff"])
    assert shown["msg"].startswith("1 key failed: OrderWorkflow/")
    assert shown["msg"].endswith(" was not recovered (reason failed). What to do: Look.")


def test_keys_that_are_hidden_do_not_become_one_in_a_diff() -> None:
    keys: dict[str, Any] = {f"OrderWorkflow/card-{number}": {"state": []} for number in range(3)}
    found = [{"service_name": "OrderWorkflow", "service_key": f"card-{number}"} for number in range(3)]
    shown = redactor("card-.").result({"results": found, "diff": {"before": keys}})
    assert len(shown["diff"]["before"]) == 3
    assert "card-" not in str(shown["diff"])
    assert shown["results"] == found


@pytest.mark.parametrize(("text", "shown"), [
    ("OrderWorkflow/card-1 and OrderWorkflow/card-12: no", "OrderWorkflow/(hidden) and OrderWorkflow/(hidden): no"),
    ("OrderWorkflow/card-1/run", "OrderWorkflow/(hidden)/run"),
    ("service_key 'card-1' is none", "service_key '(hidden)' is none"),
    ("card-1 is a word here", "card-1 is a word here"),
    ("at http://h:1/card-1", "at http://h:1/(hidden)"),
])  # fmt: skip
def test_a_key_is_hidden_in_sentences_where_it_is_one(text: str, shown: str) -> None:
    given = {
        "workflows": [
            {"service_name": "OrderWorkflow", "service_key": f"card-{number}"} for number in (1, 12)
        ],
        "service_url": "http://h:1/card-1",
    }
    assert redactor(r"card-\d+", given=given).text(text) == shown


def test_what_acts_on_a_terminal_is_shown_as_an_escape_and_the_key_stays_whole() -> None:
    key = "a\n  NEXT\n\x1b[31mansible-playbook x\u202e"
    entry = {"service_name": "S", "service_key": key, "message": f"S/{key} is blocked"}
    shown = redactor().result({"msg": f"S/{key} is blocked", "results": [entry]})
    assert shown["msg"] == "S/a\\n  NEXT\\n\\u001b[31mansible-playbook x\\u202e is blocked"
    assert shown["results"] == [{**entry, "message": shown["msg"]}]


def test_how_many_patterns_there_are_is_told_and_none_of_them() -> None:
    params = {
        "redact_patterns": ["hunter22", "b"],
        "reason": "hunter22",
        "pending": "kill",
        "limit": 22,
        "url": "http://hunter22/hunter22",
    }
    patterns = Patterns([re.compile("hunter22|kill")])
    assert shown_arguments(params, {"redact_patterns"}, ("url",), patterns, {"pending"}) == {
        "redact_patterns": "2 hidden",
        "reason": HIDDEN,
        "pending": "kill",
        "limit": 22,
        "url": f"http://hunter22/{HIDDEN}",
    }


@pytest.mark.parametrize("pattern", ["(", "a{1,99999999999}", "(?P<a", "[", "(?<=a+)b"])
def test_a_pattern_that_is_none_hides_all_that_others_wrote(pattern: str) -> None:
    patterns, refused = patterns_of({"redact_patterns": ["fine", pattern]})
    assert refused is not None
    assert refused.code == "RESTATE_INVALID_ARGUMENT"
    assert patterns.replaced("anything") == HIDDEN
