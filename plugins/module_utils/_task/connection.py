# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the connection, and what they lead to: a Restate server, or DALP in front of one."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError
from .._http import urls
from .._http.clock import Clock
from .._http.connection import Connection, header_text
from .._http.credentials import Secrets
from .._http.guard import WriteGuard
from .values import seconds, string_values

_SHORTEST_GRACE = 120.0
_LONGEST_TIME_OUT = 86_400
_OWN_URL = {"restate": "admin_url", "dalp": "dalp_url"}


def shown_server(params: dict[str, t.Any]) -> str:
    """Return the URL of what the options lead to, without what may be secret."""
    first = urls.several(params[_OWN_URL[params["backend"]]])[:1]
    return Connection(url="".join(first)).shown_url or "dalp"


def connection_of(params: dict[str, t.Any], secrets: Secrets) -> Connection:
    """Return how the backend is reached; its answers are told without these secrets.

    Raises RESTATE_INVALID_ARGUMENT where that cannot be right.
    """
    # Written so that what is not a number is refused, too.
    if not 0 < params["request_timeout"] <= _LONGEST_TIME_OUT or params["retries"] < 0:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"request_timeout must be above 0 seconds and at most {_LONGEST_TIME_OUT} (a day), and retries 0 or more.",
        )
    endpoint = _to_dalp(params) if params["backend"] == "dalp" else _to_restate(params)
    return Connection(
        **endpoint,
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        validate_certs=params["validate_certs"],
        request_timeout=params["request_timeout"],
        retries=params["retries"],
        write_grace=_write_grace(params),
        secrets=secrets,
    )


def _write_grace(params: dict[str, t.Any]) -> float:
    """Return for how long a write whose answer never came may be delivered, in seconds."""
    if params["write_grace"] is not None:
        return float(seconds("write_grace", params["write_grace"]))
    return float(max(_SHORTEST_GRACE, 10 * params["request_timeout"]))


def _to_restate(params: dict[str, t.Any]) -> dict[str, t.Any]:
    first, *others = urls.several(params["admin_url"]) or [""]
    has_userinfo = any("@" in url.partition("://")[2].partition("/")[0] for url in (first, *others))
    auth_token = (params["auth_token"] or "").strip()
    if auth_token and has_userinfo:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "Give auth_token or userinfo in admin_url, not both: one would hide the other.",
        )
    if auth_token.lower().startswith("bearer "):
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "auth_token begins with Bearer, which is put before it anyway.",
            remedy="Give the token alone.",
        )
    return {
        "url": first,
        "alternatives": tuple(others),
        "auth_token": auth_token or None,
        "headers": string_values("headers", params["headers"]),
    }


def _to_dalp(params: dict[str, t.Any]) -> dict[str, t.Any]:
    missing = [name for name in ("dalp_url", "dalp_api_key") if not (params[name] or "").strip()]
    if missing:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"backend: dalp needs {' and '.join(missing)}.",
            remedy="Set dalp_url (DALP_API_URL) and dalp_api_key (DALP_API_KEY).",
        )
    # What opens the way to the admin API is not for DALP to see.
    return {
        "url": params["dalp_url"],
        "headers": {"X-Api-Key": header_text("dalp_api_key", params["dalp_api_key"])},
    }


def server_of(
    params: dict[str, t.Any], connection: Connection, guard: WriteGuard, clock: Clock, *, shows_all: bool
) -> t.Any:
    """Return what an operation works on; nothing is sent yet, and only the backend that is used is imported.

    O(shows_all) is that of L(Restate).
    """
    if params["backend"] == "dalp":
        from .._dalp.client import DalpClient

        return DalpClient(connection, params["dalp_route_prefix"], guard, clock)
    from .._restate.server import Restate

    ingress_urls = urls.several(params["ingress_url"])
    return Restate.at(connection, ingress_urls, guard, clock, shows_all=shows_all)
