# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_redeploy: what it registers, what it leaves as it is, and what it refuses."""

from __future__ import annotations

import pytest

from tests.integration.versions import on, on_all_versions
from tests.integration.world import World, reason, rehearse

NEW = ("deployment_id",)
"""What a dry run cannot know of a deployment that is not registered yet."""

SECRET = "Bearer a-token-for-the-service"
SERVICES = {"Counter", "Ledger", "OrderWorkflow", "PaymentWorkflow"}


def latest_of(world: World, service: str = "OrderWorkflow") -> str:
    return str(world.service(service)["deployment_id"])


# A new URL


@on_all_versions
def test_a_new_url_is_registered_and_becomes_the_latest(world: World) -> None:
    world.release("release-1")
    url = world.serve("release-2", "release-2")

    told = rehearse(world, "redeploy", unknown=NEW, service_url=url)

    assert told.real["changed"]
    assert "deployment_id" not in told.predicted
    assert {service["name"] for service in told.real["deployment"]["services"]} == SERVICES
    assert {latest_of(world, name) for name in SERVICES} == {told.real["deployment_id"]}
    assert told.again["deployment_id"] == told.real["deployment_id"]


def test_what_the_task_says_of_headers_and_metadata_is_registered(world: World) -> None:
    url = world.serve("guarded", "many-handlers", header="x-key=the-value-of-the-key")

    told = rehearse(
        world,
        "redeploy",
        unknown=NEW,
        service_url=url,
        additional_headers={"x-key": "the-value-of-the-key"},
        metadata={"git.sha": "4711"},
        use_http_11=True,
    )

    registered = world.deployment(told.real["deployment_id"])
    assert registered["additional_headers"] == {"x-key": "the-value-of-the-key"}
    assert registered["metadata"] == {"git.sha": "4711"}
    assert registered["http_version"] == "HTTP/1.1"
    assert "the-value" not in told.told
    assert len(told.real["diff"]["after"]["services"]["WideService"]["handlers"]) == 40


def test_a_service_that_is_still_being_started_is_waited_for(world: World) -> None:
    url = world.serve("slow-start", "release-1", silent_for=9)

    registered = world.task("redeploy", service_url=url, wait_timeout=30)

    assert not registered["failed"], registered["msg"]
    assert latest_of(world) == registered["deployment_id"]


def test_a_service_that_never_answers_is_named_after_the_wait(world: World) -> None:
    url = world.serve("nothing", None)

    told = rehearse(world, "redeploy", service_url=url, wait_timeout=1)

    assert reason(told.real)[0] == "RESTATE_SERVICE_UNREACHABLE"
    assert told.real["error"]["http"]["restate_code"] == "META0003"
    assert url in told.real["msg"]


# A registered URL


@on_all_versions
def test_a_url_that_is_registered_as_it_is_now_needs_nothing(world: World) -> None:
    url = world.release("release-1").url

    told = rehearse(world, "redeploy", service_url=url)

    assert not told.real["changed"]
    assert told.real["steps"] == []
    assert told.before == told.after


@pytest.mark.parametrize("other", ["/", "scheme"])
def test_a_slash_at_the_end_and_the_scheme_make_no_other_deployment(world: World, other: str) -> None:
    release = world.release("release-1")
    url = release.url.replace("http:", "https:") if other == "scheme" else release.url + other

    told = world.task("redeploy", service_url=url)

    assert not told["changed"]
    assert told["deployment_id"] == release.id


@on_all_versions
def test_giving_an_older_url_makes_it_the_latest_again(world: World) -> None:
    older = world.release("release-1")
    newer = world.release("release-2")
    waiting = world.order("order-1", "wait")

    told = rehearse(world, "redeploy", service_url=older.url)

    assert told.real["changed"]
    assert (told.real["diff"]["before"]["is_latest"], told.real["diff"]["after"]["is_latest"]) == (
        False,
        True,
    )
    assert told.real["deployment_id"] == older.id
    assert {latest_of(world, name) for name in SERVICES} == {older.id}
    assert (world.row(waiting) or {})["pinned_deployment_id"] == newer.id


