# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of an audit log."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.audit_log import records, recovery, result_of
from tests.integration.playbook import playbook
from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server
from tests.unit.seen_page import SeenPage

HOSTILE = {
    "key": "</dd></dl><script>alert('key')</script><img src=x onerror=alert(1)>",
    "reason": "\"><svg onload='alert(2)'></style><iframe src=javascript:alert(3)> {{ 7 * 191 }} {% raw %} | `x`",
    "failure": "<details open ontoggle=alert(4)></pre><article class=hostile><b>bold</b>",
}


def test_the_page_shows_hostile_texts_as_texts(
    server: Server, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    # What is looked for below would be found.
    assert {"script", "img", "onerror"} <= SeenPage(HOSTILE["key"]).foreign
    assert {"iframe", "onload"} <= SeenPage(HOSTILE["reason"]).foreign
    assert {"b", "ontoggle"} <= SeenPage(HOSTILE["failure"]).foreign
    server.release("release-1")
    proxy.once("GET", "^/version", *[answer(500, {"message": HOSTILE["failure"]})] * 2)
    for admin in (proxy.url, server.admin_url):
        for check in (False, True):
            args = recovery(admin, log, HOSTILE["key"], reason=HOSTILE["reason"], audit_detail="full")
            result_of("recover_workflow", **args, _ansible_check_mode=check)
    assert HOSTILE["failure"] in str(records(log)[0]["data"]["error_message"])
    path = tmp_path / "report.html"

    ran = playbook("audit_report", tmp_path, restate_audit_log=str(log), restate_audit_page=str(path))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    page = SeenPage(path.read_text(encoding="utf-8"))
    assert page.foreign == set()
    assert len(records(log)) == 4
    # Each attempt is a run of its own: the servers, or the kinds, differ.
    assert page.tags.count("article") == page.tags.count("table") == 4
    # Each record is a row, and is whole for whoever asks.
    assert page.tags.count("details") == 4
    for text in HOSTILE.values():
        assert text in page.text
    markdown = path.with_suffix(".md").read_text(encoding="utf-8")
    # In a fence, nothing is markup.
    assert "<" not in re.sub(r"^(`{3,})text\n.*?\n\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    assert "1337" not in markdown + page.text
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(line.replace("\\|", "").split("|")) for line in rows} == {8}
