# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of Restate's admin API and ingress as the sandbox needs, with errors that show the server's own words."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

import httpx
from waiting import SandboxError, wait_until

Row = dict[str, Any]

_GONE = httpx.codes.NOT_FOUND
_NOT_NOW = httpx.codes.CONFLICT
_BATCH = 1000

_ALONE = {"connection": "close"}
"""For a body that is sent to what may not be there: a server that answers 404 before it has read the body closes the
connection and does not say so, and whatever is sent next on that connection is lost."""


class RestateApi:
    """A client for one server.

    Every method raises SandboxError when the server refuses, httpx.TransportError when it is gone.
    """

    def __init__(self, admin_url: str, ingress_url: str) -> None:
        # Proxies of the environment are for the outside world, not for 127.0.0.1.
        self._admin = httpx.Client(base_url=admin_url, timeout=30.0, trust_env=False)
        self._ingress = httpx.Client(base_url=ingress_url, timeout=30.0, trust_env=False)

    def __enter__(self) -> RestateApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admin.close()
        self._ingress.close()

    def register(self, url: str) -> str:
        """Register the deployment at `url` and give its id."""
        answer = self._admin.post("/deployments", json={"uri": url, "force": False})
        return str(_checked(answer).json()["id"])

    def deployments(self) -> list[str]:
        """Give the ids of all deployments."""
        return [str(one["id"]) for one in _checked(self._admin.get("/deployments")).json()["deployments"]]

    def delete_deployment(self, deployment_id: str) -> None:
        """Delete a deployment with everything that is pinned to it left behind; one that is gone already is fine."""
        _checked(self._admin.delete(f"/deployments/{deployment_id}", params={"force": "true"}), _GONE)

    def submit(self, service: str, key: str, handler: str, argument: object | None = None) -> str:
        """Send a one-way call and give the invocation's id."""

        def accepted() -> httpx.Response | None:
            path = f"/{service}/{key}/{handler}/send"
            if argument is None:
                answer = self._ingress.post(path)
            else:
                answer = self._ingress.post(path, json=argument, headers=_ALONE)
            # The ingress learns of a registration a moment after the admin API has answered it.
            return None if answer.status_code == httpx.codes.NOT_FOUND else _checked(answer)

        answer = wait_until(f"{service}/{key}/{handler} accepted by the ingress", accepted)
        return str(answer.json()["invocationId"])

    def query(self, sql: str) -> list[Row]:
        """Give the rows of an SQL query; a column that is NULL is missing in its row."""

        def answered() -> httpx.Response | None:
            # In a cluster, a partition that goes from one node to another cannot be asked for a moment: the answer is
            # an error, or ends in its middle (seen on 1.7.12).
            try:
                answer = self._admin.post(
                    "/query", headers={"Accept": "application/json"}, json={"query": sql}
                )
            except httpx.RemoteProtocolError:
                return None
            return None if "External error" in answer.text and answer.is_server_error else _checked(answer)

        rows: list[Row] = wait_until(f"an answer to {sql}", answered).json()["rows"]
        return rows

    def kill(self, invocation_ids: Iterable[str]) -> None:
        """Kill invocations; those that ended in the meantime are fine."""
        self._end("kill", list(invocation_ids))

    def purge(self, invocation_ids: Iterable[str]) -> None:
        """Purge completed invocations; those that are gone or not completed are left alone."""
        self._end("purge", list(invocation_ids))

    def clear_state(self, service: str, key: str) -> None:
        """Ask for the whole state of a key to be cleared; it is applied a moment later."""
        _checked(self._admin.post(f"/services/{service}/state", json={"object_key": key, "new_state": {}}))

    def _end(self, operation: str, ids: list[str]) -> None:
        for first in range(0, len(ids), _BATCH):
            some = ids[first : first + _BATCH]
            batch = f"/internal/invocations_batch_operations/{operation}"
            answer = self._admin.post(batch, json={"invocation_ids": some}, headers=_ALONE)
            if answer.is_success:
                continue
            # Before 1.6 there is no batch.
            for one in some:
                _checked(self._admin.patch(f"/invocations/{one}/{operation}"), _GONE, _NOT_NOW)


def _checked(answer: httpx.Response, *also_fine: int) -> httpx.Response:
    if answer.is_success or answer.status_code in also_fine:
        return answer
    request = answer.request
    raise SandboxError(f"{request.method} {request.url} answered {answer.status_code}: {answer.text.strip()}")