@on("1.7.12", "1.5.3")
def test_new_code_at_a_registered_url_overwrites_it_and_warns_of_what_runs_there(world: World) -> None:
    release = world.release("release", "release-1")
    world.order("order-1", "wait")
    world.order("order-2", "fail")
    world.serve("release", "extra-service")

    told = rehearse(world, "redeploy", service_url=release.url)

    assert told.real["deployment_id"] == release.id
    assert latest_of(world, "Invoices") == release.id
    assert any("1 in-flight invocation pinned" in warning for warning in told.real["warnings"])
    assert told.real["steps"] == [{"action": "overwrite", "service_url": release.url}]


def test_new_code_at_a_registered_url_is_refused_without_force(world: World) -> None:
    release = world.release("release", "release-1")
    world.serve("release", "extra-service")

    told = rehearse(world, "redeploy", service_url=release.url, force=False)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "force_required")
    assert "Invoices" in told.real["diff"]["after"]["services"]
    assert "Invoices" not in told.real["diff"]["before"]["services"]


def test_an_older_url_is_refused_without_force(world: World) -> None:
    older = world.release("release-1")
    world.release("release-2")

    told = rehearse(world, "redeploy", service_url=older.url, force=False)

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "force_required")
    assert "is not the latest" in told.real["msg"]


def test_a_service_that_the_new_code_no_longer_offers_is_named(world: World) -> None:
    release = world.release("release", "extra-service")
    world.serve("release", "release-2")

    told = rehearse(world, "redeploy", service_url=release.url)

    assert any("no longer offers Invoices" in warning for warning in told.real["warnings"])


# What an overwrite keeps


@on_all_versions
def test_an_overwrite_keeps_what_the_task_does_not_mention(world: World) -> None:
    metadata = {"metadata": {"git.sha": "4711"}} if world.since(1, 6) else {}
    url = world.serve("release", "release-1", header="x-key=the-value-of-the-key")
    headers = {"x-key": "the-value-of-the-key", "authorization": SECRET}
    deployment_id = world.register(url, additional_headers=headers, use_http_11=True, **metadata)
    settings = {"public": False, "workflow_completion_retention": "2days"}
    world.http.patch("/services/OrderWorkflow", json=settings).raise_for_status()
    kept = {name: world.service("OrderWorkflow")[name] for name in settings}
    world.serve("release", "extra-service", header="x-key=the-value-of-the-key")

    told = rehearse(world, "redeploy", service_url=url)

    now = world.deployment(deployment_id)
    assert latest_of(world, "Invoices") == deployment_id
    assert now["additional_headers"] == headers
    assert now.get("metadata", {}) == metadata.get("metadata", {})
    assert now["http_version"] == "HTTP/1.1"
    assert {name: world.service("OrderWorkflow")[name] for name in settings} == kept
    assert [step["action"] for step in told.real["steps"]] == ["overwrite", "apply_settings"]
    assert SECRET not in told.told
    assert "the-value" not in told.told


@on("1.7.12", "1.5.3")
def test_an_overwrite_changes_the_headers_that_the_task_gives_and_shows_no_value(world: World) -> None:
    url = world.serve("release", "release-1")
    deployment_id = world.register(url, additional_headers={"authorization": SECRET, "x-old": "1"})

    told = rehearse(
        world, "redeploy", service_url=url, additional_headers={"authorization": "Bearer another-token"}
    )

    assert told.real["changed"]
    assert world.deployment(deployment_id)["additional_headers"] == {"authorization": "Bearer another-token"}
    assert told.real["diff"]["after"]["additional_headers"] == {"authorization": "(hidden, changed)"}
    assert "token-for" not in told.told
    assert "another-token" not in told.told

    removed = rehearse(world, "redeploy", service_url=url, additional_headers={})

    assert removed.real["changed"]
    assert not world.deployment(deployment_id).get("additional_headers")


