# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in the worker of Ansible that has its task, where that is as good as sending it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
import typing as t
from pathlib import Path

from ansible import constants
from ansible.module_utils import basic
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as SendingAction
from ansible.utils.display import Display

from ..module_utils._operations.operation import Operation
from ..module_utils._task.execute import execute, unmet_requirement
from ..module_utils._task.options import argument_spec, shown_options
from .display import show
from .lines import Line

SWITCH = "dalp_restate_in_process"
"""The variable that, when it is false, has the modules sent as those of others are."""

_TIMED_OUT = (
    "{0} was ended by the time-out of its task. What it had done is not known here: it is in the record that the "
    "module keeps before it ends, where audit_log or audit_webhook is set. Run restate_doctor to see what is left."
)
_SECONDS_TO_LEAVE = 10
_DISCOVERED = ("auto", "auto_silent", "auto_legacy", "auto_legacy_silent")


class TaskInProcess:
    """What the door needs of a task."""

    def __init__(
        self, params: dict[str, t.Any], *, check_mode: bool, wants_diff: bool, host: str | None
    ) -> None:
        """Take its validated options, and the O(host) that lines about its progress name; None for no such lines."""
        self.params = params
        self.check_mode = check_mode
        self.wants_diff = wants_diff
        self.tell = (lambda line: show([Line(f"[{host}] {line}")])) if host else None

    def warn(self, warning: str) -> None:
        """Show a warning, and put it into the result of the task."""
        Display().warning(warning)


class ActionInProcess(SendingAction):  # type: ignore[misc]
    """The action of a module. It returns what the module would."""

    argument_spec: t.ClassVar[dict[str, t.Any]]
    constraints: t.ClassVar[dict[str, t.Any]] = {}
    ended_by: t.ClassVar[dict[str, t.Any] | None] = None
    """The error of the task that a signal has ended in this worker; what comes after it in a loop is not begun."""

    def result_of(self, task: TaskInProcess) -> dict[str, t.Any]:
        """Do what the module does; return its result."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Carry the task out here or, where it is not for this process, send the module."""
        variables = task_vars or {}
        if not self._is_for_here(variables):
            return self._sent(tmp, variables)
        if ActionInProcess.ended_by:
            return {"failed": True, "msg": "Nothing was sent.", "error": ActionInProcess.ended_by}
        self._spare_what_ansible_holds()
        # A module that is sent to this machine starts there, too.
        with contextlib.chdir(self._loader.get_basedir()):
            host = None if self._task.no_log else variables.get("inventory_hostname")
            result = self._refused() or self.result_of(
                TaskInProcess(
                    self._params,
                    check_mode=self._task.check_mode,
                    wants_diff=bool(self._task.diff),
                    host=host,
                )
            )
        if "never" in constants.config.get_config_value("DISPLAY_TRACEBACK", variables=variables):
            result.pop("exception", None)
        if result.get("error", {}).get("reason") == "signal":
            self._leave_soon(result["error"])
        return {"invocation": {"module_args": self._params}, **result}

    def _sent(self, tmp: str | None, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            sent: dict[str, t.Any] = super().run(tmp, variables)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # Ansible raises the time-out of a task as one, and makes the result, with what is warned of in it.
            Display().warning(_TIMED_OUT.format(self._task.action.rpartition(".")[2]))
            raise
        return sent

    @staticmethod
    def _spare_what_ansible_holds() -> None:
        """Look for garbage in what is made from now on: to look at what the fork shares with Ansible would copy it."""
        if gc.get_freeze_count() == 0:
            gc.freeze()

    def _is_for_here(self, variables: dict[str, t.Any]) -> bool:
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        return (
            self._connection.transport == "local"
            and not self._connection.become
            and not self._task.async_val
            and not environment
            and self._is_own_interpreter(variables)
            and boolean(self._templar.template(variables.get(SWITCH, True)))
            and unmet_requirement() is None
        )

    def _is_own_interpreter(self, variables: dict[str, t.Any]) -> bool:
        if self._task.delegate_to:
            variables = variables["ansible_delegated_vars"][self._task.delegate_to]
        name = constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        wanted = self._templar.template(name)
        return wanted in _DISCOVERED or _place(wanted) == _place(sys.executable)

    def _refused(self) -> dict[str, t.Any] | None:
        """Read the options as AnsibleModule does; return the result of a task whose options cannot be right."""
        # They go through what they would be sent through, so that both ways get the same values.
        direction = Direction.CONTROLLER_TO_MODULE
        sent = json.dumps(self._task.args, cls=get_module_encoder("legacy", direction))
        given = json.loads(sent, cls=get_module_decoder("legacy", direction))
        validation = ModuleArgumentSpecValidator(self.argument_spec, **self.constraints).validate(given)
        self._params: dict[str, t.Any] = validation.validated_parameters
        if not validation.error_messages:
            return None
        message = validation.errors.msg
        if isinstance(validation.errors[0], UnsupportedError):
            message = f"Unsupported parameters for ({self._task.action}) module: {message}"
        shown = shown_options(self._params, self.argument_spec)
        return {"failed": True, "msg": message, "invocation": {"module_args": shown}}

    @staticmethod
    def _leave_soon(error: dict[str, t.Any]) -> None:
        """End this worker, which a signal told to end, also where nobody reads the result that it leaves."""
        ActionInProcess.ended_by = error
        leaving = threading.Timer(_SECONDS_TO_LEAVE, os._exit, [1])
        leaving.daemon = True
        leaving.start()


def action_of(operation: Operation) -> type[ActionInProcess]:
    """Return the action of an operation.

    Ansible asks for it before it forks the workers of a task, so all that most tasks need is imported here, once.
    """
    operation.backend("restate")

    class ActionModule(ActionInProcess):
        argument_spec = argument_spec(operation)
        constraints = operation.constraints

        def result_of(self, task: TaskInProcess) -> dict[str, t.Any]:
            return execute(task, operation)

    return ActionModule


def options_check(operation: Operation) -> t.Callable[[], None]:
    """Return what ansible-lint calls to check the options of a task.

    It takes an action plugin for the module of its name, calls its C(main), and puts a class of its own in the place of
    AnsibleModule. Whoever else calls it, nothing is carried out.
    """

    def main() -> None:
        basic.AnsibleModule(
            argument_spec=argument_spec(operation), supports_check_mode=True, **operation.constraints
        )

    return main


def _place(python: str) -> tuple[Path, Path]:
    """Return what tells an interpreter, whichever of its names it is given by, from those of other environments."""
    path = Path(python)
    return path.parent.resolve(), path.resolve()
