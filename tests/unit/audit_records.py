# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as a module writes them, and logs of some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._audit.log import AuditLog
from ansible_collections.dalp.restate.plugins.module_utils._audit.record import Attempt, Record
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report


def record(
    phase: str = "succeeded",
    operation: str = "cleanup",
    reason: str | None = None,
    attempt: Attempt | None = None,
) -> dict[str, Any]:
    """Return a record as a module writes it."""
    attempt = attempt or Attempt(
        operation=operation,
        source="http://localhost:9070",
        arguments={},
        actor="ada",
        reason=reason,
        context={},
        check_mode=phase == "planned",
    )
    made: Record
    if phase == "attempted":
        made = attempt.attempted("http://orders:9080", None)
    else:
        ended = Report(message="", subject="http://orders:9080", changed=True, details={})
        made = attempt.outcome(ended, wrote=True, restate_version="1.7.12")
    return dict(made)


def written(path: Path, number: int = 5) -> list[bytes]:
    """Write some records, and return the lines."""
    log = AuditLog(str(path))
    for each in range(number):
        log.append(record(reason=f"number {each}"))
    return path.read_bytes().splitlines()
