# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a module: whole, with its audit record, and without any secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _thirdparty
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import answer

TOKEN = "token-of-the-admin"
HEADER = "value-of-a-header"
PASSWORD = "hunter22"


def echo(status: int = 500) -> bytes:
    """Return the answer of a server that tells everything it was told."""
    words = f"you sent Bearer {TOKEN}, X-Key: {HEADER}, http://ops:{PASSWORD}@h and {PASSWORD}"
    return answer(status, {"message": words})


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("restate_doctor", {"fail_on": ["degraded"]}),
        ("restate_redeploy", {"service_url": f"http://svc:{PASSWORD}@s:9080"}),
        ("restate_cleanup", {"service_url": f"http://svc:{PASSWORD}@s:9080"}),
        ("restate_recover_workflow", {"service_name": "Flow", "service_key": "k"}),
    ],
)
def test_no_secret_leaves_a_module_whatever_the_server_says(
    name: str, own: dict[str, Any], run: Any, serve: Serve, delays: list[float]
) -> None:
    url = serve(echo()).url
    text, result = run(
        name, admin_url=url, auth_token=TOKEN, headers={"X-Key": HEADER}, ingress_url=url, **own
    )
    if "service_url" not in own:
        # Only what was given as a secret can be known to be one.
        text = text.replace(PASSWORD, "")
    assert "you sent Bearer (hidden)" in text
    for secret in (TOKEN, HEADER, PASSWORD):
        assert secret not in text
    assert result["failed"]
    assert result["invocation"]["module_args"]["auth_token"] == "(hidden)"
    assert result["invocation"]["module_args"]["headers"] == {"X-Key": "(hidden)"}


def test_the_userinfo_of_the_admin_is_shown_nowhere(run: Any, serve: Serve, delays: list[float]) -> None:
    url = serve(echo()).url
    text, result = run("restate_doctor", admin_url=url.replace("http://", f"http://ops:{PASSWORD}@"))
    assert PASSWORD not in text
    assert "ops" not in result["invocation"]["module_args"]["admin_url"]
    assert result["audit"]["source"] == url


@pytest.mark.parametrize("url", [f"ops:{PASSWORD}@h:9070", f"http://ops:{PASSWORD}/x@h:9070"])
def test_a_mistyped_url_shows_no_password_either(url: str, run: Any) -> None:
    text, result = run("restate_doctor", admin_url=url)
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert PASSWORD not in text


