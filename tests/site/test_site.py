# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site that `make docs` has built: every link leads somewhere, and what people look for is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / ".build" / "site" / "html"


class Page(HTMLParser):
    """The links of a page, and the names in it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names |= {name for name in (given.get("id"), given.get("name")) if name}
        link = given.get("href") or given.get("src")
        if link and tag in ("a", "img", "link", "script"):
            self.links.append(link)


PAGES = {path: Page(path) for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts}


def broken_links() -> Iterator[str]:
    """Yield the links within the site that lead nowhere, each with its page."""
    for page in PAGES.values():
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            target, _, name = unquote(link).partition("#")
            path = (page.path.parent / target.partition("?")[0]).resolve() if target else page.path
            if not path.exists() or (name and path in PAGES and name not in PAGES[path].names):
                yield f"{page.path.name}: {link}"


def test_the_site_has_a_page_for_each_text_module_and_role() -> None:
    built = {path.relative_to(SITE).as_posix() for path in PAGES}
    expected = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    expected |= {
        f"reference/{path.stem}_module.html" for path in (ROOT / "plugins/modules").glob("restate_*.py")
    }
    expected |= {f"reference/{path.name}_role.html" for path in (ROOT / "roles").iterdir()}
    assert expected <= built


def test_no_link_of_the_site_is_broken() -> None:
    assert len(PAGES) > 30
    assert list(broken_links()) == []


def test_a_page_is_reached_from_the_first_one() -> None:
    reached = {SITE / "index.html"}
    coming = list(reached)
    while coming:
        page = PAGES[coming.pop()]
        for link in page.links:
            path = (page.path.parent / unquote(link).partition("#")[0]).resolve()
            if path in PAGES and path not in reached:
                reached.add(path)
                coming.append(path)
    assert {path.name for path in set(PAGES) - reached} <= {"search.html", "genindex.html"}


def body_of(name: str) -> str:
    """Return a page of the site without what stands around its text on every page."""
    return (SITE / name).read_text(encoding="utf-8").partition('role="main"')[2]


MODULES = [f"{path.stem}_module" for path in sorted((ROOT / "plugins/modules").glob("restate_*.py"))]
# These make things of others: AWX's, a sandbox, a page.
ROLES = {path.name for path in (ROOT / "roles").iterdir()} - {"awx", "sandbox", "audit_report"}


@pytest.mark.parametrize("name", [*MODULES, *(f"{role}_role" for role in sorted(ROLES))])
def test_the_page_of_what_can_fail_leads_to_the_codes_of_its_errors(name: str) -> None:
    assert 'href="../error-codes.html"' in body_of(f"reference/{name}.html")


@pytest.mark.parametrize("name", ["restate_doctor_module", "doctor_role", "runbook_role"])
def test_the_page_of_what_examines_leads_to_what_it_can_find(name: str) -> None:
    assert 'href="../findings.html"' in body_of(f"reference/{name}.html")


# What three people look for, by clicks in the text: on a phone, the contents are behind a button.

RELEASER = {
    "what does a release do with work that has begun": ("release.html", "drained"),
    "what would the release do, before I do it": ("release.html", "--check --diff"),
    "what does pinned mean": ("words.html", "it is pinned to that deployment"),
    "how do I go back": ("release.html", "dalp.restate.rollback"),
    "what else can become of pending work": ("reference/restate_cleanup_module.html", "to compensate"),
}
ON_CALL = {
    "something hangs: where do I begin": ("incident.html", "dalp.restate.doctor"),
    "what does PAUSED_INVOCATIONS mean": ("findings.html", "PAUSED_INVOCATIONS"),
    "what does RESTATE_DRAIN_TIMEOUT mean": ("error-codes.html", "RESTATE_DRAIN_TIMEOUT"),
    "what does RT0016 in a failure mean": ("error-codes.html", "RT0016"),
    "hundreds failed: how do I get all of them going": ("after-an-outage.html", "restate_limit"),
    "what is kept of what I destroy": ("after-an-outage.html", "snapshot_dir"),
}
AWX = {
    "what goes into the execution environment": ("awx.html", "ansible-builder"),
    "who may approve, and what": ("approved-plans.html", "plan_digest"),
    "where are the records when the container is gone": ("audit.html", "restate_audit_records"),
    "which versions of ansible-core and Python": ("support.html", "2.21"),
    "what can I set for a template": ("playbooks.html", "restate_drain_timeout"),
}


def clicks() -> dict[Path, int]:
    """Return how many clicks in the texts a page is away from the first one."""
    away = {SITE / "index.html": 0}
    coming = list(away)
    for path in coming:
        for link in re.findall(r'href="([^"#]+\.html)', body_of(path.relative_to(SITE).as_posix())):
            there = (path.parent / unquote(link)).resolve()
            if there in PAGES and there not in away:
                away[there] = away[path] + 1
                coming.append(there)
    return away


@pytest.mark.parametrize(("question", "where"), [*RELEASER.items(), *ON_CALL.items(), *AWX.items()])
def test_what_somebody_looks_for_is_two_clicks_from_the_first_page_at_most(
    question: str, where: tuple[str, str]
) -> None:
    page, answer = where
    assert clicks()[SITE / page] <= 2, question
    assert answer in re.sub(r"<[^>]+>", "", body_of(page)), question
