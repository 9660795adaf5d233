# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page as Markdown, for a ticket or a chat."""

from __future__ import annotations

import html
import re
import typing as t

from .page import Block, Card, Cell, Command, Drawing, Facts, Folded, Listing, Page, Raw, Table, Text, Word
from .texts import visible

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")
_BEGINNING = re.compile(r"^(\d*)([-+#=.)])")
"""What makes a heading or a list of a line that begins with it."""


def as_markdown(page: Page) -> str:
    """Return the page as Markdown."""
    told = [f"# {_text(page.title)}", f"**{_text(page.verdict.text)}**", *_facts(page.facts)]
    for section in page.sections:
        told.append(f"## {_text(section.title)}")
        for block in section.blocks:
            told += _block(block, 3)
    return "\n\n".join(told) + "\n"


def _text(text: t.Any) -> str:
    """Return a text of one line, in which nothing is markup."""
    told = html.escape(" ".join(visible(text).split()), quote=False)
    return _BEGINNING.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", told))


def _cell(cell: Cell) -> str:
    if isinstance(cell, Word):
        return _text(f"{cell.text}: {cell.more}" if cell.more else cell.text)
    return _text(cell if isinstance(cell, str) else cell.text)


def _block(block: Block, level: int) -> list[str]:
    if isinstance(block, Card):
        heading = f"{'#' * level} {_text(block.title)}: {_text(block.word.text)}"
        return [heading, *(line for each in block.blocks for line in _block(each, level + 1))]
    if isinstance(block, Folded):
        heading = f"{'#' * level} {_text(block.title)}"
        return [heading, *(line for each in block.blocks for line in _block(each, level + 1))]
    return _leaf(block)


def _leaf(block: Text | Facts | Table | Command | Listing | Raw | Drawing) -> list[str]:
    if isinstance(block, Text):
        return [_text(block.text)]
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Listing):
        return ["\n".join(f"- {_text(item)}" for item in block.items)]
    if isinstance(block, Command):
        return [f"{_text(block.label)}:", _fenced(block.line)]
    if isinstance(block, Raw):
        return [f"{_text(block.label)}:", _fenced(block.text)]
    return _table(block.table if isinstance(block, Drawing) else block)


def _facts(facts: Facts) -> list[str]:
    return ["\n".join(f"- {_text(term)}: {_cell(cell)}" for term, cell in facts.rows)] if facts.rows else []


def _table(table: Table) -> list[str]:
    rows = [[_text(column) for column in table.columns], ["---"] * len(table.columns)]
    rows += [[_cell(cell) for cell in row] for row in table.rows]
    return [f"{_text(table.caption)}:", "\n".join(f"| {' | '.join(row)} |" for row in rows)]


def _fenced(text: str) -> str:
    """Return text in a fence that nothing in it ends."""
    shown = visible(text)
    longest = max((len(found) for found in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"
