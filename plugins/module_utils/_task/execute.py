# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door of the collection: a task comes in, its result goes out, redacted and recorded."""

from __future__ import annotations

import dataclasses
import traceback
import typing as t

from .. import _thirdparty
from .._audit.record import Attempt, user
from .._errors import OperatorError
from .._http import urls
from .._http.clock import Clock
from .._http.guard import WriteGuard
from .._operations.execution import Execution
from .._operations.operation import Operation
from .._operations.report import Report
from .connection import connection_of, server_of, shown_server
from .ending import EndedBySignal, ended_by, ending_by_signal, steps_told, timed_out, unexpected
from .options import (
    AUDIT_SPEC,
    URL_OPTIONS,
    approval_of,
    argument_spec,
    backend_of,
    closed_options,
    path_options,
    read_request,
    secret_options,
)
from .recorder import Recorder
from .redaction import (
    PATTERNS_TOOK_TOO_LONG,
    Redactor,
    hidden_in,
    in_short,
    patterns_of,
    secrets_of,
    shown_arguments,
)
from .requirements import Unmet, unmet_library, unmet_python
from .values import refuse_broken_text, refuse_nul


class Task(t.Protocol):
    """What Ansible gives to a module or to an action plugin."""

    params: dict[str, t.Any]
    check_mode: bool
    wants_diff: bool

    tell: t.Callable[[str], None] | None
    """Shows at once how far long work is; None where nothing can be shown before the result."""

    def warn(self, warning: str) -> None:
        """Show a warning."""


def execute(task: Task, operation: Operation) -> dict[str, t.Any]:
    """Carry an operation out, and return the result of the task; C(failed) is in it where the task failed.

    Where the task's time-out ends it, which Ansible raises in the process of an action as a BaseException, that is
    recorded and raised again.
    """
    door = _Door(task, operation)
    error: OperatorError | None = None
    trace: str | None = None
    time_out: BaseException | None = None
    with ending_by_signal() as ignore_signals:
        try:
            door.go_through()
        except OperatorError as exc:
            error = exc
        except (Exception, SystemExit) as exc:
            error, trace = door.unexpected(exc), traceback.format_exc()
        except EndedBySignal as exc:
            error = ended_by(exc, wrote=door.wrote)
        except BaseException as exc:
            time_out, error = exc, timed_out(exc, wrote=door.wrote)
        finally:
            ignore_signals()
            door.close()
        result = door.result(error, trace)
        if time_out:
            # Ansible makes the result of that, and shows the warnings in it.
            task.warn(f"{result['msg']} {steps_told(result)}".rstrip())
            raise time_out
        return result


