# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On which servers a test runs."""

from __future__ import annotations

import pytest
import restate_server


def on(*versions: str) -> pytest.MarkDecorator:
    """Run a test on servers of these versions."""
    return pytest.mark.parametrize("server", versions, indirect=True)


on_all_versions = on(*restate_server.VERSIONS)
