# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of the audit record, and what is recorded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.unit.audit_records import record

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "audit-record.schema.json"


def test_the_schema_in_the_docs_is_that_of_the_record() -> None:
    sys.path.append(str(ROOT / "scripts"))
    from audit_schema import schema  # type: ignore[import-not-found]

    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run make audit-schema"


@pytest.mark.parametrize("phase", ["attempted", "succeeded", "planned"])
def test_a_record_is_valid(phase: str) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(record(phase))


def test_the_schema_refuses_what_is_no_record() -> None:
    wrong = record()
    wrong["data"]["outcome"] = "perhaps"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(SCHEMA.read_text(encoding="utf-8")))
