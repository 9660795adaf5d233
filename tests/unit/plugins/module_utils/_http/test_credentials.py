# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is secret of headers and URLs, and how it is hidden in what others write."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.credentials import (
    NO_SECRETS,
    Secrets,
    is_secret_header,
    secrets_of_headers,
    secrets_of_url,
)
from ansible_collections.dalp.restate.plugins.module_utils._redact import HIDDEN


@pytest.mark.parametrize("name", [
    "Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "apikey", "X-Auth", "X-Auth-Token",
    "X-Vault-Token", "X-Amz-Security-Token", "CF-Access-Client-Secret", "CF-Access-Client-Id", "X-Goog-IAP-JWT-Assertion",
    "X-Password", "X-Pass", "X-Session-Id", "X-Hub-Signature-256", "x_api_key", "X-Gateway", "X-Whatever", "",
    "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert", "Content-Key", "X-Tenant-Token", "X-Request-Key", "X-Session",
])  # fmt: skip
def test_a_header_is_secret_unless_its_name_tells_otherwise(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize("name", [
    "X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP",
    "Host", "User-Agent", "Accept", "Accept-Language", "Content-Type", "Via", "Traceparent", "X-B3-TraceId", "X-Request-Id",
    "X-Correlation-Id", "X-Tenant", "X-Tenant-Id", "Tenant", "X-Environment", "X-Restate-Cluster-Name", "X-Api-Version",
])  # fmt: skip
def test_a_header_whose_name_tells_so_is_no_secret(name: str) -> None:
    assert not is_secret_header(name)


@pytest.mark.parametrize(("headers", "expected"), [
    pytest.param({"X-Forwarded-For": "127.0.0.1"}, set(), id="none"),
    pytest.param({"X-Key": "hunter22"}, {"hunter22"}, id="a value"),
    pytest.param({"X-Key": " hunter22 "}, {"hunter22"}, id="as it is sent"),
    pytest.param({"X-Key": None}, set(), id="null"),
    pytest.param({"X-Key": ""}, set(), id="empty"),
    pytest.param({"X-Key": 12345678, "X-On": True}, {"12345678", "True"}, id="what is no text"),
    pytest.param({"Authorization": "Bearer hunter22"}, {"Bearer hunter22", "hunter22"}, id="credentials without their scheme"),
    pytest.param({"Cookie": "sid=hunter22; theme=dark1"}, {"sid=hunter22; theme=dark1", "hunter22", "dark1"}, id="the values of cookies"),
])  # fmt: skip
def test_secrets_of_headers(headers: dict[str, Any], expected: set[str]) -> None:
    assert secrets_of_headers(headers) == expected


@pytest.mark.parametrize(("url", "expected"), [
    pytest.param("http://h:9070", set(), id="none"),
    pytest.param("http://user:hunter22@h", {"hunter22", "dXNlcjpodW50ZXIyMg=="}, id="the password, not the name"),
    pytest.param("http://a-token@h", {"a-token", "YS10b2tlbjo="}, id="a name that stands alone"),
    pytest.param("http://username:@h", set(), id="a name with an empty password"),
    pytest.param("http://u:hunter%2F22@h", {"hunter%2F22", "hunter/22", "dTpodW50ZXIvMjI="}, id="encoded and decoded"),
    pytest.param("u:hunter22@h:9070", {"hunter22", "dTpodW50ZXIyMg=="}, id="where the scheme was forgotten"),
    pytest.param("http://h/path@1", set(), id="an at sign in the path"),
    pytest.param("http://[::1", set(), id="no URL"),
    pytest.param("", set(), id="empty"),
])  # fmt: skip
def test_secrets_of_a_url(url: str, expected: set[str]) -> None:
    assert secrets_of_url(url) == expected


def test_a_password_with_a_slash_that_was_not_encoded_is_secret_as_a_whole() -> None:
    assert "hun/ter22" in secrets_of_url("http://u:hun/ter22@h")


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("Bearer hunter22!", f"Bearer {HIDDEN}!", id="in a text"),
    pytest.param("hunter22hunter22", HIDDEN * 2, id="more than once, without a gap"),
    pytest.param("you sent play, again", f"you sent {HIDDEN}, again", id="a short one that stands by itself"),
    pytest.param("play", HIDDEN, id="a short one alone"),
    pytest.param("the playbook of player_1 replays", "the playbook of player_1 replays", id="a short one within words"),
    pytest.param("token=play&x=\"play\"", f"token={HIDDEN}&x=\"{HIDDEN}\"", id="a short one between signs"),
    pytest.param("nothing of it", "nothing of it", id="none"),
])  # fmt: skip
def test_what_others_write_is_told_without_secrets(text: str, expected: str) -> None:
    assert Secrets(frozenset({"hunter22", "play"})).hidden(text) == expected
    assert NO_SECRETS.hidden(text) == text


def test_a_secret_that_begins_like_another_leaves_no_rest() -> None:
    for order in itertools.permutations(["hunter22", "hunter22-and-more", "and-more-of-it"]):
        assert Secrets(frozenset(order)).hidden("x hunter22-and-more y") == f"x {HIDDEN} y"


def test_the_word_that_takes_a_secrets_place_is_not_looked_into() -> None:
    assert Secrets(frozenset({"hunter22", "hidden"})).hidden("a hunter22") == f"a {HIDDEN}"


def test_secrets_have_no_text_of_their_own() -> None:
    assert "hunter22" not in repr(Secrets(frozenset({"hunter22"})))
