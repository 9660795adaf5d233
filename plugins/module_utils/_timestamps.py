# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timestamps: read as Restate and DALP write them, and written in one way."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

_FEW_SECONDS = 5
_UNITS = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


def parse(text: str) -> datetime.datetime:
    """Return the instant of an RFC 3339 text, to the microsecond; raise ValueError for any other text.

    Restate leaves out a fraction that is zero, and writes as many digits as it takes, so that texts do not sort.
    """
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


@dataclass(frozen=True)
class Age:
    """An instant that is given as how long ago it is: a clock decides which one that is."""

    seconds: int

    def at(self, now: datetime.datetime) -> str:
        """Return the instant as a timestamp; `now` is by the clock that made the times to compare it with."""
        return write(now - datetime.timedelta(seconds=self.seconds))


def now() -> datetime.datetime:
    """Return this instant, by the clock of this host; Restate's times are by the clock of its own."""
    return datetime.datetime.now(datetime.UTC)


def write(moment: datetime.datetime) -> str:
    """Return an instant as RFC 3339 text, in UTC and to the millisecond: such texts sort by time."""
    text = moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def difference(
    other: datetime.datetime, earliest: datetime.datetime, latest: datetime.datetime
) -> str | None:
    """Return a sentence on how far Restate's clock is from this host's; None if it is a few seconds or less.

    `other` was read from Restate's clock between two instants by the clock of this host.
    """
    ahead = (earliest - other).total_seconds()
    behind = (other - latest).total_seconds()
    apart = max(ahead, behind)
    if apart <= _FEW_SECONDS:
        return None
    unit, length = next(each for each in _UNITS if apart >= 2 * each[1] or each[1] == 1)
    where = "ahead of" if ahead > 0 else "behind"
    return f"The clock of this host is {apart / length:.0f} {unit} {where} the clock of Restate."
