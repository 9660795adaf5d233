# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a process's log, for error messages."""

from __future__ import annotations

from pathlib import Path

_MAX_CHARACTERS = 4000


def log_tail(log: Path) -> str:
    """Give the end of a log file, for an error message."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return text[-_MAX_CHARACTERS:].strip() or "(the log is empty)"
