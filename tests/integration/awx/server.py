# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in of AWX's API: it answers what awx.awx asks and sends as AWX 24.6.1 does, and refuses what AWX refuses."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.integration.awx.fields import FIELDS
from tests.integration.awx.store import ASSOCIATIONS, ENCRYPTED, ROLES, Refused, Store, target_of

USERNAME, PASSWORD = "admin", "a-password-of-awx"
_TYPES = {"inventories": "inventory"}


class Awx:
    """AWX with what it holds; O(writes) are the requests that changed something."""

    def __init__(self, url: str, playbooks: dict[str, list[str]]) -> None:
        self.url = url
        self.store = Store(playbooks)
        self.writes: list[str] = []
        self.refused: list[str] = []
        self.tokens: set[int] = set()
        self._lock = threading.Lock()

    def names(self, resource: str) -> list[str]:
        """Return the names of what it has of a resource."""
        return [
            str(one.get("name") or one.get("identifier")) for one in self.store.objects[resource].values()
        ]

    def named(self, resource: str, name: str) -> dict[str, Any]:
        """Return an object as it is held, by its name."""
        key = "identifier" if resource == "workflow_job_template_nodes" else "name"
        return next(one for one in self.store.objects[resource].values() if one[key] == name)

    def id_of(self, resource: str, name: str) -> int:
        """Return the id of an object, by its name."""
        return next(number for number, one in self.store.objects[resource].items() if one["name"] == name)

    def survey_of(self, name: str, resource: str = "job_templates") -> dict[str, Any]:
        """Return the survey of a template, by the template's name."""
        return self.store.surveys[resource, self.id_of(resource, name)]

    def granted(self, name: str, resource: str = "job_templates") -> dict[str, set[str]]:
        """Return, by role, the teams that have it on a template."""
        number = self.id_of(resource, name)
        return {
            role: {self.store.objects["teams"][team]["name"] for team in teams}
            for (kind, owner, role), teams in self.store.granted.items()
            if (kind, owner) == (resource, number) and teams
        }

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Return the status and the body of the answer to a request."""
        url = urlsplit(target)
        parts = url.path.removeprefix("/api/v2/").strip("/").split("/")
        with self._lock:
            try:
                status, answer = self._routed(method, parts, dict(parse_qsl(url.query)), body)
            except Refused as exc:
                status, answer = exc.status, exc.body
            if method != "GET" and parts[0] != "tokens":
                kept = self.writes if status < 300 else self.refused
                kept.append(
                    f"{method} {url.path} {json.dumps(body)} -> {status} {answer if status >= 300 else ''}"
                )
            return status, answer

    def _routed(self, method: str, parts: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        if parts[0] == "tokens":
            return self._token(method, parts)
        if parts[0] == "roles":
            return self._role(method, parts[1], parts[2], body)
        if parts[0] not in (*FIELDS, "unified_job_templates"):
            raise Refused({"detail": "Not found."}, 404)
        if len(parts) == 1:
            return self._collection(method, parts[0], query, body)
        number = int(parts[1])
        if number not in self.store.objects[parts[0]]:
            raise Refused({"detail": "Not found."}, 404)
        if len(parts) == 2:
            return self._object(method, parts[0], number, body)
        return self._sub(method, (parts[0], number, parts[2]), body)

    def _token(self, method: str, parts: list[str]) -> tuple[int, Any]:
        if method == "DELETE":
            self.tokens.discard(int(parts[1]))
            return 204, None
        number = max(self.tokens, default=0) + 1
        self.tokens.add(number)
        return 201, {"id": number, "token": f"token-{number}"}

    def _collection(self, method: str, resource: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "POST":
            return 201, self._shown(resource, self.store.create(resource, body))
        return 200, _page([self._shown(*each) for each in self.store.found(resource, query)])

    def _object(self, method: str, resource: str, number: int, body: Any) -> tuple[int, Any]:
        if method == "DELETE":
            self.store.delete(resource, number)
            return 204, None
        if method == "PATCH":
            self.store.update(resource, number, body)
        return 200, self._shown(resource, number)

    def _sub(self, method: str, owner: tuple[str, int, str], body: Any) -> tuple[int, Any]:
        resource, number, name = owner
        if name == "survey_spec" and resource in ROLES:
            if method == "POST":
                self.store.set_survey(resource, number, body)
            return 200, self.store.surveys.get((resource, number), {})
        if name == "create_approval_template" and method == "POST":
            approval = self.store.make_approval(number, body)
            return 201, self._shown("workflow_approval_templates", approval)
        if name not in ASSOCIATIONS.get(resource, ()):
            raise Refused({"detail": "Not found."}, 404)
        if method == "POST":
            self.store.associate(owner, body["id"], is_removal=bool(body.get("disassociate")))
            return 204, None
        target = target_of(name)
        return 200, _page([self._shown(target, each) for each in self.store.associated.get(owner, ())])

    def _role(self, method: str, role: str, actors: str, body: Any) -> tuple[int, Any]:
        number, kind = divmod(int(role), 100)
        resource = list(ROLES)[kind // 10]
        granted = self.store.granted.setdefault((resource, number, ROLES[resource][kind % 10]), set())
        if method == "POST":
            (granted.discard if body.get("disassociate") else granted.add)(body["id"])
            return 204, None
        return 200, _page([self._shown(actors, each) for each in granted])

    def _shown(self, resource: str, number: int) -> dict[str, Any]:
        """Return an object as AWX shows it, without secrets."""
        held = self.store.objects[resource][number]
        url = f"/api/v2/{resource}/{number}/"
        shown = {"id": number, "type": _TYPES.get(resource, resource.removesuffix("s")), "url": url, **held}
        related = {name: f"{url}{name}/" for name in ASSOCIATIONS.get(resource, ())}
        summary: dict[str, Any] = {}
        if resource in ROLES:
            related["survey_spec"] = f"{url}survey_spec/"
            place = list(ROLES).index(resource) * 10
            roles = enumerate(ROLES[resource])
            summary["object_roles"] = {
                f"{role}_role": {"id": number * 100 + place + at} for at, role in roles
            }
        if resource == "workflow_job_template_nodes":
            related |= self._template_of_node(held["unified_job_template"])
        if resource == "projects":
            shown |= {"scm_revision": "", "status": "successful"}
        if resource == "credentials":
            shown["inputs"] = self._shown_inputs(held)
        if resource == "credential_types":
            shown["managed"] = False
        return {**shown, "related": related, "summary_fields": summary}

    def _template_of_node(self, number: int | None) -> dict[str, str]:
        found = [
            each
            for each, each_number in self.store.found("unified_job_templates", {})
            if each_number == number
        ]
        return {"unified_job_template": f"/api/v2/{found[0]}/{number}/"} if found else {}

    def _shown_inputs(self, credential: dict[str, Any]) -> dict[str, Any]:
        kind = self.store.objects["credential_types"][credential["credential_type"]]
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        return {
            name: ENCRYPTED if name in secret and value else value
            for name, value in credential["inputs"].items()
        }


def _page(results: list[Any]) -> dict[str, Any]:
    return {"count": len(results), "next": None, "previous": None, "results": results}


@contextlib.contextmanager
def stand_in(playbooks: dict[str, list[str]]) -> Iterator[Awx]:
    """Serve AWX's API while the block runs; O(playbooks) are those of a project, by its URL or local path."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = awx.answer(self.command, self.path, body)
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the output of the tests to themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    awx = Awx(f"http://127.0.0.1:{server.server_port}", playbooks)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield awx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
