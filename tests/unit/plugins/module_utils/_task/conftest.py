# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log, and the registration of a deployment that writes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.tests.unit.audited_task import SERVICE, Restate


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def redeploy(run: Any) -> Any:
    """Run restate_redeploy and return its result."""

    def start(admin: Restate, **more: Any) -> dict[str, Any]:
        arguments = {"admin_url": admin.url, "service_url": SERVICE, "retries": 0, "wait_timeout": 0, **more}
        _text, result = run(
            "restate_redeploy", **{k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()}
        )
        return dict(result)

    return start
