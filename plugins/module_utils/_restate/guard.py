# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a dry run from writing."""

from __future__ import annotations


class WriteInCheckModeError(Exception):
    """A write call was about to leave in check mode: a mistake in this collection, never an operator's."""
