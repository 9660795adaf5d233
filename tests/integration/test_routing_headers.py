# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server with routing headers has several deployments of one URL, by design."""

from __future__ import annotations

from typing import Any

import pytest
import restate_server

from tests.integration.registered_deployments import NEW, latest_of
from tests.integration.server import Server
from tests.integration.three_runs import reason, run_three_times

on_all_versions = pytest.mark.parametrize("configured", restate_server.VERSIONS, indirect=True)


def route(name: str, **more: str) -> dict[str, Any]:
    return {"additional_headers": {"x-route": name, **more}}


@on_all_versions
def test_a_release_with_another_route_is_registered_beside_and_supersedes(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    one = configured.register(url, **route("one"))

    told = run_three_times(configured, "redeploy", unknown=NEW, service_url=url, **route("two"))

    two = told.real["deployment_id"]
    assert latest_of(configured) == two != one
    assert told.real["deployment"]["beside"] == [one]
    assert "routing headers" in str(told.predicted["warnings"])

    cleaned = run_three_times(configured, "cleanup", service_url=url, remove="superseded", drain_timeout=0)

    assert cleaned.real["removed"] == [one]
    assert cleaned.real["kept"]["deployment_id"] == two


@on_all_versions
def test_the_route_says_which_of_a_url_is_meant(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    one = configured.register(url, **route("one"))
    two = configured.register(url, **route("two"))
    bare = configured.register(url)

    for headers, meant in (
        (route("one"), one),
        (route("two", more="z"), two),
        ({"additional_headers": {}}, bare),
    ):
        told = run_three_times(configured, "redeploy", service_url=url, **headers)
        assert told.real["deployment_id"] == told.predicted["deployment_id"] == meant
        assert latest_of(configured) == meant
    assert configured.deployment_ids() == {one, two, bare}
    assert set(configured.deployment(two)["additional_headers"]) == {"x-route", "more"}


def test_without_a_route_a_release_is_refused_for_the_true_reason(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    ids = {configured.register(url, **route("one")), configured.register(url, **route("two"))}

    told = run_three_times(configured, "redeploy", service_url=url)

    assert reason(told.real) == ("RESTATE_INVALID_ARGUMENT", "ambiguous_service_url")
    assert set(told.real["error"]["deployment_ids"]) == ids
    assert "additional_headers" in told.real["error"]["remedy"]
    assert "superfluous" not in told.real["msg"]


def test_the_dry_run_of_a_release_predicts_what_its_cleanup_removes(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    one = configured.register(url, **route("one"))

    redeployed = configured.task("redeploy", check=True, service_url=url, **route("two"))
    predicted = configured.task(
        "cleanup",
        check=True,
        service_url=url,
        remove="superseded",
        drain_timeout=0,
        assume_registered=redeployed["deployment"],
    )

    assert predicted["removed"] == [one]
    assert "deployment_id" not in predicted["kept"]


def test_a_cleanup_of_a_url_that_may_mean_two_is_refused_and_its_remedy_works(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    one = configured.register(url, **route("one"))
    configured.serve("release", "order-only")
    two = configured.register(url, **route("two"))
    old = configured.release("old", "order-only")
    configured.task("redeploy", service_url=url, **route("two"))
    asked: dict[str, Any] = {"service_url": url, "remove": "superseded", "drain_timeout": 0}

    refused = run_three_times(configured, "cleanup", **asked)

    assert reason(refused.real) == ("RESTATE_INVALID_ARGUMENT", "ambiguous_service_url")
    assert "keep" in refused.real["error"]["remedy"]
    (finding,) = configured.task("doctor")["findings"]
    assert finding["subjects"] == [old.id]
    assert f"restate_keep={one}" in finding["remedy"]
    assert configured.task("cleanup", **asked, keep=[one])["removed"] == [old.id]
    assert configured.deployment_ids() == {one, two}


@pytest.mark.parametrize("configured", ["1.5.3"], indirect=True)
def test_use_http_11_is_named_where_it_was_given(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    configured.register(url, **route("one"))

    told = run_three_times(configured, "redeploy", service_url=url, use_http_11=True, **route("two"))

    assert reason(told.real) == ("RESTATE_REGISTRATION_REFUSED", "second_registration")
    assert "use_http_11" in told.real["error"]["remedy"]


@pytest.mark.parametrize("configured", ["1.5.3"], indirect=True)
def test_two_of_a_url_that_differ_in_the_http_version_are_told_apart_by_it(configured: Server) -> None:
    url = configured.serve("release", "release-1")
    configured.register(url)
    older = configured.register(url, use_http_11=True)
    configured.register(url, force=True)

    refused = run_three_times(configured, "redeploy", service_url=url)
    told = run_three_times(configured, "redeploy", service_url=url, use_http_11=True)

    assert reason(refused.real) == ("RESTATE_INVALID_ARGUMENT", "ambiguous_service_url")
    assert "use_http_11" in refused.real["error"]["remedy"]
    assert told.real["deployment_id"] == older == latest_of(configured)
