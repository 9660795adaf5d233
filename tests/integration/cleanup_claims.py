# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup claims that moves pending work, held against what the cluster holds: all that is wrong, in words."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.cluster import Truth


def wrong_of_cleanup(result: dict[str, Any], before: Truth, after: Truth) -> list[str]:
    """What is wrong in the result: of deployments, of each invocation, and whether anything changed."""
    unsure = json.dumps([result.get(name) for name in ("unknown", "warnings", "msg", "error")])
    wrong = _wrong_of_deployments(result, before, after, unsure)
    moved = set(result.get("migrated", []))
    for invocation_id, seen in before.invocations.items():
        found = wrong_of_moved(invocation_id, before, after)
        found += _wrong_of_claim(invocation_id, before, after, invocation_id in moved, unsure)
        wrong += [f"{seen.key}: {each}" for each in found]
    for name in ("killed", "cancelled", "abandoned"):
        wrong += [f"{each}: is {name}, though it was to be moved" for each in result.get(name, [])]
    if _has_changed(before, after) and not result["changed"]:
        wrong.append("says that nothing changed")
    return wrong


def wrong_of_moved(invocation_id: str, before: Truth, after: Truth) -> list[str]:
    """What is wrong with an invocation that was to be moved, whatever was said of it."""
    seen, now = before.invocations[invocation_id], after.invocations.get(invocation_id)
    if now is None or now.created_at != seen.created_at:
        return ["is lost"]
    is_pinned_to_nothing = now.deployment is not None and now.deployment not in after.deployments
    checks = [
        (now.result == "failure", "was ended"),
        (is_pinned_to_nothing and not now.is_completed, "has no deployment any more"),
    ]
    return [text for is_wrong, text in checks if is_wrong]


def _is_moved(invocation_id: str, before: Truth, after: Truth) -> bool:
    now = after.invocations.get(invocation_id)
    return now is not None and now.deployment != before.invocations[invocation_id].deployment


def _has_changed(before: Truth, after: Truth) -> bool:
    has_moved = any(_is_moved(each, before, after) for each in before.invocations)
    return has_moved or before.deployments != after.deployments


def _wrong_of_claim(
    invocation_id: str, before: Truth, after: Truth, said_moved: bool, unsure: str
) -> list[str]:
    is_moved = _is_moved(invocation_id, before, after)
    is_told = said_moved or invocation_id in unsure
    seen, now = before.invocations[invocation_id], after.invocations.get(invocation_id)
    is_left_paused = now is not None and now.is_paused and not seen.is_paused
    checks = [
        (is_moved and not is_told, "was moved, which is not said"),
        (said_moved and not is_moved, "is said to be moved, and was not"),
        (is_left_paused and invocation_id not in unsure, "is left paused, which is not said"),
    ]
    return [text for is_wrong, text in checks if is_wrong]


def _wrong_of_deployments(result: dict[str, Any], before: Truth, after: Truth, unsure: str) -> list[str]:
    gone = before.deployments - after.deployments
    said_gone = {*result.get("removed", []), *result.get("already_gone", [])}
    said_left = {entry["deployment_id"] for entry in result.get("remaining", [])}
    wrong = [f"{each}: is said to be removed, and is there" for each in said_gone & after.deployments]
    for each in gone:
        if each in said_left:
            wrong.append(f"{each}: is said to be left, and is gone")
        elif each not in said_gone and each not in unsure:
            wrong.append(f"{each}: is removed, which is not said")
    return wrong
