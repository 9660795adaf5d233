# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the admin client sends, what it makes of the answers, and that a dry run never writes."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import (
    WriteInCheckModeError,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.admin_calls import (
    BODY,
    OFFER,
    READS,
    WRITES,
    client,
    failure,
    killed,
    purged,
)
from ansible_collections.dalp.restate.tests.unit.asking import VERSION
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.loopback import HANG, NOT_FOUND, answer

# The write guard


def test_every_call_is_known_here_as_a_read_or_as_a_write() -> None:
    calls = {name for name in vars(AdminClient) if not name.startswith("_")}
    assert calls == READS.keys() | WRITES.keys()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_in_check_mode_raises_and_nothing_is_sent(name: str, serve: Serve) -> None:
    write, content, _call, _body = WRITES[name]
    server = serve(content)
    admin = client(server.url, check_mode=True)
    with pytest.raises(WriteInCheckModeError):
        write(admin)
    assert server.requests == []
    assert not admin.guard.wrote


@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_sent_as_restate_wants_it_and_noted(name: str, serve: Serve) -> None:
    write, content, call, body = WRITES[name]
    server = serve(content)
    admin = client(server.url)
    write(admin)
    assert server.calls == [call]
    assert (server.requests[0].json if server.requests[0].body else None) == body
    assert admin.guard.wrote


@pytest.mark.parametrize("check_mode", [True, False], ids=["in check mode", "for real"])
@pytest.mark.parametrize("name", READS)
def test_a_read_works_in_check_mode_and_is_no_write(name: str, check_mode: bool, serve: Serve) -> None:
    read, content, call = READS[name]
    server = serve(content)
    admin = client(server.url, check_mode=check_mode)
    read(admin)
    assert server.calls == [call]
    assert not admin.guard.wrote


@pytest.mark.parametrize("dry_run", [False, None, "true", 1], ids=repr)
def test_only_a_true_dry_run_passes_the_guard(dry_run: Any, serve: Serve) -> None:
    server = serve(OFFER)
    with pytest.raises(WriteInCheckModeError):
        client(server.url, check_mode=True).register({**BODY, "dry_run": dry_run})
    assert server.requests == []


def test_discovery_is_always_a_dry_run(serve: Serve) -> None:
    server = serve(OFFER)
    client(server.url).discover({**BODY, "dry_run": False})
    assert server.requests[0].json == {**BODY, "dry_run": True}


@pytest.mark.parametrize(("version", "code"), [
    (VERSION, "RESTATE_SERVICE_UNREACHABLE"),
    (HANG, "RESTATE_ADMIN_UNREACHABLE"),
], ids=["the service", "the admin API"])  # fmt: skip
def test_a_discovery_that_hangs_is_told_of_what_hangs(version: bytes, code: str, serve: Serve) -> None:
    server = serve(HANG, version)
    error = failure(lambda: client(server.url, request_timeout=0.2).discover(BODY))
    assert error.code == code
    assert error.reason == "timeout"
    assert server.calls == ["POST /deployments", "GET /version"]


@pytest.mark.parametrize(("call", "target"), [
    (lambda admin: admin.service("a/b?c#d e"), "GET /services/a%2Fb%3Fc%23d%20e"),
    (lambda admin: admin.deployment("../services"), "GET /deployments/..%2Fservices"),
    (lambda admin: purged(admin, "inv_1/../kill"), "PATCH /invocations/inv_1%2F..%2Fkill/purge"),
], ids=["service", "deployment", "invocation"])  # fmt: skip
def test_a_name_can_never_become_another_path(
    call: Callable[[AdminClient], object], target: str, serve: Serve
) -> None:
    server = serve(NOT_FOUND)
    call(client(server.url))
    assert server.calls == [target]


def test_the_version_is_asked_for_once(serve: Serve) -> None:
    server = serve(answer(200, {"version": "1.6.2"}))
    admin = client(server.url)
    assert not admin.questions.has_scopes
    assert admin.capabilities.can_pause
    assert server.calls == ["GET /version"]


# Answers of writes


@pytest.mark.parametrize(("call", "status", "expected"), [
    pytest.param(lambda admin: killed(admin, "inv_1"), 200, {"inv_1": "done"}, id="killed"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 404, {"inv_1": "gone"}, id="nothing to kill: gone"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 409, {"inv_1": "completed"}, id="nothing to kill: completed"),
    pytest.param(lambda admin: admin.cancel("inv_1"), 202, True, id="asked to cancel"),
    pytest.param(lambda admin: admin.cancel("inv_1"), 409, False, id="nothing to cancel"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 200, {"inv_1": "done"}, id="purged"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 404, {"inv_1": "gone"}, id="purged already"),
    pytest.param(lambda admin: purged(admin, "inv_1"), 409, {"inv_1": "unfinished"}, id="a purge of what is not completed"),
    pytest.param(lambda admin: admin.pause("inv_1"), 202, True, id="asked to pause"),
    pytest.param(lambda admin: admin.pause("inv_1"), 200, True, id="paused already"),
    pytest.param(lambda admin: admin.pause("inv_1"), 409, False, id="not running"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 200, "resumed", id="resumed"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 409, "busy", id="to be paused first"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 404, "gone", id="nothing to resume"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 202, True, id="deleted"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 404, False, id="deleted already"),
])  # fmt: skip
def test_the_answer_of_a_write(
    call: Callable[[AdminClient], object], status: int, expected: object, serve: Serve
) -> None:
    assert call(client(serve(NOT_FOUND if status == 404 else answer(status)).url)) == expected


GATEWAYS_404 = {
    "nothing": answer(404),
    "a page": answer(404, b"<html>404 page not found</html>"),
    "another API": answer(404, {"message": "no Route matched with those values"}),
}


