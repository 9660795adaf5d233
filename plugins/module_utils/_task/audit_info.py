# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door of the module that reads an audit log; it needs no library and no server."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .module import leave_without_python


def run_audit_info(argument_spec: dict[str, t.Any]) -> None:
    """Read the log that the options name, and leave with its records and the verdict on its chain."""
    leave_without_python()
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    result = audit_info(module.params)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def audit_info(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the records of the log that the options name, and the verdict on its chain, as the result of a task."""
    # On an older Python these could not be imported.
    from .. import _timestamps
    from .._audit.reader import LogRequest, read_log
    from .._errors import OperatorError
    from . import values

    given: dict[str, t.Any] = {name: value for name, value in params.items() if value is not None}
    try:
        for name in {"since", "until"} & given.keys():
            moment = values.instant(name, given[name])
            # The times of records are by the clock of a host like this one.
            given[name] = moment.at(_timestamps.now()) if isinstance(moment, _timestamps.Age) else moment
        result: dict[str, t.Any] = read_log(LogRequest(**given))
    except OperatorError as exc:
        message = f"{exc.message} What to do: {exc.remedy}"
        return {"failed": True, "msg": message, "error": exc.to_result()}
    return {**result, "failed": True} if "error" in result else result
