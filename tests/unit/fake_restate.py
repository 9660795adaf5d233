# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Restate in memory, as far as a recovery sees one: to stop it at any step, which no real server can be asked for.

What kill, purge and a submission do is what 1.5.3, 1.6.2 and 1.7.12 were seen to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    Caller,
    Count,
    Invocation,
    InvocationId,
    JournalCommand,
    JournalInput,
    Promise,
    StateEntry,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import capabilities_of
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import (
    Deployment,
    OpenApi,
    Service,
    Version,
)
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.wire_objects import (
    deployment,
    invocation,
    service,
    status_of,
)

KILLED = "[409] killed"
BORN, BORN_AGAIN = "2026-01-01T00:00:00.000Z", "2026-02-02T00:00:00.000Z"
BORN_ONCE_MORE = "2026-03-03T00:00:00.000Z"


class Crash(BaseException):
    """The end of the process: nothing may catch it."""


class Question(NamedTuple):
    """A question of L(Questions), not yet put in SQL."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]


class FakeQuestions:
    """Has every question."""

    def __getattr__(self, name: str) -> Callable[..., Question]:
        return lambda *args, **options: Question(name, args, options)


def run_of(key: str, status: str = "completed", result: str | None = "failure", **more: Any) -> Invocation:
    """Make the run of a key of the workflow Flow; it failed unless said otherwise."""
    result = result if status == "completed" else None
    return invocation(f"inv_{key}", status, "run", result, target_service_key=key, **more)


def lost(message: str = "the answer was lost") -> OperatorError:
    """Make the error of a write whose answer was lost."""
    return OperatorError("RESTATE_ADMIN_UNREACHABLE", message, outcome_unknown=True)


class FakeRestate:
    """An admin API. O(hooks) are called with the name of each write before and after it takes effect."""

    def __init__(
        self,
        *rows: Invocation,
        check_mode: bool = False,
        retries: int = 2,
        version: str = "1.7.12",
        write_grace: float = 0,
    ) -> None:
        self.known_deployments: set[str] = {"dp_of_this_cluster"}
        self.rows = {row.id: row for row in rows}
        self.state: dict[str, dict[str, bytes]] = {}
        self.promises: dict[str, list[str]] = {}
        self.inputs = {row.id: entry(str(row.target_service_key).encode()) for row in rows}
        self.forgets = False
        self.is_shown = False
        """Whether a diff or a record shows what there is."""
        self.retention = "1d"
        self.held: set[str] = set()
        self.attached: dict[str, str] = {}
        self._last_born: dict[str, str] = {}
        self.check_mode = check_mode
        self.guard = WriteGuard(check_mode=check_mode)
        self.clock = FakeClock()
        # A write that was cut off is taken up at once, unless a test is about that.
        self.connection = Connection(url="http://fake:9070", retries=retries, write_grace=write_grace)
        self.transport = SimpleNamespace(each=[self.connection])
        self.version = Version(version=version)
        self.questions = FakeQuestions()
        self.capabilities = capabilities_of(self.version.release)
        self.writes: list[tuple[str, tuple[str, ...]]] = []
        self.hooks: dict[str, Callable[[], object]] = {}
        self.answers: dict[str, str] = {}

    def change(self, id_: str, **columns: Any) -> None:
        """Change an invocation."""
        self.rows[id_] = self.rows[id_]._replace(**columns)

    def names(self) -> list[str]:
        """The writes by name."""
        return [name for name, _ids in self.writes]

    def hook(self, when: str, act: Callable[[], object] | BaseException) -> None:
        """Do or raise something once, as in C(before kill), C(after purge) or C(before status_of)."""

        def once() -> None:
            del self.hooks[when]
            if isinstance(act, BaseException):
                raise act
            act()

        self.hooks[when] = once

    def reach(self, when: str) -> None:
        """Come to a place where there may be a hook."""
        self.hooks.get(when, lambda: None)()

    # What AdminClient has

    def cluster_name(self) -> str:
        """Tell the name."""
        return "production"

    def deployments(self) -> list[Deployment]:
        """List the one deployment."""
        return [deployment("dp_1")]

    def service(self, name: str) -> Service:
        """Say of any name that it is a workflow."""
        self.reach(f"before service {name}")
        return service(name, workflow_completion_retention=self.retention)

    def openapi(self, name: str) -> OpenApi:
        """Say of any workflow that its run takes JSON, or nothing."""
        body = {"requestBody": {"content": {"application/json": {}}, "required": False}}
        return OpenApi(paths={f"/{name}/{{key}}/run/send": {"post": body}})

    def queries(self, *questions: Question) -> list[list[Any]]:
        """Answer questions."""
        return [self.query(question) for question in questions]

    def query(self, question: Question) -> list[Any]:
        """Answer a question."""
        self.reach(f"before {question.name}")
        rows: list[Any] = getattr(self, f"_{question.name}")(*question.args, **question.options)
        return rows

    def terminate(self, verb: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Kill or purge, and answer for each; O(answers) has words for those that are refused."""
        assert not self.check_mode
        assert len(ids) <= 1000
        self.guard.authorize_write("a write")
        self.writes.append((verb, tuple(ids)))
        self.reach(f"before {verb}")
        answers = [(each, self.answers.get(each) or self.end_one(verb, each)) for each in ids]
        self.reach(f"after {verb}")
        yield from answers

    def clear_state(self, service: str, key: str, version: str) -> None:
        """Clear a state, whatever its version."""
        assert not self.check_mode
        self.guard.authorize_write("a write")
        self.reach("before clear_state")
        self.writes.append(("clear_state", (service, key, version)))
        self.state.pop(key, None)

    # What it does

    def end_one(self, verb: str, id_: str) -> str:
        """Kill or purge an invocation, and return the answer."""
        row = self.rows.get(id_)
        if row is None:
            return "gone"
        if (row.status == "completed") is (verb == "kill"):
            return "completed" if verb == "kill" else "unfinished"
        if verb == "kill" and row.status in ("inboxed", "scheduled"):
            del self.rows[id_]
        elif verb == "kill":
            self.rows[id_] = row._replace(
                status="completed", completion_result="failure", completion_failure=KILLED
            )
        else:
            del self.rows[id_]
            if row.target_handler_name == "run":
                self.state.pop(str(row.target_service_key), None)
                self.promises.pop(str(row.target_service_key), None)
                self.inputs.pop(id_, None)
        return "done"

    def submit(self, key: str, payload: bytes) -> str:
        """Submit a key, unless it was submitted."""
        id_ = f"inv_{key}"
        if id_ not in self.rows and not self.forgets:
            born = BORN_AGAIN if self._last_born.get(id_) != BORN_AGAIN else BORN_ONCE_MORE
            self._last_born[id_] = born
            self.rows[id_] = run_of(key, "invoked", created_at=born)
            self.inputs[id_] = entry(payload)
        return id_

    # Answers

    def _invocations_of_keys(self, _service: str, keys: Sequence[str], *, by_scan: bool = False) -> list[Any]:
        # A query that names many keys to be looked up takes a server long.
        assert by_scan or len(keys) <= 500
        return [row for row in self.rows.values() if str(row.target_service_key) in keys]

    def _some_invocations(self, *, limit: int) -> list[Any]:
        return [Count(min(len(self.rows), limit))]

    def _state_of_keys(self, _service: str, keys: Sequence[str]) -> list[Any]:
        return [StateEntry(key, name) for key in keys for name in self.state.get(key, {})]

    def _state_values(self, _service: str, keys: Sequence[str]) -> list[Any]:
        return [
            StateEntry(key, name, value.hex())
            for key in keys
            for name, value in self.state.get(key, {}).items()
        ]

    def _promises_of_keys(self, _service: str, keys: Sequence[str]) -> list[Any]:
        return [Promise(key, name) for key in keys for name in self.promises.get(key, [])]

    _promise_values = _promises_of_keys

    def _by_id(self, ids: Sequence[str]) -> list[Any]:
        assert len(ids) <= 1000
        return [self.rows[each] for each in ids if each in self.rows]

    def _held_by_invoker(self, ids: Sequence[str]) -> list[Any]:
        return [InvocationId(each) for each in ids if each in self.held]

    _invocations = _by_id

    def _status_of(self, ids: Sequence[str]) -> list[Any]:
        return [status_of(row) for row in self._by_id(ids)]

    def _children(self, ids: Sequence[str]) -> list[Any]:
        return [row for row in self.rows.values() if row.invoked_by_id in ids and row.status != "completed"]

    def _callers(self, ids: Sequence[str]) -> list[Any]:
        return [Caller(row.id, row.invoked_by_id) for row in self._by_id(ids) if row.invoked_by_id]

    def _one_way_calls(self, _ids: Sequence[str]) -> list[Any]:
        return []

    def _attachments(self) -> list[Any]:
        return [
            JournalCommand(
                each, json.dumps({"Command": {"AttachInvocation": {"target": {"InvocationId": id_}}}})
            )
            for each, id_ in self.attached.items()
        ]

    def _inputs(self, ids: Sequence[str]) -> list[Any]:
        return [JournalInput(each, self.inputs[each]) for each in ids if each in self.inputs]


class FakeIngress:
    """The ingress of a L(FakeRestate)."""

    def __init__(self, restate: FakeRestate) -> None:
        self._restate = restate
        self.submitted: list[tuple[str, bytes, dict[str, str]]] = []

    def health(self, _advertised: object) -> str:
        """Say where it is."""
        return "http://fake:8080"

    def connect(self, _advertised: object) -> FakeIngress:
        """Return the client, which this is."""
        return self

    def close(self) -> None:
        """Close nothing."""

    def submit(self, service: str, key: str, handler: str, payload: bytes, headers: dict[str, str]) -> str:
        """Take a submission."""
        assert not self._restate.check_mode
        assert handler == "run"
        self._restate.reach("before submit")
        self._restate.guard.authorize_write("submit")
        self.submitted.append((key, payload, headers))
        id_ = self._restate.submit(key, payload)
        self._restate.reach("after submit")
        return id_


def entry(payload: bytes, *headers: tuple[str, str]) -> str:
    """Make the entry_json of an input, with a content type."""
    pairs = [("content-type", "application/json"), *headers]
    content = {
        "headers": [{"name": name, "value": value} for name, value in pairs],
        "payload": list(payload),
    }
    return json.dumps({"Command": {"Input": content}})
