# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way in from Ansible and the way out to it, the same for every module."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.dalp.restate.plugins.module_utils import _thirdparty
from ansible_collections.dalp.restate.plugins.module_utils._audit import Attempt, user
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.report import Report
from ansible_collections.dalp.restate.plugins.module_utils._operations.texts import texts
from ansible_collections.dalp.restate.plugins.module_utils._redaction import (
    redacted_arguments,
    scrub,
    secrets_in,
    userinfo_secrets,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate import urls
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.plugins.module_utils._restate.ingress import Ingress
from ansible_collections.dalp.restate.plugins.module_utils._restate.server import Restate
from ansible_collections.dalp.restate.plugins.module_utils._restate.transport import Connection

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "backend": {"type": "str", "choices": ["restate"], "default": "restate"},
    "admin_url": {
        "type": "str",
        "default": "http://localhost:9070",
        "fallback": (env_fallback, ["RESTATE_ADMIN_URL"]),
    },
    "ingress_url": {"type": "str", "fallback": (env_fallback, ["RESTATE_INGRESS_URL"])},
    "auth_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["RESTATE_AUTH_TOKEN"])},
    "headers": {"type": "dict", "no_log": True, "default": {}},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "request_timeout": {"type": "float", "default": 10},
    "retries": {"type": "int", "default": 3},
}

AUDIT_SPEC: dict[str, dict[str, t.Any]] = {
    "reason": {"type": "str"},
    "actor": {"type": "str"},
    "audit_context": {"type": "dict", "default": {}},
}

_URLS = ("admin_url", "ingress_url", "service_url")

_Request = t.TypeVar("_Request")


def run(
    *,
    operation: str,
    argument_spec: t.Mapping[str, t.Any],
    request_type: type[_Request],
    operate: t.Callable[[Restate, _Request], Report],
    **module_options: t.Any,
) -> None:
    """Run an operation as a module: read the options, operate, leave with the result and its audit record.

    The fields of O(request_type) are options of the same names.
    """
    spec = {**argument_spec, **CONNECTION_SPEC, **AUDIT_SPEC}
    module = _Module(argument_spec=spec, supports_check_mode=True, **module_options)
    exit_ = _Exit(module, operation, spec)
    if _thirdparty.MISSING:
        library, trace = _thirdparty.MISSING
        message = missing_required_lib(library, reason="on the host that runs this module")
        exit_.fail(
            OperatorError("RESTATE_UNSUPPORTED", message, remedy=f"Install {library} for that Python."), trace
        )
    params = module.params
    try:
        connection = _connection(params)
        fields = dataclasses.fields(request_type)  # type: ignore[arg-type]
        request = request_type(**{field.name: params[field.name] for field in fields})
        admin = AdminClient(connection, check_mode=module.check_mode)
    except OperatorError as exc:
        exit_.fail(exc)
        raise
    restate = Restate(admin, Ingress(connection, params["ingress_url"], check_mode=module.check_mode))
    try:
        report = operate(restate, request)
    except OperatorError as exc:
        report = Report(msg=exc.message, subject=connection.shown_url, error=exc)
    finally:
        admin.close()
    exit_.leave(report, restate)


def _connection(params: dict[str, t.Any]) -> Connection:
    if params["request_timeout"] <= 0 or params["retries"] < 0:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", "request_timeout must be above 0 seconds, and retries 0 or more."
        )
    if params["auth_token"] and "@" in params["admin_url"].partition("://")[2].partition("/")[0]:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "Give auth_token or userinfo in admin_url, not both: one would hide the other.",
        )
    return Connection(
        url=params["admin_url"],
        auth_token=params["auth_token"],
        headers=texts("headers", params["headers"]),
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        validate_certs=params["validate_certs"],
        request_timeout=params["request_timeout"],
        retries=params["retries"],
    )


class _Module(AnsibleModule):  # type: ignore[misc]
    """Shows no secret either where Ansible itself refuses the options, before there is an L(_Exit)."""

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
            shown[name] = urls.shown(url)
    return shown


class _Exit:
    """The one way out: everything that leaves is redacted here."""

    def __init__(self, module: AnsibleModule, operation: str, spec: dict[str, t.Any]) -> None:
        self._module = module
        params = module.params
        secret_options = {name for name, option in spec.items() if option.get("no_log")}
        self._secrets = {text for name in secret_options for text in secrets_in(params[name])}
        for name in _URLS:
            self._secrets |= userinfo_secrets(params.get(name) or "")
        # Ansible would replace even a "1" wherever it stands, and so make other results unusable.
        module.no_log_values = set(self._secrets)
        self._arguments = _shown_arguments(params, secret_options)
        admin_url = params["admin_url"]
        self._attempt = Attempt(
            operation=operation,
            source=Connection(url=admin_url).shown_url,
            arguments=self._arguments,
            actor=params["actor"] or user(),
            reason=params["reason"],
            context=params["audit_context"],
            check_mode=module.check_mode,
        )

    def fail(self, error: OperatorError, trace: str | None = None) -> None:
        """Leave with an error, before a server was asked anything."""
        report = Report(msg=error.message, subject=self._attempt.source, error=error)
        self._leave(report, wrote=False, version=None, **({"exception": trace} if trace else {}))

    def leave(self, report: Report, restate: Restate) -> None:
        """Leave with a report."""
        version = restate.admin.__dict__.get("version")
        self._leave(report, wrote=restate.wrote, version=version.version if version else None)

    def _leave(self, report: Report, *, wrote: bool, version: str | None, **more: t.Any) -> None:
        result: dict[str, t.Any] = {
            "changed": report.changed,
            "msg": report.msg,
            "diff": {"before": report.before, "after": report.after},
            **report.details,
            **more,
        }
        if report.acknowledged:
            result["acknowledged"] = True
        if report.error:
            result["error"] = report.error.as_dict()
            result["msg"] = f"{report.error.message} What to do: {report.error.remedy}"
            if wrote:
                result["done"], result["not_done"] = report.done, report.not_done
        result["audit"] = self._attempt.outcome(
            subject=report.subject,
            changed=report.changed,
            wrote=wrote,
            error=report.error,
            before=report.before,
            after=report.after,
            restate_version=version,
        )
        result["invocation"] = {"module_args": self._arguments}
        for warning in report.warnings:
            self._module.warn(scrub(warning, self._secrets))
        result = scrub(result, self._secrets)
        if report.error:
            self._module.fail_json(**result)
        self._module.exit_json(**result)
