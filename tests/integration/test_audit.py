# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit log of real operations: after success, failure, a kill and a signal; its page; the facts of a playbook."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.integration.playbook import environment, playbook
from tests.integration.proxy import Proxy, answer, before, proxy_of
from tests.integration.world import World
from tests.unit.loopback import LoopbackServer
from tests.unit.loopback import answer as answered

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "audit-record.schema.json").read_text(encoding="utf-8"))
KILL = "^/invocations/[^/]+/kill$"
KEY = "order-1"
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.loads(sys.argv[3])):
    import_module("ansible_collections.dalp.restate.plugins.modules.restate_" + sys.argv[2]).main()
"""


def module_process(module: str, args: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a module as a process, with arguments that nobody takes for templates."""
    command = [sys.executable, "-c", PROGRAM, str(ROOT / ".build" / "collections"), module, json.dumps(args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def result_of(module: str, **args: Any) -> dict[str, Any]:
    """Run a module as a process to its end, and return its result."""
    output, _errors = module_process(module, args).communicate(timeout=60)
    result: dict[str, Any] = json.loads(output)
    return result


def recovery(url: str, log: Path, key: str = KEY, **more: Any) -> dict[str, Any]:
    """Return the arguments of a recovery of one key."""
    return {
        "admin_url": url,
        "service_name": "OrderWorkflow",
        "service_key": key,
        "audit_log": str(log),
        "retries": 0,
        **more,
    }


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log."""
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def outcomes(log: Path) -> list[str]:
    """Return how the records of a log say that it ended."""
    return [one["data"]["outcome"] for one in records(log)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A log; whatever a test leaves in it is as the schema says, and its chain is whole."""
    path = tmp_path / "audit.jsonl"
    yield path
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for one in (written := records(path)):
        validator.validate(one)
    assert written
    assert result_of("audit_info", path=str(path))["verified"]


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    with proxy_of(world.admin_url) as started:
        yield started


class Blocked:
    """A recovery whose kill call has arrived and gets no answer."""

    def __init__(self, proxy: Proxy, log: Path) -> None:
        self._arrived, self._released = threading.Event(), threading.Event()
        proxy.once("PATCH", KILL, before(self._wait))
        args = recovery(proxy.url, log, kill_active="any", request_timeout=60)
        self.process = module_process("recover_workflow", args)
        assert self._arrived.wait(30)

    def _wait(self) -> None:
        self._arrived.set()
        self._released.wait(30)

    def end(self, number: signal.Signals) -> str:
        """Send the process a signal, and return what it still says."""
        try:
            self.process.send_signal(number)
            return self.process.communicate(timeout=30)[0]
        finally:
            self._released.set()


# What is in the log


def test_a_recovery_is_in_the_log_before_and_after_its_writes(world: World, proxy: Proxy, log: Path) -> None:
    world.release("release-1")
    world.order(KEY, "wait")
    seen: list[str] = []
    proxy.once("PATCH", KILL, before(lambda: seen.extend(outcomes(log))))

    planned = world.task(
        "recover_workflow", check=True, **recovery(proxy.url, log, kill_active="any", actor="ada")
    )
    assert proxy.writes == []
    real = world.task("recover_workflow", **recovery(proxy.url, log, kill_active="any", actor="ada"))

    assert not real["failed"], real["msg"]
    assert seen == ["planned", "attempted"]
    assert outcomes(log) == ["planned", "attempted", "succeeded"]
    assert {(one["subject"], one["data"]["actor"]) for one in records(log)} == {
        (f"OrderWorkflow/{KEY}", "ada")
    }
    told = result_of("audit_info", path=str(log))
    assert (told["last_hash"], told["without_outcome"]) == (real["audit"]["linehash"], [])
    assert planned["audit"]["linehash"] == records(log)[1]["previoushash"]


def test_a_module_that_is_killed_leaves_an_attempt_without_an_outcome(
    world: World, proxy: Proxy, log: Path
) -> None:
    world.release("release-1")
    world.order(KEY, "wait")

    blocked = Blocked(proxy, log)
    assert outcomes(log) == ["attempted"]
    blocked.end(signal.SIGKILL)

    assert blocked.process.returncode == -signal.SIGKILL
    told = result_of("audit_info", path=str(log))
    assert [one["data"]["attempt"] for one in told["without_outcome"]] == [records(log)[0]["data"]["attempt"]]
    assert "1 attempt without an outcome" in told["msg"]
    again = world.task("recover_workflow", **recovery(world.admin_url, log, kill_active="any"))
    assert not again["failed"], again["msg"]
    assert len(result_of("audit_info", path=str(log))["without_outcome"]) == 1


def test_a_module_that_is_terminated_leaves_a_failed_record(world: World, proxy: Proxy, log: Path) -> None:
    world.release("release-1")
    world.order(KEY, "wait")

    result = json.loads(Blocked(proxy, log).end(signal.SIGTERM))

    assert result["failed"]
    assert (result["error"]["code"], result["error"]["reason"]) == ("RESTATE_INTERRUPTED", "signal")
    assert result["changed"]
    assert outcomes(log) == ["attempted", "failed"]
    assert records(log)[-1]["data"]["error_code"] == "RESTATE_INTERRUPTED"
    assert "SIGTERM" in records(log)[-1]["data"]["error_message"]
    assert result_of("audit_info", path=str(log))["without_outcome"] == []


# The page

HOSTILE = {
    "key": "</dd></dl><script>alert('key')</script><img src=x onerror=alert(1)>",
    "reason": "\"><svg onload='alert(2)'></style><iframe src=javascript:alert(3)> {{ 7 * 191 }} {% raw %} | `x`",
    "failure": "<details open ontoggle=alert(4)></pre><article class=hostile><b>bold</b>",
}
TAGS_OF_THE_PAGE = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "article", "span"),
    *("dl", "dt", "dd", "code", "details", "summary", "pre"),
}
ATTRIBUTES_OF_THE_PAGE = {"lang", "charset", "http-equiv", "content", "name", "class"}


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def foreign(self) -> set[str]:
        """Elements and attributes that the template does not have."""
        names = {name for name, _value in self.attributes}
        return (set(self.tags) - TAGS_OF_THE_PAGE) | (names - ATTRIBUTES_OF_THE_PAGE)


