# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a site calls secret is hidden in what others wrote, and in nothing that a task or a person steers by."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import playbook
from tests.integration.server import Server
from tests.integration.three_runs import compared

HOSTILE = "a\n\nNEXT\n\x1b[32mansible-playbook evil\x1b[0m\u202e"


def run(server: Server, name: str, tmp_path: Path, *options: str, **more: Any) -> Any:
    variables = {"restate_admin_url": server.admin_url, "restate_ingress_url": server.ingress_url}
    return playbook(name, tmp_path, *options, **{**variables, **more})


def recovery(server: Server, *keys: str, **more: Any) -> dict[str, Any]:
    asked = [{"service_name": "OrderWorkflow", "service_key": key} for key in keys]
    return server.task("recover_workflow", workflows=asked, **more)


@pytest.mark.parametrize("pattern", ["failed", "a+", "[A-Za-z0-9]{20,}", r"\d", "(?s).+", "OrderWorkflow"])
def test_a_pattern_decides_on_nothing(pattern: str, server: Server) -> None:
    server.release("release-1")
    server.order("failed", "fail")
    server.order("running", "wait")
    plain = recovery(server, "failed", "running", check=True)
    hidden = recovery(server, "failed", "running", check=True, redact_patterns=[pattern])
    for name in ("failed", "changed", "summary", "steps"):
        assert hidden.get(name) == plain.get(name)
    assert hidden["error"]["code"] == plain["error"]["code"]
    for told, entry in zip(hidden["results"], plain["results"], strict=True):
        kept = set(entry) - {"failure", "message", "cleared"}
        assert {name: told[name] for name in kept} == {name: entry[name] for name in kept}
    doctor, plain_doctor = (server.task("doctor", redact_patterns=each) for each in ([pattern], []))
    [told], [entry] = doctor["invocations"]["recent_failures"], plain_doctor["invocations"]["recent_failures"]
    assert {**told, "failure": ""} == {**entry, "failure": ""}
    assert without_times(doctor) == without_times(plain_doctor)


def without_times(doctor: dict[str, Any]) -> str:
    text = json.dumps(compared({**doctor, "invocations": {}}), sort_keys=True)
    return re.sub(r'"latency_ms": \d+', "", text)


def test_a_key_is_hidden_where_people_read_it_and_whole_where_tasks_do(
    server: Server, tmp_path: Path
) -> None:
    server.release("release-1")
    server.order("card-4711", "fail")
    server.order("card-4712", "wait")
    log = tmp_path / "audit.log"
    given = {"redact_patterns": [r"card-\d+"], "audit_log": str(log), "audit_detail": "full"}

    result = recovery(server, "card-4711", "card-4712", **given)

    assert {entry["service_key"] for entry in result["results"]} == {"card-4711", "card-4712"}
    assert recovery(server, *[entry["service_key"] for entry in result["results"]], check=True)["results"]
    for people_read in (result["msg"], result["error"], result["diff"], result["audit"], log.read_text()):
        assert "card-47" not in json.dumps(people_read)
    assert "OrderWorkflow/(hidden)" in json.dumps(result["diff"])


def test_the_summary_and_the_page_of_a_runbook_hide_a_key(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("card-4711", "fail")
    server.order("card-4712", "wait")
    ran = run(
        server,
        "recover_workflow",
        tmp_path,
        restate_workflows=[
            {"service_name": "OrderWorkflow", "service_key": f"card-{number}"} for number in (4711, 4712)
        ],
        restate_redact_patterns=["card-47.."],
        restate_report="report",
    )
    assert ran.returncode == 2, ran.stdout
    summary = ran.stdout.partition("FOUND")[2].partition("PLAY RECAP")[0].partition("RECORDED")[0]
    assert "OrderWorkflow/(hidden)" in summary
    for text in (summary, *((tmp_path / f"report.{kind}").read_text() for kind in ("html", "md"))):
        assert "card-47" not in text


@pytest.mark.parametrize("pattern", ["failed", "a+", "."])
def test_a_failed_run_is_red_and_its_summary_whole(pattern: str, server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("order-1", "wait")
    ran = run(
        server,
        "recover_workflow",
        tmp_path,
        restate_service_name="OrderWorkflow",
        restate_service_key="order-1",
        restate_redact_patterns=[pattern],
    )
    assert ran.returncode == 2, ran.stdout
    for heading in ("FAILED;", "FOUND", "DONE", "LEFT", "NEXT", "RECORDED"):
        assert heading in ran.stdout
    assert "ansible-playbook dalp.restate.recover_workflow" in ran.stdout


def test_a_pattern_that_takes_years_ends_and_the_task_with_it(server: Server) -> None:
    server.release("release-1")
    key = "a" * 40 + "!"
    server.order(key, "fail")
    began = time.monotonic()

    result = recovery(server, key, redact_patterns=["(a+)+$"])

    assert time.monotonic() - began < 20
    assert (result["failed"], result["changed"]) == (False, True)
    assert result["results"][0]["service_key"] == key
    assert key not in result["msg"]
    assert "redact_patterns took longer" in str(result["warnings"])


def test_how_many_patterns_there_are_is_told_and_none_of_them(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    result = server.task("doctor", redact_patterns=["hunter22", "x"], audit_log=str(log))
    assert result["invocation"]["module_args"]["redact_patterns"] == "2 hidden"
    assert "hunter22" not in json.dumps(result) + log.read_text()
    ran = run(server, "doctor", tmp_path, "-vvv", "-e", "restate_redact_patterns=hunter22")
    told = [line for line in ran.stdout.splitlines() if "hunter22" in line and "EXEC" not in line]
    assert told == []


def test_a_key_with_control_characters_forges_no_line_of_a_summary(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order(HOSTILE, "wait")
    ran = run(
        server,
        "recover_workflow",
        tmp_path,
        restate_service_name="OrderWorkflow",
        restate_service_key=HOSTILE,
        restate_report="report",
    )
    assert ran.returncode == 2, ran.stdout
    lines = ran.stdout.splitlines()
    assert lines.count("NEXT") == 1
    assert not [line for line in lines if "\x1b" in line or line.startswith("ansible-playbook evil")]
    assert "OrderWorkflow/a\\n\\nNEXT\\n\\u001b[32mansible-playbook evil" in ran.stdout
    markdown = (tmp_path / "report.md").read_text()
    assert "\x1b" not in markdown
    assert "\nNEXT\n" not in markdown
