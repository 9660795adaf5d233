# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in of DALP: its four operator routes as they are documented, in front of a real Restate."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.integration.dalp.contract import Contract, NoRouteError, ViolationError
from tests.integration.dalp.engine import Engine
from tests.integration.dalp.errors import DalpError, Envelope
from tests.integration.dalp.hosting import Hosting

OPERATOR_KEY = "sm_dalp_operator"
USER_KEY = "sm_dalp_user"

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


@dataclass(frozen=True)
class Caller:
    """Who a key belongs to, and whether that is an operator."""

    actor: str
    may_operate: bool


KEYS = {
    OPERATOR_KEY: Caller("operator@example.com", may_operate=True),
    USER_KEY: Caller("user@example.com", may_operate=False),
}
"""An operator, and a user without system operate permission."""


class Asked(NamedTuple):
    """A request that arrived: the last part of its path, and what its JSON says (its text, where that is none)."""

    route: str
    body: Any


@dataclass(frozen=True)
class AuditRow:
    """What DALP records of an attempt.

    `route` is the whole path. `actor` is None where the key is unknown. No public page says how a reason is supplied:
    it is that of the body, which the document does not allow.
    """

    actor: str | None
    route: str
    arguments: Any
    reason: str | None
    outcome: str
    error: str | None


class DalpServer:
    """The server at `url`, from `with` until its end.

    `keys` says who may do what. No probe of the doctor waits longer than `probe_timeout` seconds. `rows`, `requests`
    and `violations` of the document grow before an answer is sent. `envelope` is the form of the errors.
    """

    def __init__(
        self,
        admin_url: str,
        ingress_url: str,
        *,
        keys: Mapping[str, Caller] = KEYS,
        probe_timeout: float = 5.0,
    ) -> None:
        self.rows: list[AuditRow] = []
        self.requests: list[Asked] = []
        self.violations: list[str] = []
        self.envelope: Envelope = "old"
        self._keys = keys
        self._probe_timeout = probe_timeout
        self._restate = (admin_url, ingress_url)
        self._engine = Engine(admin_url, ingress_url, probe_timeout)
        methods = ["DELETE", "GET", "PATCH", "POST", "PUT"]
        self._hosting = Hosting(Starlette(routes=[Route("/{path:path}", self._receive, methods=methods)]))
        self.url = self._hosting.url
        self._contract = Contract(self.url)

    def __enter__(self) -> DalpServer:
        self._hosting.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._hosting.__exit__(kind, error, trace)
        finally:
            self._engine.close()

    def reset(self) -> None:
        """Forget what was asked, and be again as at the start."""
        self.rows.clear()
        self.requests.clear()
        self.violations.clear()
        self.envelope = "old"
        self.point_at()

    def take_violations(self) -> list[str]:
        """Give the violations that are expected, and forget them."""
        taken = list(self.violations)
        self.violations.clear()
        return taken

    def point_at(self, admin_url: str | None = None, ingress_url: str | None = None) -> None:
        """Reach Restate under other URLs until the next reset: through a proxy, or where nothing listens."""
        urls = (admin_url or self._restate[0], ingress_url or self._restate[1])
        if self._engine.urls != urls:
            self._engine.close()
            self._engine = Engine(*urls, self._probe_timeout)

    async def _receive(self, request: Request) -> JSONResponse:
        content = await request.body()
        return await run_in_threadpool(self._answer, request, content)

    def _answer(self, request: Request, content: bytes) -> JSONResponse:
        body = _parsed(content)
        caller = self._keys.get(request.headers.get("x-api-key", ""))
        self.requests.append(Asked(request.url.path.rpartition("/")[2], body))
        failure: DalpError | None = None
        try:
            answer = JSONResponse(self._done(request, caller, content))
        except DalpError as error:
            failure = error
            answer = JSONResponse(error.body(self.envelope), status_code=error.status)
        self.rows.append(
            AuditRow(
                actor=caller.actor if caller else None,
                route=request.url.path,
                arguments=_redacted(body),
                reason=body.get("reason") if isinstance(body, dict) else None,
                outcome="failed" if failure else "succeeded",
                error=_redacted(failure.message) if failure else None,
            )
        )
        if failure is None or failure.code != "NOT_FOUND":
            self._check(request, content, answer)
        return answer

    def _done(self, request: Request, caller: Caller | None, content: bytes) -> Any:
        """Do what is asked, if it is a request of the document and the caller may. Raises DalpError."""
        body: Any = None
        violation: str | None = None
        try:
            body = self._contract.check_request(request, content)
        except NoRouteError as error:
            self.violations.append(f"{request.method} {request.url.path}: {error}")
            raise DalpError("NOT_FOUND", f"no route {request.method} {request.url.path}") from error
        except ViolationError as error:
            violation = str(error)
        if caller is None:
            raise DalpError("UNAUTHORIZED", "the API key is missing or unknown")
        if not caller.may_operate:
            raise DalpError("OFFCHAIN_USER_PERMISSION_REQUIRED", f"{caller.actor} may not operate the system")
        if violation is not None:
            self.violations.append(f"{request.url.path} was asked: {violation}")
            raise DalpError("INPUT_VALIDATION_FAILED", "the request is not valid", errors=[violation])
        return self._engine.run(request.url.path.rpartition("/")[2], body)

    def _check(self, request: Request, content: bytes, answer: JSONResponse) -> None:
        try:
            self._contract.check_answer(request, content, answer)
        except ViolationError as error:
            self.violations.append(f"{request.url.path} answered {answer.status_code}: {error}")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _redacted(value: Any) -> Any:
    """The value without the user information of the URLs in it."""
    if isinstance(value, str):
        return _USERINFO.sub("***@", value)
    if isinstance(value, dict):
        return {name: _redacted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_redacted(one) for one in value]
    return value
