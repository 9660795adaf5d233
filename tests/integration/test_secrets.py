# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret leaves a module: not in its result, its warnings, its diff, its audit record, nor what Ansible prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration import ways
from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server

TOKEN = "tok-3d1f7a2b9c"
HEADER = "hdr-5e8c1d4f6a"
PASSWORD = "pwd-7b2e9f0c3d"
SERVICE_PASSWORD = "spw-1a4d7e0b5c"
SERVICE_HEADER = "shd-9f6c3b0e8d"
REGISTERED_HEADER = "reg-2c5f8b1e4a"
KEY_CONTENT = "key-6d9a2e5b8f"
SECRETS = (TOKEN, HEADER, PASSWORD, SERVICE_PASSWORD, SERVICE_HEADER, REGISTERED_HEADER, KEY_CONTENT)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "client.key"
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{KEY_CONTENT}\n-----END PRIVATE KEY-----\n")
    return path


def with_userinfo(url: str, password: str) -> str:
    return url.replace("://", f"://operator:{password}@")


def tasks(server: Server, proxy: Proxy, key: Path) -> list[tuple[str, dict[str, Any]]]:
    """Tasks that succeed and tasks that fail, full of secrets."""
    by_token = {"admin_url": proxy.url, "auth_token": TOKEN, "headers": {"x-gateway": HEADER}}
    by_userinfo = {"admin_url": with_userinfo(proxy.url, PASSWORD), "headers": {"x-gateway": HEADER}}
    release = server.services.url("release")
    old = server.services.url("release-1")
    service = with_userinfo(server.services.url("new"), SERVICE_PASSWORD)
    nowhere = with_userinfo("http://127.0.0.1:1", SERVICE_PASSWORD)
    headers = {"additional_headers": {"authorization": SERVICE_HEADER}}
    return [
        ("doctor", {**by_token, "fail_on": ["warning"], "probe_services": True}),
        (
            "doctor",
            {**by_userinfo, "ingress_url": with_userinfo("http://127.0.0.1:1", PASSWORD), "retries": 0},
        ),
        ("redeploy", {**by_token, **headers, "service_url": old}),
        ("redeploy", {**by_userinfo, **headers, "service_url": service}),
        ("redeploy", {**by_userinfo, "service_url": f"{release}?token={SERVICE_PASSWORD}"}),
        ("redeploy", {**by_token, "service_url": nowhere, "wait_timeout": 1}),
        (
            "cleanup",
            {**by_userinfo, "service_url": service, "keep": [with_userinfo(release, SERVICE_PASSWORD)]},
        ),
        ("cleanup", {**by_token, "service_url": release, "drain_timeout": 0}),
        ("recover_workflow", {**by_token, "service_name": "OrderWorkflow", "service_key": "order-1"}),
        ("recover_workflow", {**by_userinfo, "service_name": "OrderWorkflow", "service_key": "order-2"}),
        (
            "doctor",
            {
                **by_token,
                "retries": 0,
                "admin_url": "https://127.0.0.1:1",
                "client_cert": str(key),
                "client_key": str(key),
            },
        ),
        ("doctor", {**by_userinfo, "admin_url": with_userinfo("http://127.0.0.1:1", PASSWORD), "retries": 0}),
        ("recover_workflow", {**by_userinfo, "service_name": "OrderWorkflow"}),
        ("doctor", {**by_userinfo, "auth_tokn": TOKEN}),
    ]


def situation(server: Server) -> None:
    server.release("release-1")
    url = server.serve("release", "release-1", header=f"x-key={REGISTERED_HEADER}")
    server.register(url, additional_headers={"x-key": REGISTERED_HEADER})
    server.order("order-1", "fail")
    server.order("order-2", "wait")
    server.serve("new", "extra-service")


def assert_no_secret(text: str, what: object) -> None:
    assert [secret for secret in SECRETS if secret in text] == [], what


def test_no_result_shows_a_secret(server: Server, proxy: Proxy, key: Path) -> None:
    situation(server)

    failed = 0
    for module, args in tasks(server, proxy, key):
        # The real runs are those of the playbook below.
        result = server.task(module, check=True, **args)
        assert_no_secret(json.dumps(result), (module, args))
        failed += result["failed"]

    assert failed >= 8


def test_a_server_that_echoes_the_request_tells_no_secret(server: Server, proxy: Proxy) -> None:
    words = {"message": f"no {TOKEN} with {HEADER} at http://operator:{PASSWORD}@admin"}
    proxy.once("GET", "^/", *[answer(500, words)] * 20)

    result = server.task(
        "redeploy",
        admin_url=proxy.url,
        auth_token=TOKEN,
        headers={"x-gateway": HEADER},
        service_url="http://release:9080",
    )

    assert result["failed"]
    assert_no_secret(json.dumps(result), result)


def test_ansible_prints_no_secret_at_its_most_talkative(
    server: Server, proxy: Proxy, key: Path, tmp_path: Path
) -> None:
    situation(server)
    all_tasks = tasks(server, proxy, key)
    # In a file of their own, since Ansible shows the lines of a play where a task of it fails.
    variables = tmp_path / "variables.json"
    variables.write_text(
        json.dumps({"args": [args for _, args in all_tasks], **ways.variables(server.python)})
    )
    playbook = tmp_path / "play.yml"
    play = [
        {
            "name": f"{number}. {module}",
            f"dalp.restate.restate_{module}": {name: f"{{{{ args[{number}].{name} }}}}" for name in args},
            "ignore_errors": True,
        }
        for number, (module, args) in enumerate(all_tasks)
    ]
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": play}]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "--diff", str(playbook)]

    printed = subprocess.run(
        [*command, "-i", "localhost,", "-c", "local", "-e", f"@{variables}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert f"ok={len(all_tasks)}" in printed.stdout, printed.stdout + printed.stderr
    lines = (printed.stdout + printed.stderr).splitlines()
    assert_no_secret("\n".join(lines), [line for line in lines if any(secret in line for secret in SECRETS)])
