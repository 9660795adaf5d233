# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the JSON Schema of the audit record, which docs/audit-record.schema.json holds."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dalp.restate.plugins.module_utils._audit.record import Record, RecordData
from pydantic import TypeAdapter
from typing_extensions import TypedDict


def schema() -> str:
    """Return the schema as text."""
    # Before Python 3.12 pydantic reads the TypedDict of typing_extensions only.
    data = TypedDict("RecordData", t.get_type_hints(RecordData, include_extras=True))  # type: ignore[misc]
    fields = {**t.get_type_hints(Record, include_extras=True), "data": data}
    record = TypedDict("Record", fields)  # type: ignore[misc]
    return json.dumps(TypeAdapter(record).json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
