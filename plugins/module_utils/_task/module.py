# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way in from Ansible and the way out to it, the same for every module."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import signal
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from .. import _thirdparty
from .._audit.log import AuditLog
from .._audit.record import GENERATED, Attempt, Record, user
from .._audit.webhook import AuditWebhook
from .._dalp.client import DalpClient
from .._errors import OperatorError
from .._http import urls
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._operations.report import Report
from .._restate.server import Restate
from .connection import CONNECTION_SPEC, connection_of, engine_of, shown_server
from .redaction import redacted_arguments, scrub, secrets_in, userinfo_secrets

AUDIT_SPEC: dict[str, dict[str, t.Any]] = {
    "reason": {"type": "str"},
    "actor": {"type": "str"},
    "audit_context": {"type": "dict", "default": {}},
    "audit_log": {"type": "path", "fallback": (env_fallback, ["RESTATE_AUDIT_LOG"])},
    "audit_detail": {"type": "str", "choices": ["digest", "full"], "default": "digest"},
    "audit_webhook": {"type": "str", "no_log": True},
    "audit_required": {"type": "bool", "default": False},
    "redact_patterns": {"type": "list", "elements": "str", "default": []},
}

_URLS = ("admin_url", "ingress_url", "dalp_url", "service_url", "audit_webhook")


class Way(t.NamedTuple):
    """How an operation is done with a backend.

    The fields of O(request_type), a dataclass, are the options that the backend can honour; its defaults stand for
    options that were not set.
    """

    request_type: type[t.Any]
    operate: t.Callable[[t.Any, t.Any], Report]


def run(
    *,
    operation: str,
    argument_spec: t.Mapping[str, t.Any],
    restate: Way,
    dalp: Way | None = None,
    **module_options: t.Any,
) -> None:
    """Run an operation as a module: read the options, operate, leave with the result and its audit record."""
    spec = {**argument_spec, **CONNECTION_SPEC, **AUDIT_SPEC}
    module = _Module(argument_spec=spec, supports_check_mode=True, **module_options)
    params = module.params
    exit_ = Exit(module, operation, spec)
    engine: Restate | DalpClient | None = None
    guard = WriteGuard(check_mode=module.check_mode)
    clock = Clock()
    try:
        exit_.read_patterns()
        exit_.open_log()
        require_libraries()
        connection = connection_of(params)
        exit_.open_webhook(connection, clock)
        way = way_of(operation, {"restate": restate, "dalp": dalp}[params["backend"]])
        request = read_request(params, argument_spec, way)
        guard = WriteGuard(
            check_mode=module.check_mode,
            before_first_write=lambda: exit_.record_first_write(engine.known_version if engine else None),
        )
        engine = engine_of(params, connection, guard, clock)
        with ending_by_signal():
            report = way.operate(engine, request)
    except OperatorError as exc:
        report = exit_.failure(exc)
    except EndedBySignal as exc:
        report = exit_.failure(ended_by(exc, wrote=guard.wrote), changed=guard.wrote)
    except Exception as exc:
        report = exit_.failure(unexpected(exc), changed=guard.wrote, trace=traceback.format_exc())
    finally:
        if engine:
            engine.close()
    exit_.leave(report, wrote=guard.wrote, version=engine.known_version if engine else None)


def way_of(operation: str, way: Way | None) -> Way:
    """Return how the backend does it; raise RESTATE_UNSUPPORTED where it cannot."""
    if way is None:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"DALP has no route for restate_{operation}; nothing was sent.",
            remedy="Use backend: restate, from where the admin API can be reached.",
            reason="backend",
        )
    return way


def read_request(params: dict[str, t.Any], argument_spec: t.Mapping[str, t.Any], way: Way) -> t.Any:
    """Return what the operator asked; raise RESTATE_UNSUPPORTED for options that the backend cannot honour."""
    honoured = {field.name for field in dataclasses.fields(way.request_type)}
    refused = [
        name
        for name, option in argument_spec.items()
        if name not in honoured and params[name] != option.get("default")
    ]
    if refused:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"backend: {params['backend']} cannot honour {', '.join(refused)}; nothing was sent.",
            remedy="Leave that out where what the route does is meant, or use backend: restate, which can do it.",
            reason="backend",
        )
    return way.request_type(**{name: params[name] for name in honoured if params[name] is not None})


