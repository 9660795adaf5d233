# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that people read."""

from __future__ import annotations

import typing as t


class Line(t.NamedTuple):
    """A line, and the colour in which a terminal shows it."""

    text: str
    colour: str | None = None
