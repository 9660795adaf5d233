# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a recovery claims of each key, held against what the cluster holds: all that is wrong, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.cluster import Seen, Truth

_UNKNOWN_SUBMISSIONS = ("resubmission_unknown", "unknown", "interrupted")
_CLAIMS = ("purged", "killed", "unknown", "resubmitted")


@dataclass(frozen=True)
class _Claimed:
    """What a result says of one run; a key that it does not name is said to be as it was."""

    is_purged: bool
    is_killed: bool
    is_unknown: bool
    is_resubmitted: bool
    is_submission_unknown: bool
    is_recovered: bool

    @classmethod
    def of(cls, entry: dict[str, Any], run: str) -> _Claimed:
        is_unknown = run in entry.get("unknown", []) or entry.get("reason") == "unknown"
        return cls(
            is_purged=run in entry.get("purged", []),
            is_killed=run in entry.get("killed", []),
            is_unknown=is_unknown,
            is_resubmitted=bool(entry.get("resubmitted")),
            is_submission_unknown=is_unknown or entry.get("reason") in _UNKNOWN_SUBMISSIONS,
            is_recovered=entry.get("outcome") == "recovered",
        )


def pending_snapshots(folder: Path) -> set[tuple[str, str]]:
    """The service and key of each snapshot whose resubmission is pending."""
    pending: set[tuple[str, str]] = set()
    for path in folder.glob("*.json"):
        if path.name.endswith((".open.json", ".submitting.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            pending.add((content["service_name"], content["service_key"]))
    return pending


def wrong_of_recovery(
    result: dict[str, Any], before: Truth, after: Truth, snapshots: Path | None
) -> list[str]:
    """What is wrong in the result of a recovery; with `snapshots` it submits again what it purges."""
    entries = {(each["service_name"], each["service_key"]): each for each in result.get("results", [])}
    pending = pending_snapshots(snapshots) if snapshots else set()
    wrong: list[str] = []
    has_touched = False
    for run, seen in before.invocations.items():
        if seen.handler != "run":
            continue
        workflow = (seen.service, seen.key)
        now = after.invocations.get(run)
        claimed = _Claimed.of(entries.get(workflow, {}), run)
        if _is_same_run(seen, now):
            found = _wrong_of_kept(claimed, seen, now)
            is_state_right = before.states.get(workflow) == after.states.get(workflow)
        else:
            has_touched = True
            found = _wrong_of_purged(claimed, now)
            is_state_right = now is not None or workflow not in after.states
        if not is_state_right:
            found.append("has a state that does not fit")
        if now is None and snapshots and workflow not in pending:
            found.append("is purged and not submitted again, and no snapshot is open")
        wrong += [f"{seen.key}: {each}" for each in found]
    return wrong + _wrong_of_changed(result, has_touched)


def _is_same_run(seen: Seen, now: Seen | None) -> bool:
    return now is not None and now.created_at == seen.created_at


def _wrong_of_changed(result: dict[str, Any], has_touched: bool) -> list[str]:
    if has_touched and not result["changed"]:
        return ["says that nothing changed"]
    has_claims = any(each.get(name) for each in result.get("results", []) for name in _CLAIMS)
    if result["changed"] and not has_claims:
        return ["says that something changed, and of no key what"]
    return []


def _wrong_of_purged(claimed: _Claimed, now: Seen | None) -> list[str]:
    is_submission_told = claimed.is_resubmitted or claimed.is_submission_unknown
    checks = [
        (not claimed.is_purged and not claimed.is_unknown, "is purged, which is not said"),
        (now is not None and not is_submission_told, "was submitted again, which is not said"),
        (now is None and claimed.is_resubmitted, "is said to be submitted again, and is not there"),
    ]
    return [text for is_wrong, text in checks if is_wrong]


def _wrong_of_kept(claimed: _Claimed, seen: Seen, now: Seen | None) -> list[str]:
    was_killed = now is not None and now.result == "failure" and seen.result != "failure"
    is_killing_told = claimed.is_killed or claimed.is_unknown
    checks = [
        (claimed.is_purged, "is said to be purged, and is there"),
        (claimed.is_resubmitted, "is said to be submitted again, and is there as it was"),
        (claimed.is_recovered, "is said to be recovered, and is there as it was"),
        (was_killed and not is_killing_told, "was killed, which is not said"),
    ]
    return [text for is_wrong, text in checks if is_wrong]