def require_libraries() -> None:
    """Raise RESTATE_UNSUPPORTED where a library is missing on the host that runs the module."""
    if _thirdparty.MISSING:
        library, _trace = _thirdparty.MISSING
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            missing_required_lib(library, reason="on the host that runs this module"),
            remedy=f"Install {library} for that Python.",
        )


def ended_by(exc: EndedBySignal, *, wrote: bool) -> OperatorError:
    """Return what an operator is told of a task that was ended by a signal."""
    doubt = " Whether its last call was carried out is unknown." if wrote else ""
    return OperatorError(
        "RESTATE_INTERRUPTED",
        f"The task was ended by {exc}.{doubt}",
        remedy="Run restate_doctor to see what is left, then run the task again.",
        reason="signal",
        outcome_unknown=wrote,
    )


def unexpected(exc: Exception) -> OperatorError:
    """Return what an operator is told of an error in this collection."""
    return OperatorError(
        "RESTATE_INTERRUPTED",
        f"An error in this collection: {type(exc).__name__}: {exc}",
        reason=type(exc).__name__,
    )


class EndedBySignal(BaseException):
    """SIGTERM came. No operation may take it for an error of its own, hence a BaseException."""


@contextlib.contextmanager
def ending_by_signal() -> t.Iterator[None]:
    """Turn SIGTERM into EndedBySignal, so that the attempt leaves a record of its end."""

    def end(number: int, _frame: t.Any) -> None:
        raise EndedBySignal(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Module(AnsibleModule):  # type: ignore[misc]
    """Shows no secret either where Ansible itself refuses the options, before there is an L(Exit)."""

    def fail_json(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        """Leave with an error."""
        if "invocation" not in kwargs:
            spec = self.argument_spec
            known = {name: value for name, value in self.params.items() if name in spec}
            secret_options = {name for name, option in spec.items() if option.get("no_log")}
            kwargs["invocation"] = {"module_args": _shown_arguments(known, secret_options)}
        super().fail_json(*args, **kwargs)
        raise AssertionError("it has left")


def _shown_arguments(params: dict[str, t.Any], secret_options: t.Collection[str]) -> dict[str, t.Any]:
    shown = redacted_arguments(params, secret_options)
    for name in _URLS:
        url = str(shown.get(name, ""))
        # It is refused, since there may be a secret in it, and would be shown with the refusal.
        if "?" in url or "#" in url:
            shown[name] = urls.without_secrets(url)
    return shown


class Exit:
    """The one way out: everything that leaves is redacted and recorded here."""

    def __init__(self, module: AnsibleModule, operation: str, spec: dict[str, t.Any]) -> None:
        self._module = module
        params = module.params
        self._secret_options = {name for name, option in spec.items() if option.get("no_log")}
        self._secrets = {text for name in self._secret_options for text in secrets_in(params[name])}
        for name in _URLS:
            self._secrets |= userinfo_secrets(params.get(name) or "")
        # Ansible would replace even a "1" wherever it stands, and so make other results unusable.
        module.no_log_values = set(self._secrets)
        self._patterns: list[re.Pattern[str]] = []
        self._log: AuditLog | None = None
        self._webhook: AuditWebhook | None = None
        self._attempt = Attempt(
            operation=operation,
            source=shown_server(params),
            arguments=_shown_arguments(params, self._secret_options),
            actor=params["actor"] or user(),
            reason=params["reason"],
            context=params["audit_context"],
            check_mode=module.check_mode,
            full_detail=params["audit_detail"] == "full",
        )

    def read_patterns(self) -> None:
        """Take up redact_patterns; raise RESTATE_INVALID_ARGUMENT for one that is no regular expression."""
        for pattern in self._module.params["redact_patterns"]:
            try:
                self._patterns.append(re.compile(pattern))
            except re.error as exc:
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT", f"redact_patterns holds no regular expression: {exc}."
                ) from None

    def open_log(self) -> None:
        """Open the audit log; raise RESTATE_AUDIT_UNAVAILABLE for one that cannot be kept."""
        if self._module.params["audit_log"]:
            self._log = AuditLog(self._module.params["audit_log"])

    def open_webhook(self, connection: Connection, clock: Clock) -> None:
        """Take up the webhook; raise RESTATE_INVALID_ARGUMENT for one that cannot be used."""
        if self._module.params["audit_webhook"]:
            self._webhook = AuditWebhook(self._module.params["audit_webhook"], connection, clock)

    def record_first_write(self, version: str | None) -> None:
        """Record that the first write call is about to be sent; raise where it must not, for want of a record."""
        if self._log or self._webhook:
            self._keep(self._attempt.attempted(self._target(), version), is_last=False)

    def _target(self) -> str:
        """Return what the operation is about, as far as the options tell."""
        params = self._module.params
        if params.get("service_url"):
            return urls.without_secrets(params["service_url"])
        if params.get("service_key"):
            return f"{params['service_name']}/{params['service_key']}"
        return self._attempt.source

    def failure(self, error: OperatorError, *, changed: bool = False, trace: str | None = None) -> Report:
        """Return the report of an operation that told nothing but its error.

        It counts as O(changed) where it was cut off after a write call.
        """
        details = {"exception": trace} if trace else {}
        return Report(
            msg=error.message, subject=self._target(), changed=changed, error=error, details=details
        )

    def leave(self, report: Report, *, wrote: bool, version: str | None) -> None:
        """Leave with a report."""
        record = self._attempt.outcome(
            subject=report.subject,
            changed=report.changed,
            wrote=wrote,
            error=report.error,
            before=report.before,
            after=report.after,
            restate_version=version,
        )
        try:
            self._keep(record, is_last=True)
        except OperatorError as exc:
            # What was done was done: its record is in the result, but the log must not be trusted to be whole.
            report.error = report.error or exc
            report.acknowledged = None
        result = self._result(report, wrote=wrote)
        result["invocation"] = {"module_args": _shown_arguments(self._module.params, self._secret_options)}
        for warning in report.warnings:
            self._module.warn(self._scrubbed(warning))
        result = {**self._scrubbed(result), "audit": self._scrubbed_record(record)}
        if report.error:
            self._module.fail_json(**result)
        self._module.exit_json(**result)

    def _keep(self, record: Record, *, is_last: bool) -> None:
        """Write a record to the log and the webhook; raise RESTATE_AUDIT_UNAVAILABLE where it is not taken."""
        content = self._scrubbed_record(record)
        if self._log:
            line_hash = self._log.append(content)
            if is_last:
                record["linehash"] = line_hash
        if self._webhook:
            try:
                self._webhook.send(content)
            except OperatorError as exc:
                if self._module.params["audit_required"]:
                    raise
                self._module.warn(self._scrubbed(exc.message))

    def _scrubbed_record(self, record: Record) -> dict[str, t.Any]:
        """Return a record without what is secret, of which a pattern cannot make something that is no record."""
        data = self._scrubbed_fields(record["data"])
        return {**self._scrubbed_fields({**record, "data": {}}), "data": data}

    def _scrubbed_fields(self, fields: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {name: value if name in GENERATED else self._scrubbed(value) for name, value in fields.items()}

    def _scrubbed(self, value: t.Any) -> t.Any:
        return scrub(value, self._secrets, self._patterns)

    @staticmethod
    def _result(report: Report, *, wrote: bool) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {
            "changed": report.changed,
            "msg": report.msg,
            "diff": {"before": report.before, "after": report.after},
            **report.details,
        }
        if report.acknowledged:
            result["acknowledged"] = True
        if report.error:
            result["error"] = report.error.to_result()
            result["msg"] = f"{report.error.message} What to do: {report.error.remedy}"
            if wrote:
                result["done"], result["not_done"] = report.done, report.not_done
        return result
