# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An admin API with three deployments, as far as a cleanup asks: it fails, and changes, when it is told to."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Questions
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import Invocation
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import capabilities_of
from ansible_collections.dalp.restate.tests.unit import wire_objects
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import NOT_FOUND, Request, answer

KILL = "/internal/invocations_batch_operations/kill"
HANDLERS = [{"name": "run", "ty": "Workflow"}]
# The newest as a text is not the newest as an instant.
REGISTERED_AT = {"dp_1": "01.5Z", "dp_2": "02Z", "dp_new": "02.5Z"}


class ScriptedAdmin:
    """Three deployments of the workflow Flow, of which dp_new is the latest; one may hold inv_1 and inv_2.

    O(faults) are the answers to come to a call, by method and target, and O(before) is done once before a call is
    answered. It counts what has ended as unfinished for O(behind) more seconds of its clock.
    """

    def __init__(self, pinned: str | None = None, *, behind: float = 0, version: str = "1.7.12") -> None:
        self.ids = ["dp_1", "dp_2", "dp_new"]
        self.latest = "dp_new"
        self.clock = FakeClock()
        self.faults: dict[str, list[bytes]] = {}
        self.before: dict[str, Callable[[], object]] = {}
        self.writes: list[str] = []
        self._behind = behind
        self._version = wire_objects.version(version)
        self._questions = Questions(has_scopes=capabilities_of(self._version.release).has_scopes)
        self._ended_at: dict[str, float] = {}
        self.rows: dict[str, Invocation] = {}
        if pinned:
            self.pin(pinned)

    def pin(self, deployment_id: str) -> None:
        """Let two invocations begin on a deployment."""
        for id_ in ("inv_1", "inv_2"):
            self.rows[id_] = wire_objects.invocation(id_, "invoked", pinned_deployment_id=deployment_id)

    def __call__(self, request: Request) -> bytes:
        """Answer a request."""
        call = f"{request.method} {request.target}"
        self.before.pop(call, lambda: None)()
        if request.method in ("DELETE", "PATCH") or request.target == KILL:
            self.writes.append(call)
        if self.faults.get(call):
            return self.faults[call].pop(0)
        if request.method == "GET":
            return self._read(request.target)
        if call == "POST /query":
            return self._query(request.json["query"])
        if call == "POST /deployments":
            return answer(200, {"id": self.latest, "services": [self._flow()]})
        if request.target == KILL:
            ids = request.json["invocation_ids"]
            self._end(ids, "[409] killed")
            return answer(200, {"succeeded": ids, "failed": []})
        return self._write(request)

    # Reads

    def _read(self, target: str) -> bytes:
        if target == "/version":
            return answer(200, {"version": self._version.version})
        if target == "/services":
            return answer(200, {"services": [self._flow()]})
        if target == "/deployments":
            return answer(200, {"deployments": [self._deployment(each) for each in self.ids]})
        id_ = target.rpartition("/")[2]
        detail = {**self._deployment(id_), "http_version": "HTTP/2.0", "services": [self._flow()]}
        return answer(200, detail) if id_ in self.ids else NOT_FOUND

    def _flow(self) -> dict[str, Any]:
        return {
            "name": "Flow",
            "ty": "Workflow",
            "deployment_id": self.latest,
            "revision": 3,
            "handlers": HANDLERS,
        }

    def _deployment(self, id_: str) -> dict[str, Any]:
        return {
            "id": id_,
            "uri": f"http://{id_}:9080/",
            "created_at": f"2026-01-01T00:00:{REGISTERED_AT[id_]}",
            "services": [{"name": "Flow", "revision": 1}],
        }

    def _query(self, sql: str) -> bytes:
        # How long is waited decides nothing here: nothing is scheduled.
        sql = re.sub(r"interval '\d+ seconds'", "interval '0 seconds'", sql)
        for question, rows in self._answers():
            if question == sql:
                return answer(200, {"rows": rows})
        return answer(500, {"message": f"No answer is written for: {sql}"})

    def _answers(self) -> Iterator[tuple[str, list[Any]]]:
        """All questions that may be asked, each with its answer."""
        unfinished = [row for row in self.rows.values() if self._is_counted(row)]
        pinned = Counter((row.pinned_deployment_id, row.status) for row in unfinished)
        yield (
            self._questions.pending().sql,
            [
                {
                    "target_service_name": "Flow",
                    "target_handler_name": "run",
                    "pinned_deployment_id": id_,
                    "status": status,
                    "n": n,
                }
                for (id_, status), n in pinned.items()
            ],
        )
        for id_, services in itertools.product(REGISTERED_AT, ([], ["Flow"])):
            on_it = [row for row in unfinished if row.pinned_deployment_id == id_]
            yield self._questions.unfinished_on(id_, services).sql, _columns(on_it)
        for ids in (["inv_1"], ["inv_2"], ["inv_1", "inv_2"]):
            named = [self.rows[each] for each in ids if each in self.rows]
            yield self._questions.invocations(ids).sql, _columns(named)
            yield self._questions.cancelled(ids).sql, []
            yield self._questions.children(ids).sql, []
            yield self._questions.status_of(ids).sql, _columns(wire_objects.status_of(row) for row in named)

    def _is_counted(self, row: Invocation) -> bool:
        ended_at = self._ended_at.get(row.id)
        return ended_at is None or self.clock.now() < ended_at + self._behind

    # Writes

    def _write(self, request: Request) -> bytes:
        path, _question_mark, query = request.target.partition("?")
        if request.method == "DELETE":
            id_ = path.rpartition("/")[2]
            if id_ not in self.ids:
                return NOT_FOUND
            self.ids.remove(id_)
            return answer(202)
        invocation_id, verb = re.findall(r"^/invocations/(\w+)/(\w+)$", path)[0]
        if verb == "resume":
            moved_to = query.partition("=")[2]
            self.rows[invocation_id] = self.rows[invocation_id]._replace(
                pinned_deployment_id=moved_to, status="invoked"
            )
        else:
            self._end([invocation_id], f"[409] {verb}ed")
        return answer(202)

    def _end(self, ids: Iterable[str], failure: str) -> None:
        for id_ in ids:
            self._ended_at[id_] = self.clock.now()
            self.rows[id_] = self.rows[id_]._replace(
                status="completed", completion_result="failure", completion_failure=failure
            )


def _columns(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]