def test_a_short_secret_makes_no_other_text_unreadable(run: Any, serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.7.12"}), answer(404))
    _text, result = run(
        "restate_recover_workflow", admin_url=server.url, auth_token="1", service_name="Flow", service_key="1"
    )
    assert result["audit"]["subject"] != "(hidden)"
    assert result["invocation"]["module_args"]["service_key"] == "1"
    assert result["invocation"]["module_args"]["auth_token"] == "(hidden)"


@pytest.mark.parametrize(
    ("number", "asked", "is_there"), [(101, True, True), (101, False, False), (100, False, True)]
)
def test_a_diff_of_many_keys_is_in_the_result_where_it_is_asked_for(
    number: int, asked: bool, is_there: bool, run: Any, serve: Serve
) -> None:
    report = Report(
        message="", subject="", changed=False, details={}, before={str(each): {} for each in range(number)}
    )
    assert ("diff" in report.to_result(wrote=False, with_diff=asked)) == is_there
    _text, result = run(
        "restate_cleanup", admin_url=serve(answer(403)).url, service_url="http://s:9080", _ansible_diff=asked
    )
    assert result["diff"] == {"before": {}, "after": {}}


@pytest.mark.parametrize(("number", "shown"), [(100, None), (101, "101 entries, as in audit.data.arguments")])
def test_a_long_list_of_keys_is_named_once_beside_the_results(
    number: int, shown: str | None, run: Any, serve: Serve
) -> None:
    keys = [{"service_name": "Flow", "service_key": f"k{each}"} for each in range(number)]
    _text, result = run("restate_recover_workflow", admin_url=serve(answer(403)).url, workflows=keys)
    assert result["invocation"]["module_args"]["workflows"] == (shown or keys)
    assert result["audit"]["data"]["arguments"]["workflows"] == keys


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_failure_is_whole(check_mode: bool, run: Any, serve: Serve) -> None:
    _text, result = run(
        "restate_cleanup",
        admin_url=serve(answer(403)).url,
        service_url="http://s:9080",
        reason="INC-4711",
        actor="ops",
        audit_context={"ticket": 1},
        _ansible_check_mode=check_mode,
    )
    assert result["failed"]
    assert result["changed"] is False
    assert result["diff"] == {"before": {}, "after": {}}
    assert result["error"]["code"] == "RESTATE_PERMISSION_REQUIRED"
    assert result["msg"] == f"{result['error']['message']} What to do: {result['error']['remedy']}"
    assert not {"acknowledged", "done", "not_done"} & result.keys()
    data = result["audit"]["data"]
    assert (data["actor"], data["reason"], data["context"]) == ("ops", "INC-4711", {"ticket": 1})
    assert (data["outcome"], data["check_mode"]) == ("failed", check_mode)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"request_timeout": 0}, "request_timeout", id="no time at all"),
        pytest.param({"request_timeout": 1e20}, "request_timeout", id="more time than a clock knows"),
        pytest.param({"request_timeout": "nan"}, "request_timeout", id="a time that is no number"),
        pytest.param({"request_timeout": "inf"}, "request_timeout", id="a time without end"),
        pytest.param({"retries": -1}, "retries", id="fewer retries than none"),
        pytest.param({"admin_url": "http://xn--:1"}, "cannot be used", id="a host that is no name"),
        pytest.param({"admin_url": "http://h..x:1"}, "cannot be used", id="a host with an empty label"),
        pytest.param({"admin_url": f"http://{'a' * 64}:1"}, "cannot be used", id="a host with a long label"),
        pytest.param({"admin_url": "http://h:1/\ud800"}, "admin_url", id="a URL with half a character"),
        pytest.param({"ingress_url": ["http://h:1/\ud800"]}, "ingress_url", id="the same in a list"),
        pytest.param({"headers": {"\udcff": "a"}}, "headers", id="a name of bytes that are no UTF-8"),
        pytest.param({"ca_path": "/a\0b"}, "ca_path", id="a NUL in a path"),
        pytest.param({"client_cert": "/a\0b"}, "client_cert", id="a NUL in another path"),
        pytest.param({"audit_log": "/a\0b"}, "audit_log", id="a NUL in the path of the log"),
        pytest.param(
            {"admin_url": "http://ops:pw@h", "auth_token": "t"},
            "auth_token or userinfo",
            id="two credentials",
        ),
        pytest.param(
            {"admin_url": "http://ops@h", "auth_token": "t"},
            "auth_token or userinfo",
            id="a name and a token",
        ),
        pytest.param({"admin_url": "h:9070"}, "cannot be used", id="no URL"),
        pytest.param({"headers": {"X-Debug": True}}, "headers.X-Debug", id="a boolean header"),
        pytest.param({"headers": {"X-Key": None}}, "headers.X-Key", id="a null header"),
        pytest.param({"headers": {"X-Key": ["a"]}}, "headers.X-Key", id="a header that is a list"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused_with_a_record(
    arguments: dict[str, Any], words: str, run: Any
) -> None:
    _text, result = run("restate_doctor", **{"admin_url": "http://127.0.0.1:1", **arguments})
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert words in result["msg"]
    assert result["audit"]["type"] == "dalp.restate.doctor.refused"


@pytest.mark.parametrize(
    "arguments",
    [
        {"service_name": "Flow\ud800", "service_key": "k"},
        {"service_name": "Flow", "service_key": "k\udcff"},
        {"workflows": [{"service_name": "Flow", "service_key": "\ud800"}]},
        {"service_name": "Flow", "service_key": "k", "snapshot_dir": "/a\0b", "resubmit": "original_input"},
    ],
)
def test_a_key_that_is_no_text_is_refused_before_anything_is_sent(
    arguments: dict[str, Any], run: Any, serve: Serve
) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    text, result = run("restate_recover_workflow", admin_url=server.url, **arguments)
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "Nothing was touched" in result["msg"]
    assert result["error"]["remedy"]
    assert server.requests == []
    assert text.isascii()


@pytest.mark.parametrize("option", ["additional_headers", "metadata"])
def test_a_value_of_a_deployment_that_is_no_text_is_refused_before_anything_is_sent(
    option: str, run: Any, serve: Serve
) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    asked = {"service_url": "http://h:9080", option: {"x": {"nested": "a-secret-value"}}}
    text, result = run("restate_redeploy", admin_url=server.url, **asked)
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert f"{option}.x" in result["msg"]
    assert result["audit"]["type"] == "dalp.restate.redeploy.refused"
    assert "a-secret-value" not in text or option == "metadata"
    assert server.requests == []


def test_a_number_in_a_header_is_sent_as_text(run: Any, serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    run("restate_doctor", admin_url=server.url, headers={"X-Tenant": 42}, retries=0)
    assert {request.headers.get("x-tenant") for request in server.requests} >= {"42"}


def test_an_at_sign_in_a_base_path_is_no_userinfo(run: Any, serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    run("restate_doctor", admin_url=f"{server.url}/@ops", auth_token=TOKEN)
    assert "GET /@ops/version" in server.calls


@pytest.mark.parametrize("release", [None, "0.1.0", "99.0"])
@pytest.mark.parametrize("library", ["httpx", "pydantic"])
def test_a_library_that_cannot_be_used_is_named_with_what_is_there_and_what_to_do(
    library: str, release: str | None, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thirdparty, "INSTALLED", {**_thirdparty.INSTALLED, library: release})
    _text, result = run("restate_doctor", admin_url="http://127.0.0.1:1")
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    assert f"has {library} {release}" if release else f"has no {library}" in result["error"]["message"]
    assert f"pip install '{library}>=" in result["error"]["remedy"]
    assert result["audit"]["data"]["error_code"] == "RESTATE_UNSUPPORTED"


def test_the_environment_of_the_restate_cli_is_read(
    run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer(200, {"version": "1.7.12"}))
    for name, value in (
        ("RESTATE_ADMIN_URL", server.url),
        ("RESTATE_INGRESS_URL", server.url),
        ("RESTATE_AUTH_TOKEN", TOKEN),
    ):
        monkeypatch.setenv(name, value)
    text, _result = run("restate_doctor")
    assert {"GET /version", "GET /restate/health"} <= set(server.calls)
    assert {one.headers["authorization"] for one in server.requests} == {f"Bearer {TOKEN}"}
    assert TOKEN not in text
