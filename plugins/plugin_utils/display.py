# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows lines to people while a task runs, beside what Ansible's callback prints."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.utils.color import stringc
from ansible.utils.display import Display

from .lines import Line

_FOR_MACHINES = ("json", "jsonl", "null")
"""The callbacks whose output is read by machines, or is to be none; in whichever collection they are."""


def show(lines: t.Sequence[Line]) -> None:
    """Show lines at once, so that those of two hosts do not mix. The log has no colours."""
    callback = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
    screen_is_for_people = callback.rpartition(".")[2] not in _FOR_MACHINES
    if screen_is_for_people:
        Display().display("\n".join(map(_coloured, lines)), screen_only=True)
    Display().display("\n".join(line.text for line in lines), log_only=True)


def _coloured(line: Line) -> str:
    return str(stringc(line.text, line.colour)) if line.colour else line.text