def test_the_page_shows_hostile_texts_as_texts(world: World, proxy: Proxy, log: Path, tmp_path: Path) -> None:
    # What is looked for below would be found.
    assert {"script", "img", "onerror"} <= Page(HOSTILE["key"]).foreign
    assert {"svg", "onload"} <= Page(HOSTILE["reason"]).foreign
    assert {"b", "ontoggle"} <= Page(HOSTILE["failure"]).foreign
    world.release("release-1")
    proxy.once("GET", "^/version", *[answer(500, {"message": HOSTILE["failure"]})] * 2)
    for admin in (proxy.url, world.admin_url):
        for check in (False, True):
            args = recovery(admin, log, HOSTILE["key"], reason=HOSTILE["reason"], audit_detail="full")
            result_of("recover_workflow", **args, _ansible_check_mode=check)
    assert HOSTILE["failure"] in str(records(log)[0]["data"]["error_message"])
    path = tmp_path / "report.html"

    ran = playbook("audit_report", tmp_path, restate_audit_log=str(log), restate_audit_page=str(path))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    page = Page(path.read_text(encoding="utf-8"))
    assert page.foreign == set()
    assert page.tags.count("article") == len(records(log)) == 4
    classes = {value for name, value in page.attributes if name == "class"}
    assert classes == {"verdict", "list", "badge", "failed", "succeeded", "planned"}
    for text in HOSTILE.values():
        assert text in page.text
    markdown = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "<" not in markdown
    assert "1337" not in markdown + page.text
    assert {len(line.replace("\\|", "").split("|")) for line in markdown.splitlines() if line[:1] == "|"} == {
        10
    }


# Playbooks and secrets

TOKEN = "tok-8c1e5b7d20"
HEADER = "hdr-4f9a2c6e81"
PASSWORD = "pwd-1d7b3e9f55"
HOOK = "hook-6a2f8d4c97"
FAILURE = "database is down"
STATE = "step"
CONTEXT = "4711-0815"
SECRETS = (TOKEN, HEADER, PASSWORD, HOOK, FAILURE, CONTEXT)
PATTERNS = [r"database\sis\sdown", r"^step$", r"\d{4}-\d{4}"]


def assert_no_secret(text: str) -> None:
    lines = text.splitlines()
    assert [line for line in lines if any(secret in line for secret in SECRETS)] == []


