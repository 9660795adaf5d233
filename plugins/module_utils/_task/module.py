# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door of a module: AnsibleModule comes in and goes out."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._operations.operation import Operation
from .requirements import unmet_python


def run(operation: Operation) -> None:
    """Carry an operation out as a module."""
    leave_without_python()
    # On an older Python these could not be imported.
    from .ending import ending_when_nobody_reads
    from .execute import execute
    from .options import argument_spec

    module = _Module(
        argument_spec=argument_spec(operation), supports_check_mode=True, **operation.constraints
    )
    module.trust_the_door()
    with ending_when_nobody_reads():
        result = execute(module, operation)
    # To look for garbage at the end of the process takes longer than to leave it.
    gc.freeze()
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def leave_without_python() -> None:
    """Fail the task, with a code, where this Python is too old: the first thing that is looked at."""
    unmet = unmet_python()
    if not unmet:
        return
    error = {"code": "RESTATE_UNSUPPORTED", "message": unmet.message, "remedy": unmet.remedy}
    message = f"{unmet.message} What to do: {unmet.remedy}"
    print(json.dumps({"failed": True, "changed": False, "msg": message, "error": error}))
    sys.exit(1)


class _Module(AnsibleModule):  # type: ignore[misc]
    """Shows no secret either where Ansible itself refuses the options, before they come to the door."""

    tell = None

    @property
    def wants_diff(self) -> bool:
        """Whether the result shows what was there before and after."""
        return bool(self._diff)

    def trust_the_door(self) -> None:
        """Keep Ansible from hiding the values of no_log options, and of their entries, wherever these stand.

        The door hides what is secret. Ansible would take a "1" or an address out of all other texts, too.
        """
        self.no_log_values: set[str] = set()

    def _log_invocation(self) -> None:
        """Log the options; those that cannot be logged are refused by the door."""
        with contextlib.suppress(UnicodeEncodeError):
            super()._log_invocation()

    def fail_json(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        """Leave with an error."""
        if "invocation" not in kwargs:
            from .options import shown_options

            kwargs["invocation"] = {"module_args": shown_options(self.params, self.argument_spec)}
            # Ansible refuses options by their names, and shows no value of those that have no_log.
            self.trust_the_door()
        super().fail_json(*args, **kwargs)
        raise AssertionError("it has left")
