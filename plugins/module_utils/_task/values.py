# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as people write them: durations, times, patterns, and dictionaries of strings."""

from __future__ import annotations

import datetime
import re
import typing as t

from .. import _timestamps
from .._errors import OperatorError
from .._restate.invocation_ids import is_invocation_id

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*([smhdw]?)")
_LONGEST_AGE = datetime.timedelta(weeks=52_000)
"""A thousand years: a calendar begins with the year 1."""


def seconds(option: str, text: str) -> int:
    """Return the seconds in C(90), C(90s), C(15m), C(2h), C(3d) or C(1w); O(option) names it in the error."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{option} must be a duration like 90s, 15m, 2h or 3d; it is {text!r}.",
        )
    return int(match[1]) * _SECONDS[match[2]]


def instant(option: str, text: str) -> str | _timestamps.Age:
    """Return a time with its zone as a timestamp, or an age, which the server's clock makes an instant of."""
    text = text.strip()
    try:
        if not _DURATION.fullmatch(text):
            return _timestamps.write(_timestamps.parse(text))
        age = _timestamps.Age(seconds(option, text))
        if datetime.timedelta(seconds=age.seconds) > _LONGEST_AGE:
            raise ValueError("no clock was there then")
        return age
    except (ValueError, OverflowError):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{option} must be a time with its zone, like 2026-11-22T03:00:00Z, or an age like 2h; it is {text!r}.",
        ) from None


def invocation_ids(option: str, texts: list[str]) -> list[str]:
    """Return ids of invocations, each once, in their order; a server would take one that is none for a failed query."""
    for text in texts:
        if not is_invocation_id(text):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"{option}: {text!r} is no invocation id. Nothing was touched.",
                remedy="Give whole ids, as restate_doctor and the restate CLI show them: inv_1 and 33 more letters and "
                "digits.",
            )
    return list(dict.fromkeys(texts))


def refuse_broken_text(params: t.Mapping[str, t.Any]) -> None:
    """Raise RESTATE_INVALID_ARGUMENT for an option with half a character in it, which cannot be sent."""
    for option, value in sorted(params.items()):
        if _is_broken(value):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"{option} holds bytes that are no UTF-8. Nothing was touched.",
                remedy=f"Give {option} as UTF-8 text; names and keys of Restate are such text.",
            )


def refuse_nul(paths: t.Mapping[str, str | None]) -> None:
    """Raise RESTATE_INVALID_ARGUMENT for a path with a NUL."""
    for option, path in paths.items():
        if "\0" in (path or ""):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"{option} holds a NUL character, which no path can have. Nothing was touched.",
            )


def _is_broken(value: t.Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_broken, value)) or any(map(_is_broken, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_broken, value))
    # Half of a pair that stands for a character, alone: bytes that are no UTF-8 become such, too.
    return isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value)


def string_values(option: str, values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return a dictionary with strings as its values, of numbers too; refuse what could be meant otherwise.

    The error names the entry of O(option) and not its value, which may be secret.
    """
    for name, value in values.items():
        if isinstance(value, bool):
            wrong = "a boolean, which could be meant as true, True, yes or 1"
        elif isinstance(value, (str, int, float)):
            continue
        else:
            wrong = "null" if value is None else f"a {type(value).__name__}"
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"{option}.{name} must be a text; it is {wrong}. Put it in quotes."
        )
    return {name: str(value) for name, value in values.items()}
