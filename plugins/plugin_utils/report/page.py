# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a page says, before it is HTML or Markdown: a heading, a verdict, and sections of a few kinds of blocks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .picture import Picture

GOOD, BAD, WARN, INFO, QUIET = "good", "bad", "warn", "info", "quiet"
"""The tones of a word. What a tone says, the word says, too: not everybody sees colours."""


@dataclass(frozen=True)
class Word:
    """A word that tells a state, and what more is to be said of it."""

    text: str
    tone: str = QUIET
    more: str = ""


@dataclass(frozen=True)
class Code:
    """A name that somebody may copy: an id, a code."""

    text: str


Cell = str | Word | Code


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: str = ""
    kind: t.ClassVar[str] = "text"


@dataclass(frozen=True)
class Facts:
    """Terms, and what they are here."""

    rows: t.Sequence[tuple[str, Cell]]
    kind: t.ClassVar[str] = "facts"


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names it."""

    caption: str
    columns: t.Sequence[str]
    rows: t.Sequence[t.Sequence[Cell]]
    kind: t.ClassVar[str] = "table"


@dataclass(frozen=True)
class Command:
    """What can be pasted into a shell."""

    label: str
    line: str
    kind: t.ClassVar[str] = "command"


@dataclass(frozen=True)
class Listing:
    """Some lines of text."""

    items: t.Sequence[str]
    kind: t.ClassVar[str] = "listing"


@dataclass(frozen=True)
class Raw:
    """Text whose lines are kept, such as JSON."""

    label: str
    text: str
    kind: t.ClassVar[str] = "raw"


@dataclass(frozen=True)
class Drawing:
    """A picture, with the table that says the same."""

    picture: Picture
    table: Table
    kind: t.ClassVar[str] = "drawing"


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown when somebody asks for them."""

    title: str
    blocks: t.Sequence[Block]
    kind: t.ClassVar[str] = "folded"


@dataclass(frozen=True)
class Card:
    """Blocks that belong together, under a heading of their own."""

    title: str
    word: Word
    blocks: t.Sequence[Block]
    kind: t.ClassVar[str] = "card"


Block = Text | Facts | Table | Command | Listing | Raw | Drawing | Folded | Card


@dataclass(frozen=True)
class Section:
    """A part of a page; O(name) is what links to it."""

    name: str
    title: str
    blocks: t.Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A page: its title, how it ended, what it is about, and its sections."""

    title: str
    words: t.Sequence[Word]
    verdict: Text
    facts: Facts
    sections: t.Sequence[Section]