def facts(tmp_path: Path) -> list[dict[str, Any]]:
    """Return the records that the fact cache holds."""
    (file,) = (tmp_path / "facts").iterdir()
    content = json.loads(file.read_text())
    content = json.loads(content["__payload__"]) if "__payload__" in content else content
    content = content["restate_audit"]
    # Newer releases of ansible-core keep with a value what is known of it.
    kept: list[dict[str, Any]] = content["value"] if isinstance(content, dict) else content
    return kept


def artifacts(output: str) -> list[dict[str, Any]]:
    """Return the records that a playbook leaves to its job."""
    stats = output.partition("CUSTOM STATS:")[2].partition("RUN:")[2]
    kept: list[dict[str, Any]] = json.JSONDecoder().raw_decode(stats.strip())[0]["restate_audit"]
    return kept


@pytest.mark.parametrize("check", [False, True], ids=["for real", "as a dry run"])
def test_a_playbook_keeps_its_records_and_no_secret(
    check: bool, world: World, log: Path, tmp_path: Path
) -> None:
    world.release("release-1")
    world.order(KEY, "wait")
    world.order("order-2", "fail")
    world.order("order-3", "retry")
    # What is looked for below would be found.
    assert FAILURE in str(world.task("doctor"))
    told = world.task("recover_workflow", check=True, service_name="OrderWorkflow", service_key="order-2")
    assert told["diff"]["before"]["OrderWorkflow/order-2"]["state"] == [STATE]
    # Userinfo and a token are not taken together.
    by_userinfo = {"restate_admin_url": world.admin_url.replace("://", f"://ops:{PASSWORD}@")}
    by_token = {"restate_admin_url": world.admin_url, "restate_auth_token": TOKEN}
    variables: dict[str, Any] = {
        **(by_token if check else by_userinfo),
        "restate_ingress_url": world.sandbox.ingress_url,
        "restate_headers": {"x-gateway": HEADER},
        "restate_audit_log": str(log),
        "restate_audit_detail": "full",
        "restate_redact_patterns": PATTERNS,
        "restate_reason": f"card {CONTEXT}",
        "restate_audit_context": {"card": CONTEXT},
        "restate_workflows": [
            {"service_name": "OrderWorkflow", "service_key": key} for key in ("order-2", KEY)
        ],
    }
    with LoopbackServer([answered(410)]) as hook:
        variables["restate_audit_webhook"] = f"{hook.url}/{HOOK}"
        options = ["-vvv", "--diff", *(["--check"] if check else [])]
        ran = playbook("recover_workflow", tmp_path, *options, **variables)
    printed = ran.stdout + ran.stderr
    assert ran.returncode == 2, printed

    kept = facts(tmp_path)
    steps = [(one["data"]["operation"], one["data"]["outcome"]) for one in kept]
    doctor = ("doctor", "planned" if check else "succeeded")
    assert steps == [doctor, ("recover_workflow", "refused" if check else "failed"), doctor]
    assert artifacts(ran.stdout) == kept
    assert {one["data"]["check_mode"] for one in kept} == {check}
    ended = [one["id"] for one in records(log) if one["data"]["outcome"] != "attempted"]
    assert [one["id"] for one in kept] == ended
    assert len(records(log)) == (3 if check else 4)

    page = tmp_path / "report.html"
    made = playbook("audit_report", tmp_path, restate_audit_log=str(log), restate_audit_page=str(page))
    assert made.returncode == 0, made.stdout + made.stderr
    assert "did not take the audit record: status 410" in printed
    assert [request.json["id"] for request in hook.requests] == [one["id"] for one in records(log)]
    assert {request.target for request in hook.requests} == {f"/{HOOK}"}
    for request in hook.requests:
        assert_no_secret(str(request.headers) + request.body.decode())
    pages = page.read_text(encoding="utf-8") + page.with_suffix(".md").read_text(encoding="utf-8")
    assert_no_secret(printed + log.read_text(encoding="utf-8") + pages + str(kept))
    assert "card (hidden)" in pages
    full = next(
        one["data"] for one in records(log) if "OrderWorkflow/order-2" in one["data"].get("before", {})
    )
    assert full["before"]["OrderWorkflow/order-2"]["state"] == ["(hidden)"]
