# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the connection, and what they lead to: a Restate server, or DALP in front of one."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback

from .._dalp.client import DalpClient
from .._errors import OperatorError
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._operations.texts import texts
from .._restate.admin import AdminClient
from .._restate.ingress import Ingress
from .._restate.server import Restate

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "backend": {"type": "str", "choices": ["restate", "dalp"], "default": "restate"},
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
    "dalp_url": {"type": "str", "fallback": (env_fallback, ["DALP_API_URL"])},
    "dalp_api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["DALP_API_KEY"])},
    "dalp_route_prefix": {"type": "str", "default": "/api/v2/admin/operator/restate"},
}

_OWN_URL = {"restate": "admin_url", "dalp": "dalp_url"}


def shown_server(params: dict[str, t.Any]) -> str:
    """Return the URL of what the options lead to, without what may be secret."""
    return Connection(url=params[_OWN_URL[params["backend"]]] or "").shown_url or "dalp"


def connection_of(params: dict[str, t.Any]) -> Connection:
    """Return how the backend is reached; raise RESTATE_INVALID_ARGUMENT where that cannot be right."""
    if params["request_timeout"] <= 0 or params["retries"] < 0:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT", "request_timeout must be above 0 seconds, and retries 0 or more."
        )
    way = _to_dalp(params) if params["backend"] == "dalp" else _to_restate(params)
    return Connection(
        **way,
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        validate_certs=params["validate_certs"],
        request_timeout=params["request_timeout"],
        retries=params["retries"],
    )


def _to_restate(params: dict[str, t.Any]) -> dict[str, t.Any]:
    if params["auth_token"] and "@" in params["admin_url"].partition("://")[2].partition("/")[0]:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "Give auth_token or userinfo in admin_url, not both: one would hide the other.",
        )
    return {
        "url": params["admin_url"],
        "auth_token": params["auth_token"],
        "headers": texts("headers", params["headers"]),
    }


def _to_dalp(params: dict[str, t.Any]) -> dict[str, t.Any]:
    missing = [name for name in ("dalp_url", "dalp_api_key") if not params[name]]
    if missing:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"backend: dalp needs {' and '.join(missing)}.",
            remedy="Set dalp_url (DALP_API_URL) and dalp_api_key (DALP_API_KEY).",
        )
    # What opens the way to the admin API is not for DALP to see.
    return {"url": params["dalp_url"], "headers": {"X-Api-Key": params["dalp_api_key"]}}


def engine_of(
    params: dict[str, t.Any], connection: Connection, guard: WriteGuard, clock: Clock
) -> Restate | DalpClient:
    """Return what an operation works on; nothing is sent yet."""
    if params["backend"] == "dalp":
        return DalpClient(connection, params["dalp_route_prefix"], guard, clock)
    admin = AdminClient(connection, guard, clock)
    return Restate(admin, Ingress(connection, params["ingress_url"], guard, clock))
