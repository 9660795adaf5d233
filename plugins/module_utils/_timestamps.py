# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instants as Restate writes them."""

from __future__ import annotations

import datetime


def parse(text: str) -> datetime.datetime:
    """Return the instant of an RFC 3339 text, to the microsecond; raise ValueError for any other text.

    Restate leaves out a fraction that is zero, and writes as many digits as it takes, so that texts do not sort.
    """
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
