# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timestamps: read as Restate and DALP write them, and written in one way."""

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


def now() -> datetime.datetime:
    """Return this instant."""
    return datetime.datetime.now(datetime.UTC)


def write(moment: datetime.datetime) -> str:
    """Return an instant as RFC 3339 text, in UTC and to the millisecond: such texts sort by time."""
    text = moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
