# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the page of audit records."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ..plugin_utils.report.files import without_suffix, write_page
from ..plugin_utils.report.of_log import Log, page_of_log

_SPEC = {
    "page": {"type": "path", "required": True},
    "records": {"type": "list", "elements": "dict", "required": True},
    "verdict": {"type": "str", "required": True},
    "verified": {"type": "bool", "default": True},
    "without_outcome": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs where the playbook runs, and on no host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Write the page, in check mode too: it is no change of Restate."""
        result: dict[str, t.Any] = super().run(tmp, task_vars or {})
        _validated, args = self.validate_argument_spec(_SPEC)
        log = Log(args["records"], args["verdict"], args["verified"], args["without_outcome"])
        try:
            files, changed = write_page(page_of_log(log), without_suffix(Path(args["page"])))
        except OSError as exc:
            return {**result, "failed": True, "msg": f"The page cannot be written: {exc}"}
        return {**result, "changed": changed, "files": [str(file) for file in files]}