def test_an_overwrite_changes_the_metadata_that_the_task_gives(world: World) -> None:
    release = world.release("release-1", metadata={"git.sha": "4711", "by": "ci"})

    told = rehearse(world, "redeploy", service_url=release.url, metadata={"git.sha": "4712"})

    assert told.real["changed"]
    assert world.deployment(release.id)["metadata"] == {"git.sha": "4712"}


@on("1.5.3")
def test_metadata_needs_a_newer_server(world: World) -> None:
    url = world.serve("release-1", "release-1")

    told = rehearse(world, "redeploy", service_url=url, metadata={"git.sha": "4711"})

    assert reason(told.real)[0] == "RESTATE_UNSUPPORTED"


@on("1.7.12", "1.5.3")
def test_a_change_of_the_http_version_overwrites_or_is_refused_but_never_registers_twice(
    world: World,
) -> None:
    release = world.release("release-1")

    told = rehearse(world, "redeploy", service_url=release.url, use_http_11=True)

    assert world.deployment_ids() == {release.id}
    if told.real["failed"]:
        assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "second_registration")
    else:
        assert world.deployment(release.id)["http_version"] == "HTTP/1.1"


# A service changes its type, or loses a handler


@on_all_versions
def test_a_change_of_type_is_refused_and_named_and_allowed_by_breaking(world: World) -> None:
    release = world.release("release", "release-2")
    for place in ("new", "release"):
        told = rehearse(world, "redeploy", service_url=world.serve(place, "type-changed"))
        assert reason(told.real)[0] == "RESTATE_REGISTRATION_REFUSED"
        assert "OrderWorkflow" in told.real["msg"]
        assert "breaking" in told.real["error"]["remedy"]

    told = rehearse(world, "redeploy", service_url=release.url, breaking=True)

    assert told.real["changed"]
    assert world.service("OrderWorkflow")["ty"] == "Service"
    assert latest_of(world) == release.id


@on("1.7.12", "1.5.3")
def test_a_change_of_type_at_a_new_url_is_allowed_by_breaking(world: World) -> None:
    world.release("release", "release-2")

    told = rehearse(
        world, "redeploy", unknown=NEW, service_url=world.serve("new", "type-changed"), breaking=True
    )

    assert world.service("OrderWorkflow")["ty"] == "Service"
    assert latest_of(world) == told.real["deployment_id"]


@on("1.7.12", "1.6.2")
def test_a_lost_handler_at_a_new_url_is_what_the_server_says_of_it(world: World) -> None:
    world.release("release-2")
    url = world.serve("new", "handler-removed")

    told = rehearse(world, "redeploy", unknown=NEW, service_url=url)

    if world.since(1, 7):
        assert latest_of(world) == told.real["deployment_id"]
    else:
        assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "META0006")
        assert "await_approval" in told.real["msg"]
        allowed = world.task("redeploy", service_url=url, breaking=True)
        assert latest_of(world) == allowed["deployment_id"]


@on("1.6.2")
def test_a_lost_handler_at_a_registered_url_is_shown_in_the_diff(world: World) -> None:
    release = world.release("release-2")
    world.serve("release-2", "handler-removed")

    told = rehearse(world, "redeploy", service_url=release.url)

    shown = [told.real["diff"][side]["services"]["OrderWorkflow"]["handlers"] for side in ("before", "after")]
    assert set(shown[0]) - set(shown[1]) == {"await_approval"}


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
    world: World, service_url: str, code: str
) -> None:
    refused = world.task("redeploy", admin_url="http://127.0.0.1:1", service_url=service_url)

    assert reason(refused)[0] == code


def test_a_url_that_means_two_deployments_is_refused(world: World) -> None:
    release = world.release("release-1")
    world.register(release.url + "/")

    told = rehearse(world, "redeploy", service_url=release.url)

    assert reason(told.real) == ("RESTATE_INVALID_ARGUMENT", "ambiguous_service_url")
    assert set(told.real["error"]["deployment_ids"]) == world.deployment_ids()
