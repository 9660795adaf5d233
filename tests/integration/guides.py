# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the guides and the modules' documentation show: snippets, commands, and the output beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("roles/*/README.md"))]

_ELLIPSIS = "..."
_ID = re.compile(r"\b(dp|inv)_(\w+|\.\.\.)+")
_DIGEST = re.compile(r'(?<=": ")\w+,1,[^"]*')
_SLASH_AT_THE_END = re.compile(r"(https?://[\w.-]+(?::\d+)?)/(?=[\s,;:']|$)")


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
    """A command as a guide shows it, with the lines of its output that it shows."""

    text: str
    shown: tuple[str, ...]

    @property
    def is_shown_to_fail(self) -> bool:
        """Whether the guide lets the reader expect a failure."""
        return any(": FAILED; " in line for line in self.shown)


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
        lines = block.splitlines()
        command = [lines.pop(0)]
        while command[-1].endswith("\\"):
            command.append(lines.pop(0))
        yield Command("\n".join(command), tuple(line for line in lines if line and line != _ELLIPSIS))


def replaced(text: str, names: Mapping[str, str]) -> str:
    """Return a text with one set of names in place of another; the longest is taken first."""
    found = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    return found.sub(lambda match: names[match[0]], text)


def missing_lines(shown: tuple[str, ...], output: str) -> list[str]:
    """Return the lines that are shown and that the output does not have, in this order; ids and digests aside."""
    seen = iter(_comparable(line) for line in output.splitlines())
    return [line for line in shown if _comparable(line) not in seen]


def _comparable(line: str) -> str:
    known = _ID.sub(r"\1_", _DIGEST.sub(_ELLIPSIS, line))
    return _SLASH_AT_THE_END.sub(r"\1", known).strip()
