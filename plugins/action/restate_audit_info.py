# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M(dalp.restate.restate_audit_info) in Ansible's own process, where it can run there."""

from __future__ import annotations

import typing as t

from ..module_utils._task.audit_info import audit_info
from ..modules.restate_audit_info import ARGUMENT_SPEC
from ..plugin_utils.in_process import ActionInProcess, TaskInProcess


class ActionModule(ActionInProcess):
    """Reads an audit log."""

    argument_spec = ARGUMENT_SPEC

    def result_of(self, task: TaskInProcess) -> dict[str, t.Any]:
        """Return the records of the log that the options name, and the verdict on its chain."""
        return audit_info(task.params)
