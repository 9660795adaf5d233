# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are dictionaries of texts, as people write them in YAML."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError


def texts(option: str, values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the values as texts, numbers too; raise RESTATE_INVALID_ARGUMENT for what could be meant otherwise.

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
