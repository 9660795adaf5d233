# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is secret is decided where it enters, and nothing else is hidden."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.credentials import HIDDEN, Secrets
from ansible_collections.dalp.restate.plugins.module_utils._task.redaction import (
    hidden_in,
    redacted_arguments,
    scrub,
    secrets_of,
    without_secrets_of_services,
)

SECRETS = Secrets(frozenset({"hunter22"}))


@pytest.mark.parametrize(("value", "expected"), [
    pytest.param("hunter22", "hunter22", id="a secret is no matter of the way out"),
    pytest.param({"changed": {"deployments": ["dp_1"]}}, {"changed": {"deployments": ["dp_1"]}}, id="keys and values stay"),
    pytest.param("card 4711-0815", f"card {HIDDEN}", id="a pattern in a text"),
    pytest.param({"4711-0815": [("4711-0815",)]}, {HIDDEN: [[HIDDEN]]}, id="a pattern in a key, a list and a tuple"),
    pytest.param([1, 1.5, True, None], [1, 1.5, True, None], id="what is no text stays as it is"),
    pytest.param("see http://u:p@h:1/x and https://t@h2", "see http://h:1/x and https://h2", id="the userinfo of any URL"),
    pytest.param("http://h/@scope mail@example.com", "http://h/@scope mail@example.com", id="other at signs stay"),
])  # fmt: skip
def test_scrub(value: Any, expected: Any) -> None:
    assert scrub(value, [re.compile(r"\d{4}-\d{4}")]) == expected


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
    told = without_secrets_of_services({"results": [failed, {"failure": None}], "msg": "hunter22"}, SECRETS)
    assert told["results"] == [
        {"service_key": "hunter22", "failure": f"no {HIDDEN} here"},
        {"failure": None},
    ]
    assert told["msg"] == "hunter22"
    assert failed["failure"] == "no hunter22 here"
