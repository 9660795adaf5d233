# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations as people write them."""

from __future__ import annotations

import re

from .._errors import OperatorError

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(option: str, text: str) -> int:
    """Return the seconds in C(90), C(90s), C(15m), C(2h), C(3d) or C(1w); O(option) names it in the error."""
    match = re.fullmatch(r"(\d+)\s*([smhdw]?)", text.strip())
    if not match:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{option} must be a duration like 90s, 15m, 2h or 3d; it is {text!r}.",
        )
    return int(match[1]) * _SECONDS[match[2]]