@pytest.mark.parametrize("content", GATEWAYS_404.values(), ids=GATEWAYS_404)
@pytest.mark.parametrize("call", [
    pytest.param(lambda admin: admin.deployment("dp_1"), id="deployment"),
    pytest.param(lambda admin: admin.service("A"), id="service"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), id="delete"),
    pytest.param(lambda admin: killed(admin, "inv_1"), id="kill"),
    pytest.param(lambda admin: purged(admin, "inv_1"), id="purge"),
    pytest.param(lambda admin: admin.cancel("inv_1"), id="cancel"),
    pytest.param(lambda admin: admin.resume("inv_1", "keep"), id="resume"),
])  # fmt: skip
def test_a_gateways_404_never_means_that_something_is_gone(
    call: Callable[[AdminClient], object], content: bytes, serve: Serve
) -> None:
    error = failure(lambda: call(client(serve(content).url)))
    assert (error.code, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", 404)
    assert not error.outcome_unknown


@pytest.mark.parametrize("call", [
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), id="delete"),
    pytest.param(lambda admin: killed(admin, "inv_1"), id="kill"),
    pytest.param(lambda admin: admin.cancel("inv_1"), id="cancel"),
    pytest.param(lambda admin: admin.pause("inv_1"), id="pause"),
    pytest.param(lambda admin: admin.resume("inv_1", "keep"), id="resume"),
    pytest.param(lambda admin: admin.patch_service("A", {}), id="settings"),
])  # fmt: skip
def test_a_page_in_place_of_a_writes_answer_leaves_its_outcome_unknown(
    call: Callable[[AdminClient], object], serve: Serve
) -> None:
    error = failure(lambda: call(client(serve(answer(200, b"<html>Sign in</html>")).url)))
    assert (error.reason, error.outcome_unknown) == ("not_restate", True)
    assert "Sign in" in error.message


def test_a_write_that_a_gateway_gave_up_on_has_an_unknown_outcome(serve: Serve) -> None:
    assert failure(lambda: client(serve(answer(408)).url).cancel("inv_1")).outcome_unknown


@pytest.mark.parametrize("call", [
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), id="a delete"),
    pytest.param(lambda admin: admin.patch_service("A", {}), id="settings"),
])  # fmt: skip
def test_a_write_that_ends_the_same_is_repeated_while_a_cluster_has_no_quorum(
    call: Callable[[AdminClient], object], serve: Serve
) -> None:
    exhausted = {"message": "internal error: retries for operation on key 'schema_registry' exhausted"}
    server = serve(answer(500, exhausted), answer(500, exhausted), answer(200))
    call(client(server.url))
    assert len(server.requests) == 3


@pytest.mark.parametrize(("call", "status"), [
    pytest.param(lambda admin: purged(admin, "inv_1"), 500, id="a purge that fails"),
    pytest.param(lambda admin: killed(admin, "inv_1"), 400, id="a kill of no invocation id"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 400, id="a resume on a deployment that is gone"),
    pytest.param(lambda admin: admin.resume("inv_1", "dp_1"), 425, id="a resume of what has not begun"),
    pytest.param(lambda admin: admin.delete_deployment("dp_1"), 501, id="a delete without force"),
    pytest.param(lambda admin: admin.clear_state("A", "k", "v"), 200, id="a state call answered otherwise"),
    pytest.param(lambda admin: admin.patch_service("A", {}), 404, id="settings of a service that is gone"),
])  # fmt: skip
def test_a_write_that_is_answered_otherwise_raises(
    call: Callable[[AdminClient], object], status: int, serve: Serve
) -> None:
    error = failure(lambda: call(client(serve(answer(status, {"message": "no!"})).url)))
    assert (error.code, error.status) == ("RESTATE_UNEXPECTED_RESPONSE", status)
    assert "no!" in error.message


def test_a_clusters_name_that_does_not_come_in_time_is_not_known_and_no_node_is_blamed(serve: Serve) -> None:
    # A survivor answers it only after it has waited for the metadata server of a node that is frozen.
    first, second = serve(HANG), serve(VERSION)
    admin = client(first.url, alternatives=(second.url,), request_timeout=0.2)
    assert admin.cluster_name() is None
    assert admin.connection.url == first.url
    assert second.requests == []


@pytest.mark.parametrize(
    "told", ["2026-12-01T03:11:43.25Z", "2026-12-01T03:11:43.25", "2026-12-01T03:11:43.250000"]
)
def test_the_servers_clock_is_read_in_utc(told: str, serve: Serve) -> None:
    rows = answer(200, {"rows": [{"now": told}]})
    now = client(serve(rows).url).now()
    assert now == datetime.datetime(2026, 12, 1, 3, 11, 43, 250_000, datetime.UTC)


@pytest.mark.parametrize("version", ["1.8.0+x", "1.8.0-rc.1", "1.8.0-rc.1+build.7", "1.8", "1.8.0+7-g1a2b"])
def test_a_version_may_name_its_build(version: str, serve: Serve) -> None:
    admin = client(serve(answer(200, {"version": version})).url)
    assert admin.version.release == (1, 8)
    assert admin.capabilities.can_pause


@pytest.mark.parametrize("version", ["+1.8", "1.x", "", "-", "latest", "1.8.0+\ud800"])
def test_a_version_that_is_none_is_an_answer_of_something_else(version: str, serve: Serve) -> None:
    admin = client(serve(answer(200, {"version": version})).url)
    if version.startswith("1.8.0"):
        assert failure(lambda: admin.version).reason == "not_restate"
    else:
        assert failure(lambda: admin.version).code == "RESTATE_UNEXPECTED_RESPONSE"
