# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a completed run leaves a trace."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.workflow import Workflow
from ansible_collections.dalp.restate.tests.unit.wire_objects import service


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 86400),
        ("0s", 0),
        ("0", 0),
        ("1d", 86400),
        ("2days", 172800),
        ("1h 30m", 5400),
        ("1hour 30minutes 5seconds", 5405),
        ("500ms", 0),
        ("3 fortnights", 0),
        ("", 0),
    ],
)
def test_a_retention_is_never_taken_for_longer_than_it_is(text: str | None, seconds: int) -> None:
    flow = service("Flow", workflow_completion_retention=text)
    assert Workflow("Flow", frozenset({"run"}), flow).retention == seconds
