# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages that people read name what is there, and lead to one another."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [*PAGES, *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("roles/*/README.md"))]

sys.path.append(str(ROOT / "scripts"))
error_codes_page: Any = importlib.import_module("error_codes_page")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tokens_of(path: Path) -> list[Token]:
    """Return what the lines of a text are made of."""
    blocks = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    return [child for block in blocks for child in block.children or []]


def links(path: Path) -> list[str]:
    """Return where the links and pictures of a text lead to, but for those to other sites."""
    found = [str(token.attrGet("href") or token.attrGet("src") or "") for token in tokens_of(path)]
    return [link for link in found if link and not re.match(r"https?:|mailto:", link)]


def anchors(path: Path) -> set[str]:
    """Return the names that the headings of a text have in links, on GitHub as on the site."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)">', path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_lead_to_a_file_and_a_heading_that_are_there(path: Path) -> None:
    for link in links(path):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_every_page_is_in_the_contents_of_the_site() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    listed = {re.sub(r".*<(.*)>", r"\1", line) for line in lines}
    assert listed == {page.stem for page in PAGES} - {"index"} | {"changelog", "reference/index"}


def test_the_readme_names_each_module_and_playbook_and_is_short() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("restate_*.py")}
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert set(re.findall(r"^\| `dalp\.restate\.(\w+)`", README, re.MULTILINE)) == modules | playbooks
    assert len(README.splitlines()) <= 100


def test_the_page_of_playbooks_names_each_of_them() -> None:
    page = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yml")} == set(
        re.findall(r"^\| `dalp\.restate\.(\w+)` \|", page, re.MULTILINE)
    )


def test_each_word_is_told_in_a_sentence_or_two() -> None:
    text = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^## (\w+)\n\n(.+?)\n(?:\n|\Z)", text, re.MULTILINE))
    assert set(WORDS) <= told.keys()
    assert all(len(sentence) < 200 and sentence.endswith(".") for sentence in told.values())


# What is no word of Restate there: results have keys, too, and a task keeps a journal of its own.
OF_ANOTHER_MEANING = {("contributing", "key"), ("how-it-works", "journal")}
# The words themselves, and the figures.
WITHOUT_LINKS = ("words", "benchmark")
WORDS = ("pinned", "journal", "zombie", "superseded", "drained", "key")


def first_link(page: Path, word: str) -> str | None:
    """Return where a word leads to where it first stands in the text of a page; None where it does not stand there."""
    stands = re.compile(rf"(?<!API )\b{word}s?\b")
    link = ""
    for token in tokens_of(page):
        if token.type == "link_open":
            link = str(token.attrGet("href"))
        elif token.type == "link_close":
            link = ""
        elif token.type == "text" and stands.search(token.content):
            return link
    return None


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in WITHOUT_LINKS], ids=name_of)
def test_a_word_is_linked_to_its_meaning_where_it_first_stands(page: Path, word: str) -> None:
    if (page.stem, word) not in OF_ANOTHER_MEANING:
        assert first_link(page, word) in (None, f"words.md#{word}")


# Error codes


def test_the_page_of_error_codes_is_that_of_the_code() -> None:
    written = error_codes_page.PAGE.read_text(encoding="utf-8")
    assert written == error_codes_page.page(), "run make docs-errors"
    assert all(f"| `{code}` |" in written for code in ERROR_CODES)


def test_every_code_of_restate_that_a_message_or_a_rule_names_is_on_the_page() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins").rglob("*.py"))
    named = set(re.findall(r"\b(?:RT|META)\d{4}\b", sources))
    rows = set(re.findall(r"^\| `((?:RT|META)\d{4})` \|", error_codes_page.page(), re.MULTILINE))
    assert rows == named


@pytest.mark.parametrize("code", sorted(error_codes_page.OF_RESTATE))
def test_a_code_of_restate_has_a_meaning_and_a_remedy(code: str) -> None:
    assert error_codes_page.meaning_of(code).endswith(".")
    assert error_codes_page.remedy_of(code).endswith(".")


FINDINGS = re.findall(
    r"^\| (`[^|]*)", (ROOT / "docs" / "findings.md").read_text(encoding="utf-8"), re.MULTILINE
)
CODES_OF_FINDINGS = {code for cell in FINDINGS for code in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in WITHOUT_LINKS], ids=name_of)
def test_a_page_that_names_a_code_leads_to_what_it_means(page: Path) -> None:
    text, led_to = page.read_text(encoding="utf-8"), {link.partition("#")[0] for link in links(page)}
    codes = set(re.findall(r"\b(?:RESTATE|OFFCHAIN)_[A-Z_]+\b", text)) & ERROR_CODES.keys()
    if page.stem != "error-codes" and (codes or re.search(r"\b(?:RT|META)\d{4}\b", text)):
        assert "error-codes.md" in led_to
    if page.stem != "findings" and CODES_OF_FINDINGS & set(re.findall(r"`([A-Z_]+)`", text)):
        assert "findings.md" in led_to


# What the site shows of the collection


def test_the_site_leads_to_the_repository_that_galaxy_names() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    links_file = yaml.safe_load((ROOT / "docs" / "docsite" / "links.yml").read_text(encoding="utf-8"))
    assert galaxy["repository"].endswith(links_file["edit_on_github"]["repository"])
    assert f"repository={galaxy['repository']}/blob/main" in (ROOT / "scripts" / "site.sh").read_text()
