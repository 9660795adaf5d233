# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations as people write them."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations import durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("3d", 259200),
        ("1w", 604800),
        (" 2 h ", 7200),
    ],
)
def test_seconds(text: str, expected: int) -> None:
    assert durations.seconds("min_age", text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1h30m", "2y", "2H", "tomorrow"])
def test_anything_else_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(OperatorError, match="min_age") as raised:
        durations.seconds("min_age", text)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
