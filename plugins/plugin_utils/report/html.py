# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page as HTML: one file that needs nothing else and runs nothing."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .page import Code, Page, Word
from .texts import visible


def as_html(page: Page) -> str:
    """Return the page as HTML."""
    return _environment().get_template("page.html.j2").render(page=page) + "\n"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {
        "word": lambda cell: isinstance(cell, Word),
        "code": lambda cell: isinstance(cell, Code),
    }
    return environment


def _finalized(value: t.Any) -> t.Any:
    """Return what is shown of a value: our own markup as it is, all else as visible text."""
    return value if isinstance(value, Markup) else visible(value)
