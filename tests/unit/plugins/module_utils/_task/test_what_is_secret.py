# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is hidden of a task, and what is not: our own words, whatever the secret is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import Request, answer

TOKEN = "token-of-the-admin"


@pytest.mark.parametrize(
    "secret", ["a", "play", "ansible", "changed", "restate_doctor", "127.0.0.1", "version"]
)
@pytest.mark.parametrize("given", ["auth_token", "X-Api-Key", "X-Forwarded-For"])
def test_a_secret_that_is_a_word_of_ours_changes_no_word_of_ours(
    given: str, secret: str, run: Any, serve: Serve, delays: list[float]
) -> None:
    def echo_secret(request: Request) -> bytes:
        if request.target == "/version":
            return answer(200, {"version": "1.7.12"})
        return answer(500, {"message": f"you sent {secret}, so no"})

    server = serve(echo_secret)
    option = {given: secret} if given == "auth_token" else {"headers": {given: secret}}
    plain = {"admin_url": server.url, "ingress_url": server.url, "audit_context": {"changed": "a"}}

    _text, told = run("restate_doctor", **plain, **option)
    _text, expected = run("restate_doctor", **plain)

    if given != "X-Forwarded-For":
        assert f"you sent {secret}" not in str(told)
    assert shape(told) == shape(expected)
    assert told["invocation"]["module_args"]["admin_url"] == [server.url]
    assert [each["remedy"] for each in told["findings"]] == [each["remedy"] for each in expected["findings"]]
    assert told["msg"].replace("(hidden)", secret) == expected["msg"]
    assert told["admin"]["url"] == expected["admin"]["url"] == server.url


def shape(value: Any) -> Any:
    """Return the keys of a result, without what tells of the options."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items() if name not in ("module_args", "arguments")}
    return [shape(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"auth_token": f" {TOKEN}\n"}, f"Bearer {TOKEN}", id="a token with blanks around it"),
        pytest.param(
            {"headers": {"Authorization": f" {TOKEN} "}}, TOKEN, id="a header with blanks around it"
        ),
        pytest.param({"auth_token": " \n"}, None, id="a blank token"),
    ],
)
def test_blanks_around_what_goes_into_a_header_are_left_out(
    options: dict[str, Any], expected: str | None, run: Any, serve: Serve, delays: list[float]
) -> None:
    server = serve(answer(401, {"message": f"no {TOKEN}"}))
    text, _result = run("restate_doctor", admin_url=server.url, ingress_url=server.url, **options)
    assert {request.headers.get("authorization") for request in server.requests} == {expected}
    assert expected is None or TOKEN not in text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"auth_token": "secret\n-token"}, "auth_token", id="a token with a line break"),
        pytest.param({"auth_token": "Bearer secret-token"}, "auth_token", id="a token with its scheme"),
        pytest.param(
            {"headers": {"X-Key": "secret\n-token"}}, "headers.X-Key", id="a header with a line break"
        ),
        pytest.param({"headers": {"X Key": "secret-token"}}, "'X Key'", id="a name with a blank"),
        pytest.param(
            {"headers": {"X-Key": "secret-tok\u00e9n"}}, "headers.X-Key", id="a header with an accent"
        ),
        pytest.param(
            {"headers": {"Content-Length": "1"}}, "'Content-Length'", id="a header that each request has"
        ),
        pytest.param({"headers": {"": "secret-token"}}, "''", id="no name"),
        pytest.param(
            {"backend": "dalp", "dalp_url": "http://127.0.0.1:1", "dalp_api_key": "secret\n-token"},
            "dalp_api_key",
            id="a key of DALP with a line break",
        ),
        pytest.param(
            {"backend": "dalp", "dalp_url": "http://127.0.0.1:1", "dalp_api_key": " "},
            "dalp_api_key",
            id="a blank key of DALP",
        ),
    ],
)
def test_what_cannot_stand_in_a_header_is_refused_by_its_option(
    options: dict[str, Any], named: str, run: Any
) -> None:
    text, result = run("restate_doctor", **options)
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert named in result["error"]["message"]
    assert "token" not in text.replace("auth_token", "").replace("the token alone", "")


def test_a_reason_and_a_context_tell_no_secret(run: Any) -> None:
    told = {"reason": f"used {TOKEN} a lot", "audit_context": {"a": [f"a {TOKEN}"]}}
    _text, result = run("restate_doctor", admin_url="h", auth_token=TOKEN, headers={"X-Key": "a"}, **told)
    data = result["audit"]["data"]
    assert (data["reason"], data["context"]) == ("used (hidden) a lot", {"a": ["a (hidden)"]})


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"headers": f"no dictionary {TOKEN}"}, id="no dictionary"),
        pytest.param({"headers": [TOKEN]}, id="a list"),
        pytest.param({"headers": {"X-Key": TOKEN}, "retries": "many"}, id="another option is wrong"),
        pytest.param({"auth_token": TOKEN, "auth_tokn": TOKEN}, id="an option that there is not"),
        pytest.param({"auth_token": TOKEN, "backend": "none"}, id="no choice"),
        pytest.param({"admin_url": [f"ops:{TOKEN}@h"], "retries": "many"}, id="a URL without its scheme"),
    ],
)
def test_what_ansible_itself_refuses_shows_no_secret(options: dict[str, Any], run: Any) -> None:
    text, result = run("restate_doctor", **options)
    assert result["failed"]
    assert "error" not in result
    assert TOKEN not in text


def test_what_ansible_itself_refuses_keeps_its_words(run: Any) -> None:
    _text, result = run("restate_doctor", auth_token="a", headers={"X-Key": "restate"}, wrong=1)
    assert "module: wrong. Supported parameters include: actor, admin_url, " in result["msg"]
    assert "(hidden)" not in result["msg"]
    assert "****" not in result["msg"]


def test_an_id_that_is_none_is_refused_before_anything_is_sent(run: Any, serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    _text, result = run("restate_resume", admin_url=server.url, invocation_ids=["inv_1abc"])
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "'inv_1abc'" in result["error"]["message"]
    assert server.requests == []
