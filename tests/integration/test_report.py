# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run, on a real Restate."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playbook import playbook
from tests.integration.server import Server
from tests.unit.seen_page import SeenPage

TOKEN = "tok-8c1e5b7d20"
PASSWORD = "pwd-1d7b3e9f55"


def run(
    server: Server, name: str, tmp_path: Path, *options: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    variables = {"restate_admin_url": server.admin_url, "restate_ingress_url": server.sandbox.ingress_url}
    return playbook(name, tmp_path, *options, **{**variables, **more})


def page(path: Path) -> SeenPage:
    seen = SeenPage(path.read_text(encoding="utf-8"))
    assert seen.foreign == set()
    return seen


def test_a_release_leaves_a_report_of_what_it_would_do_and_one_of_what_it_did(
    server: Server, tmp_path: Path
) -> None:
    old = server.release("release-1")
    server.order("order-1", "ok")
    failed = server.order("order-2", "fail")
    url = server.serve("release-2", "release-2")
    before = server.snapshot()
    secret = {"restate_auth_token": TOKEN, "restate_service_url": url}

    dry = run(server, "release", tmp_path, "--check", restate_report="dry/report.html", **secret)

    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert server.snapshot() == before
    html, markdown = tmp_path / "dry" / "report.html", tmp_path / "dry" / "report.md"
    assert f"REPORT\n{html}\n{markdown}\n" in dry.stdout
    assert {stat.S_IMODE(file.stat().st_mode) for file in (html, markdown)} == {0o600}
    text = page(html).text
    for told in (f"register {url}", "would be done", "would be registered", old.id, "would be removed"):
        assert told in text
    assert "not examined again: a dry run changes nothing" in text

    # Userinfo and a token are not taken together.
    del secret["restate_auth_token"]
    admin = server.admin_url.replace("://", f"://ops:{PASSWORD}@")
    real = run(server, "release", tmp_path, restate_report="real", **secret, restate_admin_url=admin)

    assert real.returncode == 0, real.stdout + real.stderr
    new = server.service("OrderWorkflow")["deployment_id"]
    seen = page(tmp_path / "real.html")
    for told in (
        "Restate was changed as told below.",
        f"register {url}",
        "done",
        new,
        "registered",
        "removed",
    ):
        assert told in seen.text
    assert f"{new} at {url}/: registered; " in seen.text or f"{new} at {url}: registered; " in seen.text
    assert "OrderWorkflow revision 2 (latest)" in seen.text
    assert "payment provider refused the card" not in seen.text
    assert failed
    pages = "".join(file.read_text() for file in (*tmp_path.glob("*/report.*"), *tmp_path.glob("real.*")))
    assert TOKEN not in pages
    assert PASSWORD not in pages


def test_a_run_that_fails_leaves_a_report_too(server: Server, tmp_path: Path) -> None:
    old = server.release("release-1")
    server.order("order-1", "wait")
    url = server.serve("release-2", "release-2")

    ran = run(
        server, "release", tmp_path, restate_service_url=url, restate_drain_timeout=0, restate_report="report"
    )

    assert ran.returncode == 2
    text = page(tmp_path / "report.html").text
    assert "RESTATE_DRAIN_TIMEOUT" in text
    assert f"remove once drained {old.url}" in text
    assert "stays: drain_timeout" in text
    assert "1 invocation pending" in text
    assert "1 pending" in text


def test_a_recovery_of_many_keys_tells_of_each_how_it_had_failed(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    for number in range(30):
        server.submit("OrderWorkflow", f"bad-{number}", "run", {"mode": "fail"})
    for number in range(30):
        server.order(f"bad-{number}", "fail")
    variables = {"restate_limit": 100, "restate_snapshot_dir": "kept", "restate_report": "report.html"}

    ran = run(server, "recover_failed", tmp_path, **variables)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    seen = page(tmp_path / "report.html")
    assert all(f"OrderWorkflow/bad-{number}" in seen.text for number in range(30))
    assert seen.text.count("payment provider refused the card") >= 31
    assert "All 30, one by one" in seen.text
    assert "gone" in seen.text
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert markdown.count("payment provider refused the card") >= 31


def test_a_pattern_of_the_site_hides_a_failure_in_the_report(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("order-2", "fail")
    ran = run(
        server,
        "recover_workflow",
        tmp_path,
        restate_service_name="OrderWorkflow",
        restate_service_key="order-2",
        restate_redact_patterns=["refused the card"],
        restate_report="report",
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = page(tmp_path / "report.html").text
    assert "payment provider (hidden)" in text
    assert "refused the card" not in text + (tmp_path / "report.md").read_text(encoding="utf-8")


def test_of_several_hosts_each_has_a_report(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    ran = run(server, "doctor", tmp_path, "-i", "other,", restate_report="report.html")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for host in ("localhost", "other"):
        assert f"Examination on {host}" in page(tmp_path / f"report-{host}.html").text


@pytest.mark.parametrize("given", ["taken/report.html", "."])
def test_a_report_that_cannot_be_written_stops_a_run_before_it_begins(
    given: str, server: Server, tmp_path: Path
) -> None:
    url = server.serve("release-2", "release-2")
    (tmp_path / "taken").write_text("")
    before = server.snapshot()

    ran = run(server, "release", tmp_path, restate_service_url=url, restate_report=given)

    assert ran.returncode == 2
    assert "restate_report" in ran.stdout
    assert "Nothing was touched." in ran.stdout
    assert server.snapshot() == before
