# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_redeploy: what it registers, what it leaves as it is, and what it refuses."""

from __future__ import annotations

import pytest

from tests.integration.registered_deployments import NEW, SERVICES, latest_of
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions

# A new URL


@on_all_versions
def test_a_new_url_is_registered_and_becomes_the_latest(server: Server) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    assert told.real["changed"]
    assert "deployment_id" not in told.predicted
    assert {service["name"] for service in told.real["deployment"]["services"]} == SERVICES
    assert {latest_of(server, name) for name in SERVICES} == {told.real["deployment_id"]}
    assert told.again["deployment_id"] == told.real["deployment_id"]


def test_what_the_task_says_of_headers_and_metadata_is_registered(server: Server) -> None:
    url = server.serve("guarded", "many-handlers", header="x-key=the-value-of-the-key")

    told = run_three_times(
        server,
        "redeploy",
        unknown=NEW,
        service_url=url,
        additional_headers={"x-key": "the-value-of-the-key"},
        metadata={"git.sha": "4711"},
        use_http_11=True,
    )

    registered = server.deployment(told.real["deployment_id"])
    assert registered["additional_headers"] == {"x-key": "the-value-of-the-key"}
    assert registered["metadata"] == {"git.sha": "4711"}
    assert registered["http_version"] == "HTTP/1.1"
    assert "the-value" not in told.told
    assert len(told.real["diff"]["after"]["services"]["WideService"]["handlers"]) == 40


def test_a_service_that_is_still_being_started_is_waited_for(server: Server) -> None:
    url = server.serve("slow-start", "release-1", unanswered_discoveries=9)

    registered = server.task("redeploy", service_url=url, wait_timeout=30)

    assert not registered["failed"], registered["msg"]
    assert latest_of(server) == registered["deployment_id"]


def test_a_service_that_never_answers_is_named_after_the_wait(server: Server) -> None:
    url = server.serve("nothing", None)

    told = run_three_times(server, "redeploy", service_url=url, wait_timeout=1)

    assert reason(told.real)[0] == "RESTATE_SERVICE_UNREACHABLE"
    assert told.real["error"]["http"]["restate_code"] == "META0003"
    assert url in told.real["msg"]


# A registered URL


@on_all_versions
def test_a_url_that_is_registered_as_it_is_now_needs_nothing(server: Server) -> None:
    url = server.release("release-1").url

    told = run_three_times(server, "redeploy", service_url=url)

    assert not told.real["changed"]
    assert told.real["steps"] == []
    assert told.before == told.after


def test_a_slash_at_the_end_makes_no_other_deployment(server: Server) -> None:
    release = server.release("release-1")

    told = server.task("redeploy", service_url=f"{release.url}/")

    assert not told["changed"]
    assert told["deployment_id"] == release.id


@on_all_versions
def test_giving_an_older_url_makes_it_the_latest_again(server: Server) -> None:
    older = server.release("release-1")
    newer = server.release("release-2")
    waiting = server.order("order-1", "wait")

    told = run_three_times(server, "redeploy", service_url=older.url)

    assert told.real["changed"]
    assert (told.real["diff"]["before"]["is_latest"], told.real["diff"]["after"]["is_latest"]) == (
        False,
        True,
    )
    assert told.real["deployment_id"] == older.id
    assert {latest_of(server, name) for name in SERVICES} == {older.id}
    assert (server.row(waiting) or {})["pinned_deployment_id"] == newer.id


@on("1.7.12", "1.5.3")
def test_new_code_at_a_registered_url_overwrites_it_and_warns_of_what_runs_there(server: Server) -> None:
    release = server.release("release", "release-1")
    server.order("order-1", "wait")
    server.order("order-2", "fail")
    server.serve("release", "extra-service")

    told = run_three_times(server, "redeploy", service_url=release.url)

    assert told.real["deployment_id"] == release.id
    assert latest_of(server, "Invoices") == release.id
    assert any("1 in-flight invocation pinned" in warning for warning in told.real["warnings"])
    assert told.real["steps"] == [{"action": "overwrite", "service_url": release.url}]


def test_new_code_at_a_registered_url_is_refused_without_force(server: Server) -> None:
    release = server.release("release", "release-1")
    server.serve("release", "extra-service")

    told = run_three_times(server, "redeploy", service_url=release.url, force=False)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "force_required")
    assert "Invoices" in told.real["diff"]["after"]["services"]
    assert "Invoices" not in told.real["diff"]["before"]["services"]


def test_an_older_url_is_refused_without_force(server: Server) -> None:
    older = server.release("release-1")
    server.release("release-2")

    told = run_three_times(server, "redeploy", service_url=older.url, force=False)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "force_required")
    assert "is not the latest" in told.real["msg"]


def test_a_service_that_the_new_code_no_longer_offers_is_named(server: Server) -> None:
    release = server.release("release", "extra-service")
    server.serve("release", "release-2")

    told = run_three_times(server, "redeploy", service_url=release.url)

    assert any("no longer offers Invoices" in warning for warning in told.real["warnings"])


# What is no deployment of ours


@pytest.mark.parametrize(
    ("service_url", "code"),
    [
        ("arn:aws:lambda:eu-central-1:123456789012:function:orders:1", "RESTATE_UNSUPPORTED"),
        ("::::", "RESTATE_INVALID_ARGUMENT"),
        ("http://orders:9080/?release=2", "RESTATE_INVALID_ARGUMENT"),
    ],
)
def test_what_cannot_be_registered_is_refused_before_the_server_is_asked(
    server: Server, service_url: str, code: str
) -> None:
    refused = server.task("redeploy", admin_url="http://127.0.0.1:1", service_url=service_url)

    assert reason(refused)[0] == code


def test_a_url_that_means_two_deployments_is_refused(server: Server) -> None:
    release = server.release("release-1")
    server.register(release.url + "/")

    told = run_three_times(server, "redeploy", service_url=release.url)

    assert reason(told.real) == ("RESTATE_INVALID_ARGUMENT", "ambiguous_service_url")
    assert set(told.real["error"]["deployment_ids"]) == server.deployment_ids()
