# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extra variables as they were written.

YAML reads a workflow's key such as 0123 as the number 83, 12:34 as 754 and 2026-11-28 as a date. AWX quotes what was
answered, with a tag that ansible-core takes from 2.19 on for a reason to look at it as if it were not quoted.
"""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import yaml

# These make a text of every scalar, whatever its tag. The fast one, for files, takes no subclass of str as Ansible has.
_OF_TEXT = yaml.BaseLoader
_OF_FILES = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def as_written(name: str, value: t.Any, extra_vars: t.Sequence[str]) -> t.Any:
    """Return a variable's value with the texts that it was made of, where a file of the O(extra_vars) has them."""
    if value is None or isinstance(value, str):
        return value
    for given in reversed(extra_vars):
        content = _content_of(given[1:]) if given.startswith("@") else {}
        if name in content:
            return _with_texts(value, content[name])
    return value


def texts_in(content: str) -> t.Any:
    """Return what YAML holds, each scalar as the text that it was written as; raise yaml.YAMLError for other text."""
    return yaml.load(content, Loader=_OF_TEXT)


def _with_texts(value: t.Any, written: t.Any) -> t.Any:
    if isinstance(value, dict) and isinstance(written, dict):
        return {name: _with_texts(each, written.get(name)) for name, each in value.items()}
    if isinstance(value, list) and isinstance(written, list) and len(value) == len(written):
        return [_with_texts(*pair) for pair in zip(value, written, strict=True)]
    return written if isinstance(written, str) and _is_read_as(written, value) else value


def _is_read_as(written: str, value: t.Any) -> bool:
    """Whether YAML makes a value that is no text of what is written, which a template, for one, does not come from."""
    try:
        return not isinstance(value, str) and value is not None and bool(yaml.safe_load(written) == value)
    except yaml.YAMLError:
        return False


@functools.cache
def _content_of(path: str) -> dict[str, t.Any]:
    try:
        found = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_OF_FILES)
    except (OSError, ValueError, yaml.YAMLError):
        # Ansible has read it; what is encrypted is not text here.
        return {}
    return found if isinstance(found, dict) else {}
