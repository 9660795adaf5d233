# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the operations share."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.dalp_answers import OLD, health
from ansible_collections.dalp.restate.tests.unit.dalp_tasks import Dalp, MakeDalp, Run


@pytest.fixture
def dalp(serve: Serve, run: Run, delays: list[float]) -> MakeDalp:
    """Make a DALP whose doctor gives these answers; it knows one deployment unless they are given."""
    return lambda *doctors, **options: Dalp(serve, run, *(doctors or (health(OLD),)), **options)
