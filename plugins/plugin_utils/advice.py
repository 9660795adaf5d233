# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module advises, in the words of a runbook: its variables in place of the module's options."""

from __future__ import annotations

import re

from .option_values import PREFIX
from .options import known_variables

_OPTIONS = sorted(name.removeprefix(PREFIX) for name in known_variables())
_IN_PARTS = "|".join(name for name in _OPTIONS if "_" in name)
_ONE_WORD = "|".join(name for name in _OPTIONS if "_" not in name)

# Where a word may be one of the language, only "set deployment to" and "deployment: latest" mean the option.
_NAMED = re.compile(
    rf"(?<![\w./-])({_IN_PARTS})(?![\w-])|(?<=[Ss]et )({_ONE_WORD})(?= to )|(?<![\w./-])({_ONE_WORD})(?=: [a-z])"
)


def with_variables(advice: str) -> str:
    """Return the advice with the names of variables."""
    return _NAMED.sub(lambda found: PREFIX + found[0], advice)
