# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules make of DALP's answers, those included that no DALP before a real Restate can be made to give."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments import dalp_registry
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, LoopbackServer, Request, answer
from ansible_collections.dalp.restate.tests.unit.plugins.module_utils._dalp.test_client import HEALTH

KEY = "sm_dalp_0123456789"
PASSWORD = "hunter22"
OLD = {"id": "dp_old", "serviceUrl": "http://v1:9080/", "createdAt": "2026-05-09T10:00:00.000Z"}
NEW = {"id": "dp_new", "serviceUrl": "http://v2:9080/", "createdAt": "2026-06-09T10:00:00.000Z"}
DOWN = {"status": "unreachable", "error": "connect refused"}
DENIED = answer(403, {"code": "OFFCHAIN_USER_PERMISSION_REQUIRED", "status": 403, "message": "Not you."})
UNREACHABLE = answer(503, {"code": "RESTATE_ADMIN_UNREACHABLE", "status": 503, "message": "No Restate."})

Run = Callable[..., tuple[str, dict[str, Any]]]


def health(*deployments: dict[str, Any], **components: Any) -> dict[str, Any]:
    told = copy.deepcopy(HEALTH)
    told["deployments"]["items"] = list(deployments)
    told["invocations"]["byStatus"] = {"completed": 3}
    return {**told, **components}


