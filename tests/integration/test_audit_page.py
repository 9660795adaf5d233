# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of an audit log."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from tests.integration.audit_log import records, recovery, result_of
from tests.integration.playbook import playbook
from tests.integration.proxy import Proxy, answer
from tests.integration.server import Server

HOSTILE = {
    "key": "</dd></dl><script>alert('key')</script><img src=x onerror=alert(1)>",
    "reason": "\"><svg onload='alert(2)'></style><iframe src=javascript:alert(3)> {{ 7 * 191 }} {% raw %} | `x`",
    "failure": "<details open ontoggle=alert(4)></pre><article class=hostile><b>bold</b>",
}
TAGS_OF_THE_PAGE = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "article", "span"),
    *("dl", "dt", "dd", "code", "details", "summary", "pre"),
}
ATTRIBUTES_OF_THE_PAGE = {"lang", "charset", "http-equiv", "content", "name", "class"}


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def foreign(self) -> set[str]:
        """Elements and attributes that the template does not have."""
        names = {name for name, _value in self.attributes}
        return (set(self.tags) - TAGS_OF_THE_PAGE) | (names - ATTRIBUTES_OF_THE_PAGE)


def test_the_page_shows_hostile_texts_as_texts(
    server: Server, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    # What is looked for below would be found.
    assert {"script", "img", "onerror"} <= Page(HOSTILE["key"]).foreign
    assert {"svg", "onload"} <= Page(HOSTILE["reason"]).foreign
    assert {"b", "ontoggle"} <= Page(HOSTILE["failure"]).foreign
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
    page = Page(path.read_text(encoding="utf-8"))
    assert page.foreign == set()
    assert page.tags.count("article") == len(records(log)) == 4
    classes = {value for name, value in page.attributes if name == "class"}
    assert classes == {"verdict", "list", "badge", "failed", "succeeded", "planned"}
    for text in HOSTILE.values():
        assert text in page.text
    markdown = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "<" not in markdown
    assert "1337" not in markdown + page.text
    assert {len(line.replace("\\|", "").split("|")) for line in markdown.splitlines() if line[:1] == "|"} == {
        10
    }
