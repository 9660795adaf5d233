# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_redeploy: which settings stay that an operator made with PATCH /services."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.proxy import Proxy, answer
from tests.integration.registered_deployments import NEW, latest_of
from tests.integration.server import Server
from tests.integration.three_runs import run_three_times
from tests.integration.versions import on, on_all_versions

BY_HAND = {"public": False, "workflow_completion_retention": "90days", "inactivity_timeout": "7m"}


def patched(server: Server, **settings: Any) -> dict[str, Any]:
    """Change settings as an operator does, and give them as the server tells them."""
    server.http.patch("/services/OrderWorkflow", json=settings).raise_for_status()
    return settings_of(server, *settings)


def settings_of(server: Server, *names: str) -> dict[str, Any]:
    service = server.service("OrderWorkflow")
    return {name: service[name] for name in names}


@on_all_versions
def test_a_release_at_a_new_url_keeps_what_an_operator_changed(server: Server) -> None:
    server.release("release-1")
    kept = patched(server, **BY_HAND)
    url = server.serve("new", "release-2")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    assert latest_of(server) == told.real["deployment_id"]
    assert settings_of(server, *BY_HAND) == kept
    assert [step["action"] for step in told.predicted["steps"]] == ["register", "apply_settings"]
    (warning,) = told.predicted["warnings"]
    assert "public=False" in warning
    assert "for a moment in between it can be called through the ingress" in warning


@on("1.7.12", "1.5.3")
def test_a_setting_of_the_code_alone_changes_with_the_code(server: Server) -> None:
    server.release("release-1")
    url = server.serve("new", "private")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    assert settings_of(server, "public") == {"public": False}
    assert [step["action"] for step in told.real["steps"]] == ["register"]
    assert "public from True to False" in str(told.predicted["warnings"])


def test_where_the_old_code_is_gone_the_registered_value_stays_and_is_named(server: Server) -> None:
    old = server.release("release-1")
    kept = patched(server, public=False)
    server.serve("release-1", None)
    url = server.serve("new", "release-2")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    assert settings_of(server, "public") == kept
    assert f"The code of {old.id} does not answer discovery" in str(told.predicted["warnings"])


def test_the_code_decides_where_the_operator_says_so(server: Server) -> None:
    server.release("release-1")
    patched(server, public=False)
    url = server.serve("new", "release-2")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url, settings="code")

    assert settings_of(server, "public") == {"public": True}
    assert "public from False to True" in str(told.predicted["warnings"])


@on("1.7.12", "1.6.2")
def test_the_code_takes_over_at_the_same_url_where_the_operator_says_so(server: Server) -> None:
    release = server.release("release-1")
    patched(server, public=False)
    assert not server.task("redeploy", service_url=release.url)["changed"]

    told = run_three_times(server, "redeploy", service_url=release.url, settings="code")

    assert told.real["changed"]
    assert settings_of(server, "public") == {"public": True}
    assert told.real["diff"]["after"]["settings"] == {"OrderWorkflow": {"public": True}}


@on_all_versions
def test_a_rollback_keeps_what_is_in_force(server: Server) -> None:
    old = server.release("release-1")
    server.release("new", "release-2")
    kept = patched(server, public=False)

    told = run_three_times(server, "redeploy", service_url=old.url)

    assert latest_of(server) == old.id
    assert settings_of(server, "public") == kept
    assert [step["action"] for step in told.real["steps"]] == ["overwrite", "apply_settings"]


@pytest.mark.parametrize("status", [400, 401])
def test_settings_that_could_not_be_set_again_are_named_with_what_sets_them(
    server: Server, proxy: Proxy, status: int
) -> None:
    server.release("release-1")
    patched(server, public=False)
    url = server.serve("new", "release-2")
    proxy.once("PATCH", "^/services/OrderWorkflow$", answer(status, {"message": "no"}))

    failed = server.task("redeploy", admin_url=proxy.url, service_url=url)

    assert failed["failed"]
    assert [step["action"] for step in failed["not_done"]] == ["apply_settings"]
    assert "OrderWorkflow (public=False)" in failed["error"]["message"]
    assert "restate services config patch OrderWorkflow --public false" in failed["error"]["remedy"]


def test_what_an_operator_opened_stays_open(server: Server) -> None:
    server.release("private")
    patched(server, public=True)
    url = server.serve("new", "private")

    told = run_three_times(server, "redeploy", unknown=NEW, service_url=url)

    assert settings_of(server, "public") == {"public": True}
    assert "for a moment in between the code's are in force" in str(told.predicted["warnings"])
