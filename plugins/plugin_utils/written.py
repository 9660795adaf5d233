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

# It makes a text of every scalar, whatever its tag.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def as_written(name: str, value: t.Any, extra_vars: t.Sequence[str]) -> t.Any:
    """Return the text that a variable's value was made of, where a file of the O(extra_vars) has it; or the value."""
    if value is None or isinstance(value, (str, list, dict)):
        return value
    for given in reversed(extra_vars):
        text = _texts(given[1:]).get(name) if given.startswith("@") else None
        if isinstance(text, str):
            return text if yaml.safe_load(text) == value else value
    return value


def texts_in(content: str) -> t.Any:
    """Return what YAML holds, each scalar as the text that it was written as; raise yaml.YAMLError for other text."""
    return yaml.load(content, Loader=_LOADER)


@functools.cache
def _texts(path: str) -> dict[str, t.Any]:
    try:
        found = texts_in(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        # Ansible has read it; what is encrypted is not text here.
        return {}
    return found if isinstance(found, dict) else {}
