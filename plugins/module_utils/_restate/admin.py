# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Restate admin API, typed, and the guard that keeps a dry run from writing."""

from __future__ import annotations

import dataclasses
import datetime
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .. import _timestamps
from .._errors import OperatorError
from .._http.answers import server_message
from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .._http.transport import MAY_BE_DONE, Request
from .._http.urls import segment
from .._thirdparty import ValidationError, httpx
from . import wire
from .calls import AdminCalls, is_unavailable, says_not_found, write_may_pass
from .questions import Questions
from .registration_remedies import registration_remedy
from .rows import Question
from .versions import Capabilities, capabilities_of

_M = t.TypeVar("_M", bound=wire.Wire)
_Row = t.TypeVar("_Row")

_AT_ONCE = 4
_NO_PATTERN = "Regular expression did not compile"


class AdminClient(AdminCalls):
    """Calls the admin API, without a version prefix. Safe to share between threads.

    All methods raise OperatorError as L(Transport.send) and L(Transport.checked) do, and RESTATE_UNEXPECTED_RESPONSE
    for an answer that they do not know. Any call that writes passes the O(guard) first, which refuses it in check mode.
    """

    def __init__(self, connection: Connection, guard: WriteGuard, clock: Clock) -> None:
        super().__init__(connection, guard, clock)
        # Not functools.cached_property: up to Python 3.11 the clients of all nodes would wait for each other.
        self._reads_version = threading.Lock()
        self.known_version: wire.Version | None = None
        """The server's version if it was read."""
        self.known_deployments: set[str] = set()
        """The ids of all deployments that were listed so far."""

    # Reads

    @property
    def version(self) -> wire.Version:
        """The server's version, read once."""
        with self._reads_version:
            if self.known_version is None:
                self.known_version = self._read_version()
            return self.known_version

    def _read_version(self) -> wire.Version:
        version = self.read(wire.Version, "/version")
        try:
            _ = version.numbers
        except ValueError:
            raise OperatorError(
                "RESTATE_UNEXPECTED_RESPONSE",
                f"The server says that its version is {self.connection.secrets.hidden(version.version)!r}.",
            ) from None
        return version

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do."""
        return capabilities_of(self.version.release)

    @property
    def questions(self) -> Questions:
        """The questions in the SQL that this server understands."""
        return Questions(has_scopes=self.capabilities.has_scopes)

    def cluster_name(self) -> str | None:
        """Return the name of the cluster, or None from a server that does not tell it (it is deprecated since 1.6)."""
        try:
            # It asks all metadata servers, and waits for one that is frozen.
            response = self.send(Request("GET", "/cluster-health", asks_others=True))
        except OperatorError as exc:
            if exc.reason == "timeout":
                return None
            raise
        if response.status_code == 404:
            return None
        return self.parsed(wire.ClusterHealth, self.expect(response, 200)).cluster_name

    def deployments(self) -> tuple[wire.Deployment, ...]:
        """Return every registered deployment, the oldest first. On a cluster the list can be 10 s old."""
        listed = self.read(wire.Deployments, "/deployments").deployments
        self.known_deployments.update(each.id for each in listed)
        return tuple(sorted(listed, key=lambda each: (each.created, each.id)))

    def deployment(self, deployment_id: str) -> wire.DeploymentDetail | None:
        """Return a deployment with its own revision of each service, or None where it is not registered."""
        return self.read_or_none(wire.DeploymentDetail, f"/deployments/{segment(deployment_id)}")

    def services(self) -> tuple[wire.Service, ...]:
        """Return the latest revision of each service, by name. On a cluster the list can be 10 s old."""
        return tuple(sorted(self.read(wire.Services, "/services").services, key=lambda each: each.name))

    def service(self, name: str) -> wire.Service | None:
        """Return the latest revision of a service, or None where it is not registered."""
        return self.read_or_none(wire.Service, f"/services/{segment(name)}")

    def openapi(self, name: str) -> wire.OpenApi | None:
        """Return what can be sent to the handlers of a service, or `None` if it is not registered."""
        return self.read_or_none(wire.OpenApi, f"/services/{segment(name)}/openapi")

    def subscriptions(self) -> tuple[wire.Subscription, ...]:
        """Return the Kafka subscriptions, by id. A server keeps them when the service that they feed is gone."""
        listed = self.read(wire.Subscriptions, "/subscriptions").subscriptions
        return tuple(sorted(listed, key=lambda each: each.id))

    def query(self, question: Question[_Row]) -> list[_Row]:
        """Return the rows that answer a question.

        Raises RESTATE_CLUSTER_UNAVAILABLE where a partition has no leader for longer than is waited, and
        RESTATE_QUERY_FAILED for anything else but a whole answer: the answer is streamed, so an error after its
        beginning cuts it off, and servers to come mark partial answers with warnings.
        """
        try:
            response = self.send(Request("POST", "/query", body={"query": question.sql}))
        except OperatorError as exc:
            if exc.code != "RESTATE_UNEXPECTED_RESPONSE" or exc.reason == "rate_limited":
                raise
            raise OperatorError(
                "RESTATE_QUERY_FAILED", exc.message, reason=exc.reason, http=exc.http
            ) from exc
        if response.status_code != 200:
            code = "RESTATE_CLUSTER_UNAVAILABLE" if is_unavailable(response) else "RESTATE_QUERY_FAILED"
            raise self.transport.unexpected(response, code=code)
        try:
            answer = wire.Rows.model_validate_json(response.content)
        except ValidationError:
            raise self.transport.unexpected(
                response, code="RESTATE_QUERY_FAILED", reason="cut_short_or_not_restate"
            ) from None
        if answer.warnings or "x-restate-query-warnings" in response.headers:
            warnings = self.connection.secrets.hidden(str(answer.warnings))
            message = f"a partial answer, with the warnings {warnings}"
            raise self.transport.unexpected(
                response, code="RESTATE_QUERY_FAILED", reason="partial_answer", message=message
            )
        try:
            return [question.row(**columns) for columns in answer.rows]
        except TypeError as exc:
            raise self.transport.unexpected(
                response,
                code="RESTATE_QUERY_FAILED",
                reason="unexpected_row",
                message=f"a row with other columns: {self.connection.secrets.hidden(str(exc))}",
            ) from None

    def now(self) -> datetime.datetime:
        """Return the time by the server's clock, by which Restate says when something was created or failed.

        If this host's clock says something else, `warnings` says so.
        """
        earliest = _timestamps.now()
        (clock,) = self.query(Questions.clock())
        try:
            moment = datetime.datetime.fromisoformat(clock.now).replace(tzinfo=datetime.UTC)
        except ValueError:
            raise OperatorError(
                "RESTATE_QUERY_FAILED",
                f"The server says that its time is {self.connection.secrets.hidden(clock.now)!r}.",
            ) from None
        if apart := _timestamps.difference(moment, earliest, _timestamps.now()):
            self.warnings.append(f"{apart} Ages are counted by the clock of Restate.")
        return moment

    def matches_empty(self, option: str, pattern: str) -> bool:
        """Return whether a regular expression matches a text that is empty.

        Raises RESTATE_INVALID_ARGUMENT, with the option's name, if the server takes no such expression.
        """
        try:
            (row,) = self.query(Questions.pattern_check(pattern))
        except OperatorError as exc:
            if _NO_PATTERN not in exc.message:
                raise
            why = exc.message.partition(_NO_PATTERN)[2].strip(" :.")
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"{option} is no regular expression: {' '.join(why.replace('~', '').split())}.",
                remedy="Use the syntax of Rust (https://docs.rs/regex/latest/regex/#syntax), which has no look-around "
                "and no back-references, with smaller repetitions.",
            ) from None
        return bool(row.matches)

    def queries(self, *questions: Question[t.Any]) -> list[list[t.Any]]:
        """Return the rows of several questions, asked side by side, a few at a time; raises as L(query) does."""
        if len(questions) < 2:
            return [self.query(question) for question in questions]
        with ThreadPoolExecutor(max_workers=min(len(questions), _AT_ONCE)) as pool:
            return list(pool.map(self.query, questions))

    def discover(self, registration: dict[str, t.Any]) -> wire.Registration:
        """Return what POST /deployments with this body would register: Restate's own dry run.

        Raises OperatorError: RESTATE_SERVICE_UNREACHABLE for META0003 and where the service is silent for longer than
        request_timeout, RESTATE_REGISTRATION_REFUSED where Restate refuses the deployment.
        """
        body = {**registration, "dry_run": True}
        request = Request("POST", "/deployments", body=body, asks_others=True)
        nodes_left = len(self.transport.each)
        while True:
            asked = self.connection
            nodes_left -= 1
            try:
                response = self.send(request)
                break
            except OperatorError as exc:
                if exc.reason != "timeout":
                    raise
                # If no node answers this, it raises, and the service is not to blame.
                self.read(wire.Version, "/version")
                if self.connection is asked or not nodes_left:
                    raise dataclasses.replace(exc, code="RESTATE_SERVICE_UNREACHABLE", remedy="") from exc
        return self._registered(response, registration, writes=False)

    # Writes

    def register(self, registration: dict[str, t.Any]) -> wire.Registration:
        """Register a deployment; raises as L(discover) does, and outcome_unknown where the answer was lost.

        Without force, servers from 1.6 answer 200 with what is registered at the URL already, and change nothing.
        """
        request = Request("POST", "/deployments", body=registration, asks_others=True)
        response = self.send(request, repeatable=False)
        answer = self._registered(response, registration, writes=True)
        is_known = response.status_code == 200 and not registration.get("force")
        return answer.model_copy(update={"was_registered": is_known})

    def delete_deployment(self, deployment_id: str) -> bool:
        """Delete a deployment (forced: no server can do it without); return False if somebody else had done it."""
        path = f"/deployments/{segment(deployment_id)}"
        request = Request("DELETE", path, params={"force": "true"})
        response = self.send(request, may_pass=write_may_pass)
        if says_not_found(response):
            return bool(response.extensions[MAY_BE_DONE])
        self.expect(response, 200, 202)
        return True

    def patch_service(self, name: str, settings: dict[str, t.Any]) -> None:
        """Set settings of the latest revision of a service."""
        request = Request("PATCH", f"/services/{segment(name)}", body=settings)
        response = self.send(request, may_pass=write_may_pass)
        self.expect(response, 200)

    def clear_state(self, service: str, key: str, version: str) -> None:
        """Ask for the state of a key to be cleared if it still has this version.

        The server answers before it does so, and ignores another version silently: read again to know.
        """
        body = {"version": version, "object_key": key, "new_state": {}}
        request = Request("POST", f"/services/{segment(service)}/state", body=body)
        self.expect(self.send(request, repeatable=False), 202)

    def terminate(self, verb: str, ids: t.Sequence[str]) -> t.Iterator[tuple[str, str]]:
        """Kill or purge invocations, 1,000 at most, and yield what became of each as soon as it is known.

        That is V(done), V(gone) where there is none, V(completed) where a kill came too late, V(unfinished) where a
        purge came too early (the server refuses it), else the server's message: then what became of it is unknown. A
        batch call that meets a dying node answers so for items that it has carried out (1.7.12).
        A kill takes along what was called, a purge of a workflow's run its state and promises.
        The batch call is internal to the server (from 1.6); where there is none, single calls do the same. An error of
        a single call names its invocation.
        """
        if len(ids) > 1 and self.capabilities.has_batch_operations:
            path = f"/internal/invocations_batch_operations/{verb}"
            response = self.send(Request("POST", path, body={"invocation_ids": list(ids)}), repeatable=False)
            if response.status_code not in (404, 405):
                yield from self._batch_answers(response)
                return
        for invocation_id in ids:
            try:
                answer = self._terminate_one(verb, invocation_id)
            except OperatorError as exc:
                exc.invocation_ids = [invocation_id]
                raise
            yield invocation_id, answer

    def _batch_answers(self, response: httpx.Response) -> t.Iterator[tuple[str, str]]:
        self.expect(response, 200)
        try:
            answer = self.parsed(wire.Batch, response)
        except OperatorError as exc:
            exc.outcome_unknown = True
            raise
        yield from ((invocation_id, "done") for invocation_id in answer.succeeded)
        hidden = self.connection.secrets.hidden
        for failure in answer.failed:
            yield failure.invocation_id, _in_short(failure) or hidden(failure.error)

    def _terminate_one(self, verb: str, invocation_id: str) -> str:
        response = self.send(
            Request("PATCH", f"/invocations/{segment(invocation_id)}/{verb}"), repeatable=False
        )
        if says_not_found(response):
            return "gone"
        if response.status_code == 409:
            return "completed" if verb == "kill" else "unfinished"
        self.expect(response, 200, 202)
        return "done"

    def cancel(self, invocation_id: str) -> bool:
        """Ask an invocation to stop and to compensate; return False where there is nothing left to cancel."""
        return self._on_invocation(invocation_id, "cancel")

    def pause(self, invocation_id: str) -> bool:
        """Ask an invocation to pause (servers from 1.6); return False where it is gone or not running."""
        return self._on_invocation(invocation_id, "pause")

    def resume(self, invocation_id: str, deployment: str) -> str:
        """Let an invocation go on, on the deployment with this id, on the V(latest) or on its own (V(keep)).

        Returns V(resumed), V(busy) where it must be paused first (or has completed), or V(gone). The server resumes
        also where the deployment does not serve the invocation's handler: look before you call.
        """
        path = f"/invocations/{segment(invocation_id)}/resume"
        response = self.send(Request("PATCH", path, params={"deployment": deployment}), repeatable=False)
        if says_not_found(response):
            return "gone"
        if response.status_code == 409:
            return "busy"
        self.expect(response, 200, 202)
        return "resumed"

    def _registered(
        self, response: httpx.Response, registration: dict[str, t.Any], *, writes: bool
    ) -> wire.Registration:
        if response.status_code in (200, 201):
            offered = self.parsed(wire.Registration, response)
            by_name = tuple(sorted(offered.services, key=lambda each: each.name))
            return offered.model_copy(update={"services": by_name})
        # A service may repeat what it was sent, and Restate repeats what a service says.
        secrets = self.connection.secrets.and_of(registration.get("additional_headers", {}))
        message, restate_code = server_message(response, secrets)
        if response.status_code >= 500 and restate_code is None:
            error = self.unexpected(response)
            error.outcome_unknown = writes
            raise error
        code = "RESTATE_SERVICE_UNREACHABLE" if restate_code == "META0003" else "RESTATE_REGISTRATION_REFUSED"
        error = self.transport.unexpected(response, code=code, reason=restate_code, message=message)
        error.remedy = registration_remedy(restate_code) or error.remedy
        raise error

    def _on_invocation(self, invocation_id: str, verb: str) -> bool:
        response = self.send(
            Request("PATCH", f"/invocations/{segment(invocation_id)}/{verb}"), repeatable=False
        )
        if says_not_found(response) or response.status_code == 409:
            return False
        self.expect(response, 200, 202)
        return True


def _in_short(failure: wire.BatchFailure) -> str | None:
    """Return the word for an error of a batch call, which has no codes, or None where there is none.

    Restate's own word on an invocation names it; any other error is one on the way there.
    """
    if f"'{failure.invocation_id}'" not in failure.error:
        return None
    for text, short in (
        ("not found", "gone"),
        ("already completed", "completed"),
        ("not yet completed", "unfinished"),
    ):
        if text in failure.error:
            return short
    return None