class _Door:
    """One task, from its options to its result."""

    def __init__(self, task: Task, operation: Operation) -> None:
        self._task = task
        self._operation = operation
        params = task.params
        spec = argument_spec(operation)
        secret = secret_options(spec)
        self._patterns, self._refused_patterns = patterns_of(params)
        self._secrets = secrets_of(params, secret, URL_OPTIONS, self._patterns)
        self._redactor = Redactor(self._secrets, params)
        self._recorder = Recorder(params, self._redactor, task.warn)
        self._guard = WriteGuard(check_mode=task.check_mode, before_first_write=self._before_first_write)
        self._server: t.Any = None
        self._execution: Execution | None = None
        self._attempt = Attempt(
            operation=operation.name,
            source=shown_server(params),
            arguments=shown_arguments(params, secret, URL_OPTIONS, self._patterns, closed_options(spec)),
            actor=self._patterns.replaced(params["actor"] or user()),
            reason=hidden_in(params["reason"], self._secrets.long_ones),
            context=hidden_in(params["audit_context"], self._secrets.long_ones),
            check_mode=task.check_mode,
            full_detail=params["audit_detail"] == "full",
        )

    @property
    def wrote(self) -> bool:
        """Whether any write call was sent."""
        return self._guard.wrote

    def go_through(self) -> None:
        """Read the options and carry the operation out; what is refused is refused before anything is sent."""
        params = self._task.params
        spec = argument_spec(self._operation)
        # What only the record tells is written there as it came.
        refuse_broken_text({name: params[name] for name in spec.keys() - AUDIT_SPEC.keys()})
        refuse_nul({name: params[name] for name in path_options(spec)})
        if self._refused_patterns:
            raise self._refused_patterns
        self._recorder.open_log()
        _require_libraries()
        connection = connection_of(params, self._secrets)
        clock = Clock(self._tell if self._task.tell and not self._task.check_mode else None)
        self._recorder.open_webhook(connection, clock)
        backend = backend_of(self._operation, params)
        request = read_request(self._operation, backend, params)
        approval = approval_of(self._operation, backend, params, self._redactor.name)
        shows_all = self._task.wants_diff or self._attempt.full_detail
        self._server = server_of(params, connection, self._guard, clock, shows_all=shows_all)
        self._execution = Execution(backend, self._server, request, approval)
        self._execution.run()

    def close(self) -> None:
        """Close all connections."""
        if self._server:
            self._server.close()

    def unexpected(self, exc: BaseException) -> OperatorError:
        """Return what an operator is told of an error in this collection."""
        return unexpected(exc, self._secrets)

    def result(self, error: OperatorError | None, trace: str | None) -> dict[str, t.Any]:
        """Return the result of the task, with its audit record; O(error) is what ended it."""
        report = self._report(error)
        if self._execution:
            self._execution.keep_open_actions()
        self._redactor.learn([report.details, report.steps])
        execution_warnings, plan_digest = self._let_go_of_plan()
        record = self._begun().outcome(report, wrote=self.wrote, restate_version=self._version)
        try:
            self._recorder.keep(record)
        except OperatorError as exc:
            # What was done was done: its record is in the result, but the log must not be trusted to be whole.
            report = dataclasses.replace(report, error=report.error or exc)
        result = report.to_result(wrote=self.wrote, with_diff=self._task.wants_diff)
        if trace:
            result["exception"] = self._secrets.hidden(trace)
        if report.error:
            result["failed"] = True
        server_warnings = self._server.warnings if self._server else ()
        for warning in (*report.warnings, *execution_warnings, *dict.fromkeys(server_warnings)):
            self._task.warn(self._redactor.text(warning))
        result["invocation"] = {"module_args": in_short(self._attempt.arguments)}
        shown = {**self._redactor.result(result), "audit": self._redactor.record(record)}
        if plan_digest:
            shown["plan_digest"] = plan_digest
        if self._patterns.ran_out:
            self._task.warn(PATTERNS_TOOK_TOO_LONG)
        return shown

    def _let_go_of_plan(self) -> tuple[list[str], str | None]:
        """Return its warnings and its digest: plan and journal of thousands are larger than what is shown of them."""
        execution, self._execution = self._execution, None
        return (execution.warnings, execution.plan_digest) if execution else ([], None)

    def _report(self, error: OperatorError | None) -> Report:
        try:
            report = self._execution.report(error) if self._execution else None
        except Exception as exc:
            # What was done is not told then; that something was, is.
            report, error = None, self.unexpected(exc)
        if report:
            return report
        error = error or self.unexpected(RuntimeError("an operation ended without a plan"))
        return Report(
            message=error.message, subject=self._target(), changed=self.wrote, details={}, error=error
        )

    def _tell(self, line: str) -> None:
        if self._task.tell:
            self._task.tell(self._redactor.text(line))

    def _before_first_write(self) -> None:
        self._recorder.keep_attempted(self._begun(), self._target(), self._version)

    def _begun(self) -> Attempt:
        """Return the attempt, with the node that answered."""
        source = self._server.shown_url if self._server else self._attempt.source
        return dataclasses.replace(self._attempt, source=source)

    @property
    def _version(self) -> str | None:
        return self._server.known_version if self._server else None

    def _target(self) -> str:
        """Return what the operation is about, as far as the options tell."""
        params = self._task.params
        if params.get("service_url"):
            return urls.without_secrets(params["service_url"])
        if params.get("service_key"):
            return f"{params['service_name']}/{params['service_key']}"
        return self._attempt.source


def unmet_requirement() -> Unmet | None:
    """Return what this Python lacks to carry operations out, or None."""
    return unmet_python() or unmet_library(_thirdparty.INSTALLED)


def _require_libraries() -> None:
    unmet = unmet_requirement()
    if unmet:
        raise OperatorError("RESTATE_UNSUPPORTED", unmet.message, remedy=unmet.remedy)
