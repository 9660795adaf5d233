# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret leaves a module."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._task.redaction import (
    HIDDEN,
    redacted_arguments,
    scrub,
    secrets_in,
    userinfo_secrets,
)


@pytest.mark.parametrize(("value", "expected"), [
    pytest.param("Bearer hunter22!", f"Bearer {HIDDEN}!", id="in a text"),
    pytest.param("hunter22hunter22", HIDDEN * 2, id="more than once"),
    pytest.param({"a": {"b": ["x hunter22"]}}, {"a": {"b": [f"x {HIDDEN}"]}}, id="in nested lists and dictionaries"),
    pytest.param(("hunter22",), [HIDDEN], id="in tuples"),
    pytest.param({"hunter22": 1}, {HIDDEN: 1}, id="in keys"),
    pytest.param([1, 1.5, True, None], [1, 1.5, True, None], id="what is no text stays as it is"),
    pytest.param("see http://u:p@h:1/x and https://t@h2", "see http://h:1/x and https://h2", id="the userinfo of any URL"),
    pytest.param("http://h/@scope mail@example.com", "http://h/@scope mail@example.com", id="other at signs stay"),
])  # fmt: skip
def test_scrub(value: Any, expected: Any) -> None:
    assert scrub(value, {"hunter22"}) == expected


def test_a_secret_that_begins_like_another_leaves_no_rest() -> None:
    secrets = ["hunter22", "hunter22-and-more", "and-more-of-it"]
    for order in itertools.permutations(secrets):
        assert scrub("x hunter22-and-more y", order) == f"x {HIDDEN} y"


@pytest.mark.parametrize(("value", "expected"), [
    pytest.param(None, set(), id="unset"),
    pytest.param("hunter22", {"hunter22"}, id="a text"),
    pytest.param("short", set(), id="too short to be looked for"),
    pytest.param({"X-Key": "hunter22", "X-Other": "abc"}, {"hunter22"}, id="the values of a dictionary"),
    pytest.param({"X-Key": 12345678, "X-On": True}, {"12345678"}, id="a number, as it is sent"),
])  # fmt: skip
def test_secrets_in(value: Any, expected: set[str]) -> None:
    assert secrets_in(value) == expected


@pytest.mark.parametrize(("url", "expected"), [
    pytest.param("http://h:9070", set(), id="none"),
    pytest.param("http://user:hunter22@h", {"hunter22"}, id="the password, not the name"),
    pytest.param("http://a-token@h", {"a-token"}, id="a name that stands alone"),
    pytest.param("http://username:@h", set(), id="a name with an empty password"),
    pytest.param("http://u:hunter%2F22@h", {"hunter%2F22", "hunter/22"}, id="encoded and decoded"),
    pytest.param("http://u:abc@h", set(), id="too short to be looked for"),
    pytest.param("u:hunter22@h:9070", {"hunter22"}, id="where the scheme was forgotten"),
    pytest.param("http://u:hun/ter22@h", {"hun/ter22"}, id="a password with a slash that was not encoded"),
    pytest.param("http://h/path@1", set(), id="an at sign in the path"),
    pytest.param("http://[::1", set(), id="no URL"),
    pytest.param("", set(), id="empty"),
])  # fmt: skip
def test_userinfo_secrets(url: str, expected: set[str]) -> None:
    assert userinfo_secrets(url) == expected


def test_arguments_are_shown_without_secrets_and_without_what_was_not_set() -> None:
    params = {
        "admin_url": "http://user:pw@h:9070",
        "auth_token": "x",
        "headers": {"X-Api-Key": "y"},
        "ingress_url": None,
        "retries": 3,
        "keep": ["http://u:p@h"],
    }
    assert redacted_arguments(params, {"auth_token", "headers"}) == {
        "admin_url": "http://h:9070",
        "auth_token": HIDDEN,
        "headers": {"X-Api-Key": HIDDEN},
        "retries": 3,
        "keep": ["http://h"],
    }
