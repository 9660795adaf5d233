# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every module has, and an operation's own as the typed request that it works on."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.common.parameters import env_fallback
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .._errors import OperatorError
from .._operations.operation import Backend, Operation
from . import values
from .redaction import patterns_of, shown_arguments

if t.TYPE_CHECKING:
    from .._operations.approval import Approval


def set_in_environment(*names: str) -> str:
    """Return the first of these environment variables, as a fallback of an option; an empty or blank one is not set."""
    value: str = env_fallback(*names)
    if not value.strip():
        raise AnsibleFallbackNotFound
    return value


CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "backend": {"type": "str", "choices": ["restate", "dalp"], "default": "restate"},
    "admin_url": {
        "type": "list",
        "elements": "str",
        "default": ["http://localhost:9070"],
        "fallback": (set_in_environment, ["RESTATE_ADMIN_URL"]),
    },
    "ingress_url": {
        "type": "list",
        "elements": "str",
        "fallback": (set_in_environment, ["RESTATE_INGRESS_URL"]),
    },
    "auth_token": {"type": "str", "no_log": True, "fallback": (set_in_environment, ["RESTATE_AUTH_TOKEN"])},
    "headers": {"type": "dict", "no_log": True, "default": {}},
    "ca_path": {"type": "path", "fallback": (set_in_environment, ["RESTATE_CA_PATH"])},
    "client_cert": {"type": "path", "fallback": (set_in_environment, ["RESTATE_CLIENT_CERT"])},
    "client_key": {"type": "path", "no_log": False, "fallback": (set_in_environment, ["RESTATE_CLIENT_KEY"])},
    "validate_certs": {"type": "bool", "default": True},
    "request_timeout": {"type": "float", "default": 10},
    "retries": {"type": "int", "default": 3},
    "write_grace": {"type": "str"},
    "dalp_url": {"type": "str", "fallback": (set_in_environment, ["DALP_API_URL"])},
    "dalp_api_key": {"type": "str", "no_log": True, "fallback": (set_in_environment, ["DALP_API_KEY"])},
    "dalp_route_prefix": {"type": "str", "default": "/api/v2/admin/operator/restate"},
}

AUDIT_SPEC: dict[str, dict[str, t.Any]] = {
    "reason": {"type": "str"},
    "actor": {"type": "str"},
    "audit_context": {"type": "dict", "default": {}},
    "audit_log": {"type": "path", "fallback": (set_in_environment, ["RESTATE_AUDIT_LOG"])},
    "audit_detail": {"type": "str", "choices": ["digest", "full"], "default": "digest"},
    "audit_webhook": {
        "type": "str",
        "no_log": True,
        "fallback": (set_in_environment, ["RESTATE_AUDIT_WEBHOOK"]),
    },
    "audit_required": {"type": "bool", "default": False},
    # A secret may be escaped into a pattern.
    "redact_patterns": {"type": "list", "elements": "str", "default": [], "no_log": True},
}

PLAN_SPEC: dict[str, dict[str, t.Any]] = {"plan_digest": {"type": "str"}}

URL_OPTIONS = ("admin_url", "ingress_url", "dalp_url", "service_url", "audit_webhook")

_READERS: dict[str, t.Callable[[str, t.Any], t.Any]] = {
    "duration": values.seconds,
    "instant": values.instant,
    "strings": values.string_values,
    "invocation_ids": values.invocation_ids,
}


def argument_spec(operation: Operation) -> dict[str, dict[str, t.Any]]:
    """Return all options of a module."""
    of_plan = PLAN_SPEC if operation.is_write else {}
    return {**operation.argument_spec, **of_plan, **CONNECTION_SPEC, **AUDIT_SPEC}


def secret_options(spec: t.Mapping[str, dict[str, t.Any]]) -> set[str]:
    """Return the names of the options whose values are secret."""
    return {name for name, option in spec.items() if option.get("no_log")}


def path_options(spec: t.Mapping[str, dict[str, t.Any]]) -> list[str]:
    """Return the names of the options that are paths."""
    return [name for name, option in spec.items() if option.get("type") == "path"]


def closed_options(spec: t.Mapping[str, dict[str, t.Any]]) -> set[str]:
    """Return the names of the options whose values are words of ours."""
    return {name for name, option in spec.items() if option.get("choices")}


def shown_options(params: dict[str, t.Any], spec: t.Mapping[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the options of a task as they may be shown where Ansible refuses them; what is no option is left out."""
    known = {name: value for name, value in params.items() if name in spec}
    patterns, _refused = patterns_of(params)
    return shown_arguments(known, secret_options(spec), URL_OPTIONS, patterns, closed_options(spec))


def backend_of(operation: Operation, params: dict[str, t.Any]) -> Backend:
    """Return how the operation is done with the backend that is asked for; raise RESTATE_UNSUPPORTED for none."""
    backend = operation.backend(params["backend"])
    if backend is None:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"DALP has no route for restate_{operation.name}; nothing was sent.",
            remedy="Use backend: restate, from where the admin API can be reached.",
            reason="backend",
        )
    return backend


def read_request(operation: Operation, backend: Backend, params: dict[str, t.Any]) -> t.Any:
    """Return what the operator asked, typed; an option that is not set has the request's own default.

    Raises OperatorError: RESTATE_UNSUPPORTED for options that the backend cannot honour, RESTATE_INVALID_ARGUMENT for
    values that cannot be right.
    """
    honoured = {field.name for field in dataclasses.fields(backend.request)}
    refused = [
        name
        for name, option in operation.argument_spec.items()
        if name not in honoured and params[name] != option.get("default")
    ]
    if refused:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"backend: {params['backend']} cannot honour {', '.join(refused)}; nothing was sent.",
            remedy="Leave that out where what the route does is meant, or use backend: restate, which can do it.",
            reason="backend",
        )
    return typed(backend.request, params)


def approval_of(
    operation: Operation, backend: Backend, params: dict[str, t.Any], shown: t.Callable[[str], str]
) -> Approval | None:
    """Return what was approved of the operation, or None where it has no plans that could be.

    Raises RESTATE_INVALID_ARGUMENT for what is no digest, RESTATE_UNSUPPORTED where no plan can be held against it.
    """
    given = (params.get("plan_digest") or "").strip()
    if backend.subjects is None and not given:
        return None
    if backend.subjects is None:
        raise OperatorError(
            "RESTATE_UNSUPPORTED",
            f"backend: {params['backend']} does not tell what restate_{operation.name} would do, so there is no plan "
            "to hold plan_digest against; nothing was sent.",
            remedy="Leave plan_digest out, or use backend: restate, which has a dry run.",
            reason="backend",
        )
    # What only reads goes without it.
    from .._operations.approval import Approval, PlanDigest

    return Approval(operation.name, PlanDigest.read(given, operation.name) if given else None, shown)


def typed(request: type, given: t.Mapping[str, t.Any], prefix: str = "") -> t.Any:
    """Return options as a dataclass whose fields they are; raise RESTATE_INVALID_ARGUMENT for what cannot be right."""
    read = {
        field.name: _read(field, f"{prefix}{field.name}", given[field.name])
        for field in dataclasses.fields(request)
        if given[field.name] is not None
    }
    return request(**read)


def _read(field: dataclasses.Field[t.Any], option: str, given: t.Any) -> t.Any:
    kind = field.metadata.get("value")
    if kind is None:
        return given
    if isinstance(kind, type):
        return typed(kind, given, f"{option}.")
    return _READERS[kind](option, given)
