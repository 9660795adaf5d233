# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a dry run from writing, and tells of the first write before it is sent."""

from __future__ import annotations

import typing as t


class WriteInCheckModeError(Exception):
    """A write call was about to leave in check mode: a mistake in this collection, never an operator's."""


class WriteGuard:
    """Asked before each write call. Whatever O(before_first_write) raises keeps the first one from being sent."""

    def __init__(self, *, check_mode: bool, before_first_write: t.Callable[[], None] | None = None) -> None:
        self.check_mode = check_mode
        self.wrote = False
        self._before_first_write = before_first_write

    def authorize_write(self, call: str) -> None:
        """Let a write call through; raise WriteInCheckModeError in check mode."""
        if self.check_mode:
            raise WriteInCheckModeError(call)
        if not self.wrote and self._before_first_write:
            self._before_first_write()
        self.wrote = True