class Dalp:
    """Gives the doctor's answers in their order, the last again and again, and one answer for all writes."""

    def __init__(self, serve: Serve, run: Run, *doctors: Any, write: bytes = b"") -> None:
        self._doctors = [one if isinstance(one, bytes) else answer(200, one) for one in doctors]
        self._write = write or answer(200, {"acknowledged": True, "deploymentId": "dp_new"})
        self._run = run
        self.server: LoopbackServer = serve(self._answer)

    def _answer(self, request: Request) -> bytes:
        if not request.target.endswith("/doctor"):
            return self._write
        return self._doctors.pop(0) if len(self._doctors) > 1 else self._doctors[0]

    @property
    def routes(self) -> list[str]:
        """What was posted to."""
        return [request.target.rpartition("/")[2] for request in self.server.requests]

    @property
    def writes(self) -> list[Any]:
        """The bodies of what was posted to the routes that write."""
        return [one.json for one in self.server.requests if not one.target.endswith("/doctor")]

    def task(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module through it; what is None is not given."""
        connection = {
            "backend": "dalp",
            "dalp_url": self.server.url,
            "dalp_api_key": KEY,
            "request_timeout": 2,
        }
        given = {name: value for name, value in {**connection, **arguments}.items() if value is not None}
        text, result = self._run(f"restate_{module}", **given, _ansible_check_mode=check)
        assert KEY not in text
        return result


@pytest.fixture
def dalp(serve: Serve, run: Run) -> Callable[..., Dalp]:
    return lambda *doctors, **options: Dalp(serve, run, *(doctors or (health(OLD),)), **options)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, delays: list[float]) -> None:
    clock = iter(range(1_000_000))
    time = types.SimpleNamespace(sleep=lambda _seconds: None, monotonic=lambda: next(clock))
    monkeypatch.setattr(dalp_registry, "time", time)


MakeDalp = Callable[..., Dalp]
ORDER: dict[str, Any] = {"service_name": "OrderWorkflow", "service_key": "order-1"}
TASKS: dict[str, dict[str, Any]] = {
    "doctor": {},
    "redeploy": {"service_url": "http://v2:9080"},
    "cleanup": {"service_url": "http://v1:9080"},
    "recover_workflow": ORDER,
}


# What is refused before anything is sent


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("module", "options", "names"), [
    ("doctor", {"probe_services": True}, ["probe_services"]),
    ("redeploy", {"breaking": True}, ["breaking"]),
    ("redeploy", {"breaking": False}, ["breaking"]),
    ("redeploy", {"use_http_11": False, "metadata": {}}, ["use_http_11", "metadata"]),
    ("redeploy", {"additional_headers": {}}, ["additional_headers"]),
    ("cleanup", {"remove": "superseded"}, ["remove"]),
    ("cleanup", {"pending": "migrate"}, ["pending"]),
    ("cleanup", {"migrate_paused": False, "min_age": "2h"}, ["migrate_paused", "min_age"]),
    ("cleanup", {"keep": ["dp_old"], "pending": "kill"}, ["keep", "pending"]),
    ("cleanup", {"allow_service_removal": False}, ["allow_service_removal"]),
    ("recover_workflow", {"kill_active": "stuck"}, ["kill_active"]),
    ("recover_workflow", {"kill_active": "any", "stuck_after_retries": 5}, ["kill_active", "stuck_after_retries"]),
    ("recover_workflow", {"clear_orphaned_state": True}, ["clear_orphaned_state"]),
    ("recover_workflow", {"snapshot_dir": "/nowhere"}, ["snapshot_dir"]),
    ("recover_workflow", {"resubmit": "original_input"}, ["resubmit"]),
    (
        "recover_workflow",
        {"service_name": None, "service_key": None, "select": {"limit": 3}},
        ["select"],
    ),
])  # fmt: skip
def test_what_a_route_cannot_honour_is_refused_by_name(
    module: str, options: dict[str, Any], names: list[str], check: bool, dalp: MakeDalp
) -> None:
    there = dalp()
    result = there.task(module, check=check, **{**TASKS[module], **options})
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    for name in names:
        assert name in result["msg"]
    assert "backend: restate" in result["error"]["remedy"]
    assert there.routes == []
    assert result["audit"]["data"]["outcome"] == "refused"


@pytest.mark.parametrize(("module", "options"), [
    ("doctor", {"probe_services": False}),
    ("cleanup", {"remove": "all", "keep": [], "allow_service_removal": True}),
    ("recover_workflow", {"kill_active": "never"}),
])  # fmt: skip
def test_what_the_route_does_anyway_may_be_said(module: str, options: dict[str, Any], dalp: MakeDalp) -> None:
    assert not dalp().task(module, **TASKS[module], **options).get("failed")


def test_dalp_has_no_route_that_resumes(dalp: MakeDalp) -> None:
    there = dalp()
    result = there.task("resume", invocation_ids=["inv_1"])
    assert result["error"]["code"] == "RESTATE_UNSUPPORTED"
    assert "restate_resume" in result["msg"]
    assert there.routes == []


@pytest.mark.parametrize("missing", ["dalp_url", "dalp_api_key"])
def test_without_an_address_or_a_key_nothing_is_sent(missing: str, dalp: MakeDalp) -> None:
    there = dalp()
    result = there.task("doctor", **dict[str, Any]({missing: None}))
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert missing in result["msg"]
    assert "DALP_API_URL" in result["error"]["remedy"]
    assert there.routes == []
    assert result["audit"]["source"]


def test_address_and_key_can_come_from_the_environment(
    dalp: MakeDalp, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = dalp()
    monkeypatch.setenv("DALP_API_URL", there.server.url)
    monkeypatch.setenv("DALP_API_KEY", "sm_dalp_of_the_shell")
    result = there.task("doctor", dalp_url=None, dalp_api_key=None)
    assert result["healthy"]
    assert there.server.requests[0].headers["x-api-key"] == "sm_dalp_of_the_shell"


@pytest.mark.parametrize(("name", "key"), [
    ("Order Workflow", "order-1"), ("OrderWorkflow", "order/1"), ("OrderWorkflow", "o'rder"), ("Order.Workflow", "1"),
    ("", "order-1"), ("OrderWorkflow", ""), ("OrderWorkflow", "order-1\n"), ("OrderWorkflow", "é"),
])  # fmt: skip
@pytest.mark.parametrize("is_list", [False, True])
def test_a_name_or_key_that_the_route_does_not_take_stops_all(
    name: str, key: str, is_list: bool, dalp: MakeDalp
) -> None:
    there = dalp()
    asked: dict[str, Any] = {"service_name": name, "service_key": key}
    result = there.task("recover_workflow", **({"workflows": [ORDER, asked]} if is_list else asked))
    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert there.routes == []


# Credentials


def test_what_opens_the_admin_api_is_not_sent_to_dalp(dalp: MakeDalp) -> None:
    there = dalp()
    there.task("doctor", auth_token="token-of-the-admin", headers={"X-Gateway": "of-the-admin"})
    [request] = there.server.requests
    assert "of-the-admin" not in str(request.headers)


@pytest.mark.parametrize("module", TASKS)
def test_no_secret_leaves_a_module_whatever_dalp_says(
    module: str, serve: Serve, run: Run, dalp: MakeDalp
) -> None:
    words = f"you sent {KEY} to http://ops:{PASSWORD}@h, and {PASSWORD}"
    told = health(OLD, services={"status": "degraded", "error": words})
    there = dalp(told, write=answer(409, {"code": "CONFLICT", "message": words}))
    url = there.server.url.replace("http://", f"http://ops:{PASSWORD}@")
    arguments = {"backend": "dalp", "dalp_url": url, "dalp_api_key": KEY, "audit_detail": "full"}
    text, result = run(f"restate_{module}", **arguments, **TASKS[module])
    assert KEY not in text
    assert PASSWORD not in text
    assert result["invocation"]["module_args"]["dalp_api_key"] == "(hidden)"
    assert result["audit"]["source"] == there.server.url
    assert result["audit"]["data"]["arguments"]["dalp_api_key"] == "(hidden)"


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("module", TASKS)
def test_who_may_not_operate_is_told_so(module: str, check: bool, dalp: MakeDalp) -> None:
    there = dalp(DENIED)
    result = there.task(module, check=check, **TASKS[module])
    assert result["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert result["error"]["remedy"] == "Use an operator account or update the caller's role before retrying."
    assert "Not you." in result["msg"]
    assert result["changed"] is False
    assert there.routes == ["doctor"]


# Doctor


def test_what_the_doctor_does_not_tell_is_absent(dalp: MakeDalp) -> None:
    seen = dalp(health(OLD)).task("doctor")
    assert seen["ingress"] == {"status": "ok", "latency_ms": 12, "error": None}
    assert seen["admin"] == {"status": "ok", "latency_ms": 9, "version": "1.4.0", "error": None}
    assert seen["deployments"]["items"] == [
        {"id": "dp_old", "service_url": "http://v1:9080/", "created_at": "2026-05-09T10:00:00.000Z"}
    ]
    assert seen["services"]["items"] == [{"name": "IdentityRecoveryWorkflow", "revision": 3}]
    assert seen["invocations"] == {
        "status": "ok",
        "by_status": {"completed": 3},
        "recent_failures": [],
        "error": None,
    }
    assert seen["audit"]["data"]["restate_version"] == "1.4.0"
    assert [finding["code"] for finding in seen["findings"]] == ["UNTESTED_VERSION"]


def test_deployments_are_shown_the_oldest_first_and_services_by_name(dalp: MakeDalp) -> None:
    services = {"status": "ok", "items": [{"name": name, "revision": 1} for name in "ba"], "error": None}
    seen = dalp(health(NEW, OLD, services=services)).task("doctor")
    assert [item["id"] for item in seen["deployments"]["items"]] == ["dp_old", "dp_new"]
    assert [item["name"] for item in seen["services"]["items"]] == ["a", "b"]


def test_a_bad_component_has_no_contents_and_can_fail_the_gate(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, invocations={"status": "degraded", "byStatus": {}, "error": "odd"}))
    seen = there.task("doctor")
    assert not seen.get("failed")
    assert seen["invocations"].keys() == {"status", "error"}
    assert seen["invocations"]["status"] == "degraded"
    assert "odd" in seen["invocations"]["error"]["message"]
    assert not seen["healthy"]
    gated = there.task("doctor", fail_on=["degraded"])
    assert gated["failed"]
    assert gated["deployments"]["items"]


@pytest.mark.parametrize("version", [None, "", "next", "1.7.12-rc1"])
def test_a_version_of_any_kind_hides_nothing(version: str | None, dalp: MakeDalp) -> None:
    told = health(OLD, admin={"status": "ok", "latencyMs": 1, "version": version})
    seen = dalp(told).task("doctor")
    assert seen["admin"]["version"] == version
    assert seen["healthy"]


def test_failures_of_any_shape_are_shown_and_have_a_remedy(dalp: MakeDalp) -> None:
    failures = [
        {"serviceName": ["a"], "serviceKey": 123, "failure": "x" * 1000, "input": {"authToken": "t"}},
        {"invocationId": "inv_1", "serviceName": "Flow", "serviceKey": "k 1", "isFinal": True},
        "odd",
        7,
    ]
    told = health(OLD, invocations={"status": "ok", "byStatus": {"paused": 2}, "recentFailures": failures})
    seen = dalp(told).task("doctor")
    assert seen["invocations"]["recent_failures"] == [
        {"service_key": 123, "failure": "x" * 500},
        {"invocation_id": "inv_1", "service_name": "Flow", "service_key": "k 1", "is_final": True},
        {"failure": "odd"},
        {"failure": "7"},
    ]
    findings = {finding["code"]: finding for finding in seen["findings"]}
    assert findings["RECENT_FAILURES"]["subjects"] == ["Flow/k 1"]
    assert "restate_backend=dalp" in findings["RECENT_FAILURES"]["remedy"]
    # A key in a command that can be pasted may be that of a virtual object.
    assert "Flow" not in findings["RECENT_FAILURES"]["remedy"]
    assert "virtual object" in findings["RECENT_FAILURES"]["remedy"]
    assert "2 invocations" in findings["PAUSED_INVOCATIONS"]["message"]


# Redeploy


@pytest.mark.parametrize(("known", "force", "changed"), [
    ((), True, True), ((), False, True), ((NEW,), True, True), ((NEW,), False, False),
])  # fmt: skip
def test_a_registration_is_predicted_from_the_doctor_and_nothing_is_posted(
    known: tuple[Any, ...], force: bool, changed: bool, dalp: MakeDalp
) -> None:
    there = dalp(health(OLD, *known))
    told = there.task("redeploy", check=True, service_url="http://v2:9080", force=force)
    assert (told["changed"], told["acknowledged"]) == (changed, True)
    assert told.get("deployment_id") == ("dp_new" if known else None)
    assert (told["diff"]["before"] != told["diff"]["after"]) == changed
    assert there.routes == ["doctor"]


def raised(told: dict[str, Any]) -> dict[str, Any]:
    services = {"status": "ok", "items": [{"name": "IdentityRecoveryWorkflow", "revision": 4}], "error": None}
    return {**told, "services": services}


def test_revisions_that_rise_tell_that_it_was_registered_again(dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    told = dalp(before, before, raised(before)).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "changed_reason" not in told
    assert told["deployment_id"] == "dp_new"


def test_revisions_that_do_not_rise_tell_that_nothing_changed(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW)).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert not told["changed"]
    assert told["diff"]["before"] == told["diff"]["after"]


def test_where_revisions_are_not_told_it_is_said_why_it_counts_as_changed(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW, services=DOWN)).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "revisions" in told["changed_reason"]


def test_a_registration_after_which_the_doctor_is_silent_is_acknowledged_with_a_warning(
    dalp: MakeDalp,
) -> None:
    told = dalp(health(OLD), health(OLD, deployments=DOWN)).task("redeploy", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"], told["deployment_id"]) == (True, True, "dp_new")
    assert "connect refused" in told["changed_reason"]
    assert "restate_doctor" in str(told["warnings"])


def test_a_registration_that_is_not_listed_in_time_fails(dalp: MakeDalp) -> None:
    told = dalp(health(OLD)).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert told["error"]["code"] == "RESTATE_DEPLOYMENT_NOT_FOUND"
    assert told["error"]["deployment_ids"] == ["dp_new"]
    assert told["changed"]
    assert told["done"] == [{"action": "register", "service_url": "http://v2:9080"}]


NOT_THERE = answer(404, {"code": "RESTATE_DEPLOYMENT_NOT_FOUND", "status": 404, "message": "Not there."})


@pytest.mark.parametrize("write", [UNREACHABLE, NOT_THERE])
def test_one_look_after_an_error_can_tell_that_it_was_registered_all_the_same(
    write: bytes, dalp: MakeDalp
) -> None:
    there = dalp(health(OLD), health(OLD, NEW), write=write)
    told = there.task("redeploy", service_url="http://v2:9080")
    assert told["failed"]
    assert (told["changed"], told["deployment_id"]) == (True, "dp_new")
    assert "changed_reason" not in told
    assert len(told["done"]) == 1
    assert there.routes == ["doctor", "force-redeploy", "doctor"]


def test_revisions_that_have_risen_after_an_error_may_be_of_others(dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    told = dalp(before, raised(before), write=NOT_THERE).task("redeploy", service_url="http://v2:9080")
    assert told["changed"]
    assert "by this or by other work" in told["changed_reason"]
    assert len(told["not_done"]) == 1


@pytest.mark.parametrize("services", [[], [{"name": "SomebodyElse", "revision": 1}]])
def test_services_that_come_or_go_are_no_rise_of_a_revision(services: list[Any], dalp: MakeDalp) -> None:
    before = health(OLD, NEW)
    after = {**before, "services": {"status": "ok", "items": services, "error": None}}
    told = dalp(before, after).task("redeploy", service_url="http://v2:9080", wait_timeout=3)
    assert told["changed"]
    assert "no revisions" in told["changed_reason"]


def test_what_was_certainly_not_sent_changed_nothing(serve: Serve, run: Run) -> None:
    there = Dalp(serve, run, health(OLD), health(OLD, NEW))
    hook = serve(answer(500))
    told = there.task("redeploy", service_url="http://v2:9080", audit_webhook=hook.url, audit_required=True)
    assert told["error"]["code"] == "RESTATE_AUDIT_UNAVAILABLE"
    assert (told["changed"], there.routes) == (False, ["doctor"])
    assert told["diff"]["before"] == told["diff"]["after"]


def test_a_look_that_fails_is_not_the_last(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(OLD, NEW), health(deployments=DOWN), health(NEW))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["removed"] == ["dp_old"]
    assert "changed_reason" not in told
    assert there.routes == ["doctor", "cleanup-stale-deployments", *["doctor"] * 3]


def test_two_deployments_at_the_url_after_the_registration_are_a_failure_that_changed_something(
    dalp: MakeDalp,
) -> None:
    twin = {**NEW, "id": "dp_twin", "serviceUrl": "https://v2:9080"}
    untold = answer(200, {"acknowledged": True})
    told = dalp(health(OLD), health(NEW, twin), write=untold).task("redeploy", service_url="http://v2:9080")
    assert told["error"]["reason"] == "ambiguous_service_url"
    assert told["changed"]


def test_what_others_register_meanwhile_is_no_change_of_this_task(dalp: MakeDalp) -> None:
    third = {**OLD, "id": "dp_third", "serviceUrl": "http://v3:9080/"}
    there = dalp(health(OLD, NEW), raised(health(OLD, NEW, third)))
    told = there.task("redeploy", service_url="http://v2:9080", force=False)
    assert not told["changed"]
    assert "leaves it as it is" in told["msg"]


@pytest.mark.parametrize(("version", "warns"), [("1.5.3", True), ("1.6.2", False), (None, False)])
def test_a_server_that_refuses_without_force_is_warned_of(
    version: str | None, warns: bool, dalp: MakeDalp
) -> None:
    admin = {"status": "ok", "latencyMs": 1, "version": version}
    told = dalp(health(NEW, admin=admin)).task(
        "redeploy", check=True, service_url="http://v2:9080", force=False
    )
    assert ("the task will fail" in str(told["warnings"])) is warns


@pytest.mark.parametrize(
    ("write", "changed"), [(HANG, True), (UNREACHABLE, True), (DENIED, False), (NOT_THERE, False)]
)
def test_an_unknown_outcome_counts_as_changed_and_a_refusal_does_not(
    write: bytes, changed: bool, dalp: MakeDalp
) -> None:
    told = dalp(health(OLD), write=write).task("redeploy", service_url="http://v2:9080", request_timeout=0.2)
    assert told["failed"]
    assert told["changed"] is changed
    assert told.get("changed_reason") == (
        "No answer of DALP tells whether it was carried out." if changed else None
    )
    assert told["not_done"] == [{"action": "register", "service_url": "http://v2:9080"}]
    assert "acknowledged" not in told


@pytest.mark.parametrize("module", ["redeploy", "cleanup"])
@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_written_where_the_doctor_cannot_tell_what_is_registered(
    module: str, check: bool, dalp: MakeDalp
) -> None:
    there = dalp(health(deployments=DOWN))
    told = there.task(module, check=check, **TASKS[module])
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert "connect refused" in told["msg"]
    assert there.routes == ["doctor"]


# Cleanup


def test_the_url_is_given_as_it_is_registered(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(NEW))
    told = there.task("cleanup", service_url="http://V2:9080", force_drain=True)
    assert there.writes == [{"serviceUrl": "http://v2:9080/", "forceDrain": True}]
    assert told["removed"] == ["dp_old"]
    assert told["kept"] == {"service_url": "http://v2:9080/", "deployment_id": "dp_new"}
    assert "remove: all" in told["msg"]


def test_where_nothing_is_to_go_nothing_is_posted(dalp: MakeDalp) -> None:
    there = dalp(health(NEW))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"], told["removed"]) == (False, True, [])
    assert there.routes == ["doctor"]


def test_two_deployments_at_the_url_are_refused(dalp: MakeDalp) -> None:
    twin = {**NEW, "id": "dp_twin", "serviceUrl": "https://v2:9080"}
    there = dalp(health(NEW, twin))
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["reason"] == "ambiguous_service_url"
    assert there.writes == []


@pytest.mark.parametrize(("by_status", "action"), [
    ({"completed": 9}, "remove"), ({}, "remove"), ({"invoked": 1}, "wait_then_remove"),
    ({"completed": 9, "a-status-to-come": 1}, "wait_then_remove"),
])  # fmt: skip
def test_the_dry_run_depends_on_what_is_unfinished(
    by_status: dict[str, int], action: str, dalp: MakeDalp
) -> None:
    told = health(OLD, NEW)
    told["invocations"]["byStatus"] = by_status
    there = dalp(told)
    predicted = there.task("cleanup", check=True, service_url="http://v2:9080")
    assert [step["action"] for step in predicted["steps"]] == [action]
    assert predicted["removed"] == ["dp_old"]
    assert bool(predicted.get("warnings")) == (action != "remove")
    assert there.routes == ["doctor"]


def test_unreadable_invocations_are_not_taken_for_none(dalp: MakeDalp) -> None:
    predicted = dalp(health(OLD, NEW, invocations=DOWN)).task(
        "cleanup", check=True, service_url="http://v2:9080"
    )
    assert predicted["steps"][0]["action"] == "wait_then_remove"
    assert predicted["warnings"]


def test_an_assumed_registration_is_kept_in_a_dry_run_and_refused_outside(dalp: MakeDalp) -> None:
    there = dalp(health(OLD))
    asked: dict[str, Any] = {
        "service_url": "http://v2:9080",
        "assume_registered": {"service_url": "http://v2:9080/"},
    }
    predicted = there.task("cleanup", check=True, **asked)
    assert predicted["removed"] == ["dp_old"]
    assert predicted["kept"] == {"service_url": "http://v2:9080"}
    assert there.task("cleanup", **asked)["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    elsewhere = {**asked, "assume_registered": {"service_url": "http://v3:9080"}}
    assert there.task("cleanup", check=True, **elsewhere)["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert there.writes == []


@pytest.mark.parametrize("created", [None, 0, "lately"])
def test_a_release_whose_age_is_not_told_is_warned_of(created: Any, dalp: MakeDalp) -> None:
    told = dalp(health(OLD, {**NEW, "createdAt": created})).task(
        "cleanup", check=True, service_url="http://v1:9080"
    )
    assert told["removed"] == ["dp_new"]
    assert "does not tell when dp_new was registered" in str(told["warnings"])


def test_a_newer_release_goes_only_where_that_is_allowed(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), health(OLD, NEW), health(OLD))
    refused = there.task("cleanup", service_url="http://v1:9080")
    assert refused["error"]["reason"] == "newer_deployment"
    assert there.writes == []
    assert there.task("cleanup", service_url="http://v1:9080", allow_service_removal=True)["removed"] == [
        "dp_new"
    ]


def test_an_unknown_outcome_of_a_cleanup_shows_what_one_look_sees(dalp: MakeDalp) -> None:
    third = {**OLD, "id": "dp_third", "serviceUrl": "http://v0:9080/"}
    there = dalp(health(OLD, third, NEW), health(OLD, NEW), write=UNREACHABLE)
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert told["changed"]
    assert told["changed_reason"]
    assert told["removed"] == ["dp_third"]
    assert [entry["reason"] for entry in told["remaining"]] == ["interrupted"]
    assert [step["deployment_id"] for step in told["not_done"]] == ["dp_old"]
    assert there.routes == ["doctor", "cleanup-stale-deployments", "doctor"]


def test_what_could_not_be_read_after_a_cleanup_is_absent(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW), health(deployments=DOWN)).task("cleanup", service_url="http://v2:9080")
    assert (told["changed"], told["acknowledged"]) == (True, True)
    assert not {"removed", "remaining"} & told.keys()
    assert told["diff"]["after"] == {}
    assert "connect refused" in told["changed_reason"]


def test_a_refused_cleanup_changes_nothing(dalp: MakeDalp) -> None:
    there = dalp(health(OLD, NEW), write=DENIED)
    told = there.task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert (told["changed"], told["removed"]) == (False, [])
    assert [(entry["deployment_id"], entry["reason"]) for entry in told["remaining"]] == [
        ("dp_old", "interrupted")
    ]
    assert told["diff"]["before"] == told["diff"]["after"]
    assert there.routes == ["doctor", "cleanup-stale-deployments"]


@pytest.mark.parametrize("after", [health(OLD, NEW), health(deployments=DOWN)], ids=["the same", "unread"])
def test_a_cleanup_that_may_still_be_under_way_counts_as_changed(
    after: dict[str, Any], dalp: MakeDalp
) -> None:
    told = dalp(health(OLD, NEW), after, write=UNREACHABLE).task("cleanup", service_url="http://v2:9080")
    assert told["changed"]
    assert told["changed_reason"] == "No answer of DALP tells whether it was carried out."


@pytest.mark.parametrize(("after", "changed"), [
    (health(NEW), True), (health(OLD, NEW), False), (health(deployments=DOWN), True),
])  # fmt: skip
def test_after_a_refusal_of_a_cleanup_one_look_tells_what_changed(
    after: dict[str, Any], changed: bool, dalp: MakeDalp
) -> None:
    conflict = answer(409, {"code": "CONFLICT", "message": "Something else is under way."})
    told = dalp(health(OLD, NEW), after, write=conflict).task("cleanup", service_url="http://v2:9080")
    assert told["error"]["reason"] == "CONFLICT"
    assert told["changed"] is changed
    assert told.get("changed_reason", "DALP refused").startswith("DALP refused")


def test_a_kept_deployment_that_is_gone_is_no_success(dalp: MakeDalp) -> None:
    told = dalp(health(OLD, NEW), health()).task("cleanup", service_url="http://v2:9080")
    assert told["error"]["code"] == "RESTATE_DEPLOYMENT_NOT_FOUND"
    assert told["error"]["deployment_ids"] == ["dp_new"]
    assert (told["changed"], told["removed"]) == (True, ["dp_old", "dp_new"])
    assert told["diff"]["after"] == {"deployments": {}}


# Recover


@pytest.mark.parametrize("asked", [ORDER, {"workflows": [ORDER, {**ORDER, "service_key": "order-2"}]}])
def test_a_recovery_cannot_be_predicted_and_says_so(asked: dict[str, Any], dalp: MakeDalp) -> None:
    there = dalp()
    told = there.task("recover_workflow", check=True, **asked)
    assert not told.get("failed")
    assert told["predicted"] == "unknown"
    assert {result["outcome"] for result in told["results"]} == {"unknown"}
    assert "unknown" in str(told["warnings"])
    assert there.routes == ["doctor"]
    assert told["audit"]["data"]["outcome"] == "planned"


def failing(*keys: str, completed: int, odd: Any = None) -> dict[str, Any]:
    failures = [{"serviceName": "OrderWorkflow", "serviceKey": key} for key in keys]
    failures += [odd] if odd else []
    invocations = {"status": "ok", "byStatus": {"completed": completed}, "recentFailures": failures}
    return health(OLD, invocations=invocations)


def unlisted() -> dict[str, Any]:
    return health(OLD, invocations={"status": "ok", "byStatus": {"completed": 3}, "recentFailures": None})


ODD = failing(odd={"serviceName": {"is": "odd"}, "serviceKey": 7}, completed=3)


@pytest.mark.parametrize(("before", "after", "changed", "reason"), [
    (failing("order-1", completed=3), failing(completed=2), True, None),
    (failing(completed=3), failing(completed=3), False, "the same invocations as before"),
    (failing("other", completed=3), failing("other", completed=3), False, "the same invocations as before"),
    (failing(completed=3), failing(completed=9), True, "no proof"),
    (failing("order-2", completed=3), failing(completed=2), True, "no proof"),
    # A list that is full shows only the latest: what is gone from it may have been pushed out.
    (failing("order-1", *"a" * 19, completed=30), failing(*"a" * 20, completed=30), True, "no proof"),
    (failing(*"a" * 20, completed=30), failing(*"a" * 20, completed=30), True, "no proof"),
    (unlisted(), unlisted(), True, "no proof"),
    (failing("order-1", completed=3), health(invocations=DOWN), True, "connect refused"),
    (health(invocations=DOWN), failing(completed=2), True, "connect refused"),
    (failing(odd={"serviceName": "OrderWorkflow", "serviceKey": ["order-1"]}, completed=3), ODD, True, "no proof"),
    (ODD, ODD, False, "the same invocations as before"),
])  # fmt: skip
def test_the_doctor_before_and_after_tells_whether_a_recovery_changed_anything(
    before: Any, after: Any, changed: bool, reason: str | None, dalp: MakeDalp
) -> None:
    there = dalp(before, after)
    told = there.task("recover_workflow", **ORDER)
    assert (told["outcome"], told["changed"], told["acknowledged"]) == ("recovered", changed, True)
    assert (reason in told["changed_reason"]) if reason else "changed_reason" not in told
    assert there.routes[:2] == ["doctor", "recover-stuck-workflow"]
    assert "killed" not in told["results"][0]


def test_a_key_whose_outcome_is_unknown_ends_a_list_and_no_key_is_tried_twice(dalp: MakeDalp) -> None:
    there = dalp(write=UNREACHABLE)
    workflows = [{**ORDER, "service_key": key} for key in ("a", "b", "a")]
    told = there.task("recover_workflow", workflows=workflows)
    assert told["error"]["code"] == "RESTATE_ADMIN_UNREACHABLE"
    assert [(one["service_key"], one["outcome"], one["reason"]) for one in told["results"]] == [
        ("a", "failed", "unknown"),
        ("b", "failed", "not_tried"),
    ]
    assert told["changed"]
    assert told["changed_reason"]
    assert len(there.writes) == 1


def test_a_refusal_for_want_of_permission_ends_a_list_without_a_change(dalp: MakeDalp) -> None:
    there = dalp(write=DENIED)
    workflows = [{**ORDER, "service_key": key} for key in ("a", "b")]
    told = there.task("recover_workflow", workflows=workflows)
    assert told["error"]["code"] == "OFFCHAIN_USER_PERMISSION_REQUIRED"
    assert not told["changed"]
    assert len(there.writes) == 1


def test_a_blocked_key_may_be_skipped(dalp: MakeDalp) -> None:
    data = {"reason": "active_invocation", "invocationIds": ["inv_1"]}
    blocked = answer(
        409, {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "message": "It is active.", "data": data}
    )
    there = dalp(write=blocked)
    told = there.task("recover_workflow", **ORDER, skip_blocked=True)
    assert there.routes == ["doctor", "recover-stuck-workflow", "doctor"]
    assert not told.get("failed")
    assert told["results"][0]["invocation_ids"] == ["inv_1"]
    assert (told["outcome"], told["changed"]) == ("blocked", False)


@pytest.mark.parametrize(
    ("after", "proven"), [(failing(completed=2), True), (failing("order-1", completed=3), False)]
)
def test_a_refusal_after_a_purge_may_have_changed_something(after: Any, proven: bool, dalp: MakeDalp) -> None:
    data = {"reason": {"kind": "purge_failed"}, "invocationIds": ["inv_1"]}
    late = answer(500, {"code": "RESTATE_WORKFLOW_RETRY_BLOCKED", "message": "It went wrong.", "data": data})
    told = dalp(failing("order-1", completed=3), after, write=late).task("recover_workflow", **ORDER)
    assert (told["error"]["code"], told["error"]["reason"]) == (
        "RESTATE_WORKFLOW_RETRY_BLOCKED",
        "purge_failed",
    )
    assert told["changed"] is proven
    assert ("changed_reason" not in told) is proven
    assert "unknown" not in told["msg"]
    assert told["not_done"] == [{"action": "recover", "workflow": "OrderWorkflow/order-1"}]


def test_an_empty_list_has_nothing_to_predict(dalp: MakeDalp) -> None:
    for check in (True, False):
        told = dalp().task("recover_workflow", check=check, workflows=[])
        assert (told["changed"], told["results"], told["acknowledged"]) == (False, [], True)
        assert told["msg"] == "No workflow is given; nothing to do."
