# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ids of invocations, as Restate writes them."""

from __future__ import annotations

import re
import string

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
_ID = re.compile(r"inv_1([0-9A-Za-z]{11})([0-9A-Za-z]{22})")


def is_invocation_id(text: str) -> bool:
    """Whether a text is an id: a partition key of 64 bits and 128 more, in base 62 after C(inv_1).

    A query that names anything else fails (crates/types/src/identifiers.rs of v1.7.6; seen on 1.5.3, 1.6.2 and 1.7.12).
    """
    match = _ID.fullmatch(text)
    return match is not None and _number(match[1]) < 2**64 and _number(match[2]) < 2**128


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
