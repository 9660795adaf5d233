# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real servers of each version answered, as capture_answers.py wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._restate import wire
from ansible_collections.dalp.restate.tests.unit.capture_answers import questions_of
from restate_server import VERSIONS

ANSWERS = Path(__file__).resolve().parent / "answers"
SECRET = "a-secret-header-value"
EACH = pytest.mark.parametrize("version", VERSIONS)

MODELS: dict[str, type[wire.Wire]] = {
    "version": wire.Version,
    "deployments": wire.Deployments,
    "deployments_with_headers": wire.Deployments,
    "deployment_drained": wire.DeploymentDetail,
    "deployment_release-1": wire.DeploymentDetail,
    "deployment_release-2": wire.DeploymentDetail,
    "deployment_with_headers": wire.DeploymentDetail,
    "services": wire.Services,
    "service": wire.Service,
    "service_patched": wire.Service,
    "service_patched_again": wire.Service,
    "registration": wire.Registration,
    "registration_dry_run": wire.Registration,
    "registration_again": wire.Registration,
    "registration_again_dry_run": wire.Registration,
}


def captured(version: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ANSWERS / version / f"{name}.json").read_text())
    return content


def parsed(version: str, name: str) -> Any:
    return MODELS[name].model_validate(captured(version, name)["body"])


def rows_of(version: str, question: str) -> list[dict[str, Any]]:
    return wire.Rows.model_validate(captured(version, f"query_{question}")["body"]).rows


def typed_rows_of(version: str, answer: str) -> list[Any]:
    """Return the rows of an answer, of the type that their question says."""
    asked = captured(version, f"query_{answer}")["question"]
    row = getattr(questions_of(version), asked["name"])(**asked["arguments"]).row
    return [row(**columns) for columns in rows_of(version, answer)]


def with_more(value: Any) -> Any:
    """Add a field to each object, as a later server might."""
    if isinstance(value, dict):
        return {**{key: with_more(item) for key, item in value.items()}, "added_later": {"x": [1]}}
    return [with_more(item) for item in value] if isinstance(value, list) else value
