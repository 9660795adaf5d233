# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module advises, in the words of a runbook: its variables in place of the module's options."""

from __future__ import annotations

import functools
import re

from .option_values import PREFIX
from .options import known_variables


@functools.cache
def _named() -> re.Pattern[str]:
    """Return what finds an option; a word that may be one of the language is one only where its form says so."""
    options = sorted(name.removeprefix(PREFIX) for name in known_variables())
    parted = "|".join(name for name in options if "_" in name)
    word = "|".join(name for name in options if "_" not in name)
    return re.compile(
        rf"(?<![\w./-])({parted})(?![\w-])|(?<=[Ss]et )({word})(?= to )|(?<![\w./-])({word})(?=: [a-z])"
    )


def with_variables(advice: str) -> str:
    """Return the advice with the names of variables."""
    return _named().sub(lambda found: PREFIX + found[0], advice)
