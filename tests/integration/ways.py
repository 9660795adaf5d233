# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two ways in which tasks run: in Ansible's own process, or as modules that are sent. The tests are the same."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

IN_PROCESS = "in process"
AS_MODULE = "as a module"

_current = IN_PROCESS


@contextlib.contextmanager
def run_tasks(way: str) -> Iterator[None]:
    """Let all tasks run in this way until the end of the context."""
    global _current
    before, _current = _current, way
    try:
        yield
    finally:
        _current = before


def variables(python: str = sys.executable) -> dict[str, object]:
    """Return the variables of a task that has this interpreter; only what has Ansible's own runs in its process."""
    return {"ansible_python_interpreter": python, "dalp_restate_in_process": _current == IN_PROCESS}


def python_of_way(for_modules: str) -> str:
    """Return the interpreter that tasks are given: the one for modules where these are sent."""
    return sys.executable if _current == IN_PROCESS else for_modules
