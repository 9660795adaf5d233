# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instants as Restate writes them."""

from __future__ import annotations

import datetime


def parse(text: str) -> datetime.datetime:
    """Return the instant of an RFC 3339 text in UTC, to the microsecond; raise ValueError for any other text.

    Restate leaves out a fraction that is zero, and writes as many digits as it takes, so that texts do not sort.
    """
    # Python reads fractions of three or six digits only.
    seconds, _dot, fraction = text.removesuffix("Z").removesuffix("+00:00").partition(".")
    return datetime.datetime.fromisoformat(f"{seconds}.{(fraction + '000000')[:6]}+00:00")
