# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is no secret is not hidden: keys, our own words, and what later tasks are fed with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import playbook
from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server
from tests.integration.three_runs import compared
from tests.integration.versions import on_all_versions

HOST = "127.0.0.1"
GIVEN: dict[str, dict[str, Any]] = {
    "a plain header": {"headers": {"X-Forwarded-For": HOST}},
    "a secret header that is the host": {"headers": {"X-Api-Key": HOST}},
    "a secret header that is a key": {
        "headers": {"X-Api-Key": "changed", "Cookie": "a=deployment; b=services"}
    },
    "a header of the service": {"additional_headers": {"x-key": "deployment", "x-forwarded-for": HOST}},
    "a short token": {"auth_token": "a"},
    "a token that is a word of ours": {"auth_token": "ansible"},
    "a token that is a part of one": {"auth_token": "play"},
    "a token that is a service": {"auth_token": "OrderWorkflow"},
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_a_dry_release_goes_on_with_what_its_first_step_returned(
    given: dict[str, Any], server: Server
) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")
    only_redeploy = ("additional_headers",)
    connection = {name: value for name, value in given.items() if name not in only_redeploy}

    planned = server.task("redeploy", check=True, service_url=url, **given)
    cleaned = server.task(
        "cleanup",
        check=True,
        service_url=url,
        remove="superseded",
        assume_registered=planned["deployment"],
        **connection,
    )

    assert planned["deployment"]["service_url"] == url
    assert not cleaned["failed"], cleaned["msg"]
    assert cleaned["changed"]
    plain = server.task("redeploy", check=True, service_url=url)
    if "additional_headers" not in given:
        assert compared(planned) == compared(plain)
    assert planned["msg"] == plain["msg"]


@on_all_versions
def test_a_release_is_predicted_and_done_with_the_address_of_the_caller_in_a_header(
    server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")
    variables = {
        "restate_admin_url": server.admin_url,
        "restate_ingress_url": server.ingress_url,
        "restate_service_url": url,
        "restate_headers": {"X-Forwarded-For": HOST, "X-Api-Key": "play"},
    }

    dry = playbook("release", tmp_path, "--check", **variables)
    real = playbook("release", tmp_path, **variables)

    for ran in (dry, real):
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "(hidden)-playbook" not in ran.stdout
        assert "http://(hidden)" not in ran.stdout
        assert '"****' not in ran.stdout
    assert "ansible-playbook dalp.restate.release" in dry.stdout


@pytest.mark.parametrize(("token", "told"), [("play", "play"), ("tok-3d1f7a2b9c", "xtok-3d1f7a2b9cx")])
def test_a_secret_that_a_server_repeats_is_hidden_there_and_nowhere_else(
    token: str, told: str, server: Server, proxy: Proxy
) -> None:
    proxy.once("GET", "^/", *[answer(400, {"message": f"no, {told}: run the playbook again"})] * 9)

    result = server.task("doctor", admin_url=proxy.url, auth_token=token, headers={"X-Tenant": "acme"})

    message = result["admin"]["error"]["message"]
    assert token not in message.replace("playbook", "")
    assert "run the playbook again" in message
    assert result["admin"]["url"] == proxy.url
    arguments = result["invocation"]["module_args"]
    assert (arguments["auth_token"], arguments["headers"]) == ("(hidden)", {"X-Tenant": "acme"})
    assert result["audit"]["data"]["arguments"]["headers"] == {"X-Tenant": "acme"}


def test_a_failure_that_repeats_a_secret_is_told_without_it(server: Server) -> None:
    server.release("release-1")
    server.order("order-1", "fail")
    [failure] = server.task("doctor")["invocations"]["recent_failures"]
    word = failure["failure"].split()[-1]

    [hidden] = server.task("doctor", auth_token=word)["invocations"]["recent_failures"]

    assert word not in hidden["failure"]
    assert {**hidden, "failure": ""} == {**failure, "failure": ""}
    assert json.dumps(hidden).count("(hidden)") >= 1
