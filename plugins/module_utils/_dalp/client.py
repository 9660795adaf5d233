# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DALP's four operator routes, typed, and the guard that keeps a dry run from writing."""

from __future__ import annotations

import math
import typing as t

from .._errors import OperatorError
from .._http.answers import retry_after
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._http.transport import Request, Transport
from .._thirdparty import ValidationError, httpx
from . import wire
from .problem import INSPECT, Problem

_SEE_FIRST = "Run restate_doctor to see what has happened, before you run the task again."
_REMEDIES = {
    "RESTATE_ADMIN_UNREACHABLE": "Check how DALP reaches Restate's admin API, then run restate_doctor again.",
    "RESTATE_WORKFLOW_RETRY_BLOCKED": INSPECT,
}
_NOT_REGISTERED = "Check that the service runs and answers Restate at service_url, then run the task again."
_CODES = {
    400: "RESTATE_INVALID_ARGUMENT",
    401: "OFFCHAIN_USER_PERMISSION_REQUIRED",
    403: "OFFCHAIN_USER_PERMISSION_REQUIRED",
    422: "RESTATE_INVALID_ARGUMENT",
}
"""By status, where DALP gives none of its documented codes."""


class DalpClient:
    """Posts to the routes under O(route_prefix) as DALP documents them ("Restate workflow recovery").

    All methods raise OperatorError: the four codes of the routes with DALP's own message, reason and invocation ids;
    OFFCHAIN_USER_PERMISSION_REQUIRED for any 401 or 403; RESTATE_ADMIN_UNREACHABLE without an answer;
    RESTATE_INVALID_ARGUMENT where DALP does not take the request; RESTATE_UNEXPECTED_RESPONSE for all else. With
    outcome_unknown a write may have been carried out: it is never sent again.
    """

    def __init__(self, connection: Connection, route_prefix: str, guard: WriteGuard, clock: Clock) -> None:
        self.clock = clock
        self._guard = guard
        self.check_mode = guard.check_mode
        self.shown_url = connection.shown_url
        self.node_urls = [connection.shown_url]
        self.known_deployments: t.Collection[str] = ()
        """None: what DALP lists may be of any cluster behind it."""
        self.warnings: t.Sequence[str] = ()
        self.known_version: str | None = None
        """Restate's version, where the doctor told it."""
        self._prefix = f"/{route_prefix.strip('/')}".rstrip("/")
        if not self._prefix.isprintable() or set("?# ") & set(self._prefix):
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT", "dalp_route_prefix must be a path, without a query or spaces."
            )
        self._secrets = connection.secrets
        self._transport = Transport(connection, clock)

    def list_deployments(self) -> None:
        """List none."""

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # Reads

    def doctor(self) -> wire.Health:
        """Return how Restate is."""
        content = self._answer("doctor", {}, writes=False)
        health = wire.Health(content, self._secrets)
        try:
            version = health.admin.version
            self.known_version = version if isinstance(version, str) else None
        except OperatorError:
            self.known_version = None
        return health

    # Writes

    def force_redeploy(self, service_url: str, *, force: bool) -> str | None:
        """Register a service URL, and return the deployment's id where DALP tells it."""
        content = self._acknowledged("force-redeploy", {"serviceUrl": service_url, "force": force})
        try:
            return wire.Registration.model_validate(content).deployment_id
        except ValidationError:
            return None

    def cleanup_stale_deployments(self, service_url: str, *, force_drain: bool) -> None:
        """Drain all deployments but the one that is registered as exactly this URL."""
        self._acknowledged(
            "cleanup-stale-deployments", {"serviceUrl": service_url, "forceDrain": force_drain}
        )

    def recover_stuck_workflow(self, service_name: str, service_key: str) -> None:
        """Kill and purge what there is of a workflow key, and clear its state."""
        self._acknowledged("recover-stuck-workflow", {"serviceName": service_name, "serviceKey": service_key})

    # The one way out

    def _acknowledged(self, route: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
        content = self._answer(route, body, writes=True)
        if content.get("acknowledged") is not True:
            raise OperatorError(
                "RESTATE_UNEXPECTED_RESPONSE",
                f"DALP's {route} answered, but did not acknowledge. Whether it was carried out is unknown.",
                remedy=_SEE_FIRST,
                reason="not_acknowledged",
                outcome_unknown=True,
            )
        return content

    def _answer(self, route: str, body: dict[str, t.Any], *, writes: bool) -> dict[str, t.Any]:
        path = self._path(route)
        if writes:
            self._guard.authorize_write(f"POST {path}")
        try:
            response = self._transport.send(
                Request("POST", path, body=body), writes=writes, repeatable=not writes
            )
        except OperatorError as exc:
            exc.remedy = _SEE_FIRST if exc.outcome_unknown else self._when_silent
            raise
        try:
            content = response.json()
        except ValueError:
            content = None
        if not response.is_success or (isinstance(content, dict) and content.get("error")):
            raise self._error(response, route, writes=writes)
        if not isinstance(content, dict):
            raise self._unknown_answer(response, route, writes=writes)
        return content

    @property
    def _when_silent(self) -> str:
        proxy = self._transport.connection.proxy
        return proxy.remedy if proxy else "Check dalp_url and the connectivity to it."

    def _unknown_answer(self, response: httpx.Response, route: str, *, writes: bool) -> OperatorError:
        doubt = " Whether it was carried out is unknown." if writes else ""
        return OperatorError(
            "RESTATE_UNEXPECTED_RESPONSE",
            f"DALP's {route} answered {response.status_code} with something that is not its documented answer.{doubt}",
            remedy=_SEE_FIRST if writes else "Check dalp_url and dalp_route_prefix.",
            reason="not_dalp",
            http=self._http(response, route),
            outcome_unknown=writes,
        )

    def _error(self, response: httpx.Response, route: str, *, writes: bool) -> OperatorError:
        problem = Problem.of(response, self._secrets)
        status = response.status_code
        # These leave open how far a write of several steps had come.
        unknown = writes and (
            problem.code == "RESTATE_ADMIN_UNREACHABLE"
            or (problem.code is None and (status >= 500 or status == 408 or response.is_success))
        )
        doubt = " Whether it was carried out is unknown." if unknown else ""
        reason = problem.reason or (None if problem.code else problem.own_code)
        return OperatorError(
            problem.code or _CODES.get(status, "RESTATE_UNEXPECTED_RESPONSE"),
            f"DALP's {route} answered {status}: {problem.message}{doubt}",
            remedy=_remedy(response, route, problem, is_unknown=unknown),
            reason="rate_limited" if status == 429 else reason,
            invocation_ids=problem.invocation_ids,
            http=self._http(response, route, problem.own_code),
            outcome_unknown=unknown,
        )

    def _path(self, route: str) -> str:
        return f"{self._prefix}/{route}"

    def _http(self, response: httpx.Response, route: str, own_code: str | None = None) -> dict[str, t.Any]:
        url = self.shown_url + self._path(route)
        http = {"method": "POST", "url": url, "status": response.status_code}
        return {**http, "dalp_code": own_code} if own_code else http


def _remedy(response: httpx.Response, route: str, problem: Problem, *, is_unknown: bool) -> str:
    """Return what to do, or nothing where the code's own remedy is the best."""
    status = response.status_code
    if problem.code:
        is_registration = (route, problem.code) == ("force-redeploy", "RESTATE_DEPLOYMENT_NOT_FOUND")
        return _NOT_REGISTERED if is_registration else _REMEDIES.get(problem.code, "")
    if is_unknown:
        return _SEE_FIRST
    if status == 429:
        return _when_to_try_again(response)
    if status == 404:
        return "Check dalp_url and dalp_route_prefix: DALP has no such route there."
    if response.is_redirect:
        return "Check dalp_url: what answers there redirects to another URL, which is not followed."
    if status in _CODES:
        return "" if status in (401, 403) else problem.fix or ""
    return problem.fix or "Read DALP's own words in the message, then run restate_doctor."


def _when_to_try_again(response: httpx.Response) -> str:
    wait = retry_after(response)
    if not (math.isfinite(wait) and wait > 0):
        return "Run the task again later."
    return f"Run the task again in {wait:.0f} s, or raise request_timeout to have it wait so long."
