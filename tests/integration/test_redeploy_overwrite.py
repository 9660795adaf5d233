# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_redeploy: what an overwrite keeps, and what changes of a service it allows."""

from __future__ import annotations

from tests.integration.registered_deployments import NEW, SECRET, latest_of
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions

# What an overwrite keeps


@on_all_versions
def test_an_overwrite_keeps_what_the_task_does_not_mention(server: Server) -> None:
    metadata = {"metadata": {"git.sha": "4711"}} if server.is_at_least(1, 6) else {}
    url = server.serve("release", "release-1", header="x-key=the-value-of-the-key")
    headers = {"x-key": "the-value-of-the-key", "authorization": SECRET}
    deployment_id = server.register(url, additional_headers=headers, use_http_11=True, **metadata)
    settings = {"public": False, "workflow_completion_retention": "2days"}
    server.http.patch("/services/OrderWorkflow", json=settings).raise_for_status()
    kept = {name: server.service("OrderWorkflow")[name] for name in settings}
    server.serve("release", "extra-service", header="x-key=the-value-of-the-key")

    told = run_three_times(server, "redeploy", service_url=url)

    now = server.deployment(deployment_id)
    assert latest_of(server, "Invoices") == deployment_id
    assert now["additional_headers"] == headers
    assert now.get("metadata", {}) == metadata.get("metadata", {})
    assert now["http_version"] == "HTTP/1.1"
    assert {name: server.service("OrderWorkflow")[name] for name in settings} == kept
    assert [step["action"] for step in told.real["steps"]] == ["overwrite", "apply_settings"]
    assert SECRET not in told.told
    assert "the-value" not in told.told


@on("1.7.12", "1.5.3")
def test_an_overwrite_changes_the_headers_that_the_task_gives_and_shows_no_value(server: Server) -> None:
    url = server.serve("release", "release-1")
    deployment_id = server.register(url, additional_headers={"authorization": SECRET, "x-old": "1"})

    told = run_three_times(
        server, "redeploy", service_url=url, additional_headers={"authorization": "Bearer another-token"}
    )

    assert told.real["changed"]
    assert server.deployment(deployment_id)["additional_headers"] == {"authorization": "Bearer another-token"}
    assert told.real["diff"]["after"]["additional_headers"] == {"authorization": "(hidden, changed)"}
    assert "token-for" not in told.told
    assert "another-token" not in told.told

    removed = run_three_times(server, "redeploy", service_url=url, additional_headers={})

    assert removed.real["changed"]
    assert not server.deployment(deployment_id).get("additional_headers")


def test_an_overwrite_changes_the_metadata_that_the_task_gives(server: Server) -> None:
    release = server.release("release-1", metadata={"git.sha": "4711", "by": "ci"})

    told = run_three_times(server, "redeploy", service_url=release.url, metadata={"git.sha": "4712"})

    assert told.real["changed"]
    assert server.deployment(release.id)["metadata"] == {"git.sha": "4712"}


@on("1.5.3")
def test_metadata_needs_a_newer_server(server: Server) -> None:
    url = server.serve("release-1", "release-1")

    told = run_three_times(server, "redeploy", service_url=url, metadata={"git.sha": "4711"})

    assert reason(told.real)[0] == "RESTATE_UNSUPPORTED"


@on("1.7.12", "1.5.3")
def test_a_change_of_the_http_version_overwrites_or_is_refused_but_never_registers_twice(
    server: Server,
) -> None:
    release = server.release("release-1")

    told = run_three_times(server, "redeploy", service_url=release.url, use_http_11=True)

    assert server.deployment_ids() == {release.id}
    if told.real["failed"]:
        assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "second_registration")
    else:
        assert server.deployment(release.id)["http_version"] == "HTTP/1.1"


# A service changes its type, or loses a handler


@on_all_versions
def test_a_change_of_type_is_refused_and_named_and_allowed_by_breaking(server: Server) -> None:
    release = server.release("release", "release-2")
    for place in ("new", "release"):
        told = run_three_times(server, "redeploy", service_url=server.serve(place, "type-changed"))
        assert reason(told.real)[0] == "RESTATE_REGISTRATION_REFUSED"
        assert "OrderWorkflow" in told.real["msg"]
        assert "breaking" in told.real["error"]["remedy"]

    told = run_three_times(server, "redeploy", service_url=release.url, breaking=True)

    assert told.real["changed"]
    assert server.service("OrderWorkflow")["ty"] == "Service"
    assert latest_of(server) == release.id


@on("1.7.12", "1.5.3")
def test_a_change_of_type_at_a_new_url_is_allowed_by_breaking(server: Server) -> None:
    server.release("release", "release-2")

    told = run_three_times(
        server, "redeploy", unknown=NEW, service_url=server.serve("new", "type-changed"), breaking=True
    )

    assert server.service("OrderWorkflow")["ty"] == "Service"
    assert latest_of(server) == told.real["deployment_id"]


@on("1.7.12", "1.6.2")
def test_a_lost_handler_at_a_new_url_is_what_the_server_says_of_it(server: Server) -> None:
    server.release("release-2")
    url = server.serve("new", "handler-removed")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    if server.is_at_least(1, 7):
        assert latest_of(server) == told.real["deployment_id"]
    else:
        assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "META0006")
        assert "await_approval" in told.real["msg"]
        allowed = server.task("redeploy", service_url=url, breaking=True)
        assert latest_of(server) == allowed["deployment_id"]


@on("1.6.2")
def test_a_lost_handler_at_a_registered_url_is_shown_in_the_diff(server: Server) -> None:
    release = server.release("release-2")
    server.serve("release-2", "handler-removed")

    told = run_three_times(server, "redeploy", service_url=release.url)

    shown = [told.real["diff"][side]["services"]["OrderWorkflow"]["handlers"] for side in ("before", "after")]
    assert set(shown[0]) - set(shown[1]) == {"await_approval"}
