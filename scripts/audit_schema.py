# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the JSON Schema of the audit record, which docs/audit-record.schema.json holds."""

from __future__ import annotations

import json

from ansible_collections.dalp.restate.plugins.module_utils._audit import Record
from pydantic import TypeAdapter


def schema() -> str:
    """Return the schema as text."""
    return json.dumps(TypeAdapter(Record).json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
