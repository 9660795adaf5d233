# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the guides and the modules' documentation show: snippets, commands, and the output beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("roles/*/README.md"))]

_ELLIPSIS = "...\n"
_ID = re.compile(r"\b(dp|inv)_1\w{20,}")
_DIGEST = re.compile(r'(?<=": ")\w+,1,[^"]*')
_SUMMARY = re.compile(
    r"^TASK \[dalp\.restate\.runbook : Summary\].*\n((?:.*\n)*?)(?:ok|fatal): ", re.MULTILINE
)
# The headline, or the heading of a part; what follows it changes from run to run.
_TITLE = re.compile(r"[A-Z].* on [\w-]+(?=: )|[A-Z][A-Z ]+\b")


@dataclass(frozen=True)
class Snippet:
    """A block of code in a guide, and the heading that it stands under."""

    guide: str
    number: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.guide}-{self.number}"


@dataclass(frozen=True)
class Command:
    """A command as a guide shows it, and what it shows of its output."""

    text: str
    shown: str

    @property
    def is_shown_to_fail(self) -> bool:
        """Whether the guide lets the reader expect a failure."""
        return ": FAILED; " in self.shown


def snippets(guide: Path) -> Iterator[Snippet]:
    """Yield the blocks of code of a guide."""
    heading = ""
    number = 0
    tokens = MarkdownIt().parse(guide.read_text(encoding="utf-8"))
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            heading = token.content
        if token.type == "fence":
            number += 1
            name = guide.relative_to(ROOT).as_posix()
            yield Snippet(name, number, heading, token.info, token.content)


def commands(text: str) -> Iterator[Command]:
    """Yield the commands of a block, each with what is shown of its output."""
    for block in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = block.splitlines(keepends=True)
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        yield Command("".join(lines[:end]).rstrip("\n"), "".join(lines[end:]))


def replaced(text: str, names: Mapping[str, str]) -> str:
    """Return a text with one set of names in place of another; the longest is taken first."""
    found = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    return found.sub(lambda match: names[match[0]], text)


def as_shown(shown: str, output: str) -> str:
    """Return what a guide is to show of an output: the parts of the summary that it shows, each whole.

    What changes from run to run, ids and digests, is left out, and so is what is between the parts.
    """
    wanted = [title for part in shown.split("\n\n") for title in _titles(part)]
    if not wanted:
        return ""
    [summary] = _SUMMARY.findall(output)
    parts = [f"{part.strip()}\n" for part in _DIGEST.sub("...", _ID.sub(r"\1_...", summary)).split("\n\n")]
    named = {title: part for part in parts for title in _titles(part)[:1]}
    missing = [title for title in wanted if title not in named]
    assert not missing, f"The summary has no {missing}:\n{summary}"
    chosen = [part if title in wanted else _ELLIPSIS for title, part in named.items()]
    return _joined([_ELLIPSIS, *chosen])


def _joined(parts: list[str]) -> str:
    """Return parts with a blank line between two that follow one another, and one ellipsis for those left out."""
    text = parts[0]
    for before, part in pairwise(parts):
        is_left_out = _ELLIPSIS in (before, part)
        text += "" if before == part == _ELLIPSIS else part if is_left_out else f"\n{part}"
    return text


def _titles(part: str) -> list[str]:
    """Return the titles that begin a line, of which each part of a summary has one."""
    return [match[0] for line in part.splitlines() if (match := _TITLE.match(line))]


def with_outputs(text: str, outputs: Iterable[str]) -> str:
    """Return a block of commands with what it is to show of their outputs."""
    told = zip(commands(text), outputs, strict=True)
    return "".join(f"$ {command.text}\n{as_shown(command.shown, output)}" for command, output in told)


def write(snippet: Snippet, text: str) -> None:
    """Write another text into a block of a guide."""
    path = ROOT / snippet.guide
    before, found, after = path.read_text(encoding="utf-8").partition(f"```console\n{snippet.text}```")
    assert found, f"{snippet} is not written as it is read"
    path.write_text(f"{before}```console\n{text}```{after}", encoding="utf-8")
