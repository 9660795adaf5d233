# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_cleanup: what it removes, and what it leaves."""

from __future__ import annotations

from tests.integration.server import Server
from tests.integration.superseded_deployments import FORCED, remaining, superseded
from tests.integration.three_runs import reason, run_three_times
from tests.integration.versions import on, on_all_versions

# What goes and what stays


@on_all_versions
def test_a_drained_deployment_goes_and_completed_work_never_holds_it(server: Server) -> None:
    old, new = superseded(server, ("order-1", "ok"), ("order-2", "fail"))

    told = run_three_times(server, "cleanup", service_url=new.url)

    assert told.real["changed"]
    assert told.real["removed"] == [old.id]
    assert told.real["steps"][0]["action"] == "remove"
    assert server.deployment_ids() == {new.id}
    assert told.real["kept"]["deployment_id"] == new.id


def test_superseded_leaves_what_is_the_latest_of_some_service(server: Server) -> None:
    extra = server.release("extra-service")
    old, new = server.release("release-1"), server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, remove="superseded")

    assert told.real["removed"] == [old.id]
    assert remaining(told.real) == {extra.id: "latest"}


def test_what_is_kept_by_id_or_url_or_is_younger_than_min_age_stays(server: Server) -> None:
    by_id, by_url, goes = (server.release(name, "release-1") for name in ("a", "b", "c"))
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url, keep=[by_id.id, by_url.url + "/"])

    assert told.real["removed"] == [goes.id]
    assert remaining(told.real) == {by_id.id: "keep", by_url.id: "keep"}

    told = run_three_times(server, "cleanup", service_url=new.url, min_age="1h")

    assert not told.real["changed"]
    assert set(remaining(told.real).values()) == {"min_age"}


def test_a_typo_in_keep_costs_no_deployment(server: Server) -> None:
    _old, new = superseded(server)

    for typo in ("dp_nope", "http://nowhere:9080"):
        told = run_three_times(server, "cleanup", service_url=new.url, keep=[typo])
        assert reason(told.real)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"
        assert typo in told.real["msg"]


@on("1.5.3")
def test_an_unregistered_url_touches_nothing(server: Server) -> None:
    superseded(server)

    told = run_three_times(server, "cleanup", service_url=server.services.url("elsewhere"))

    assert reason(told.real)[0] == "RESTATE_DEPLOYMENT_NOT_FOUND"


@on("1.7.12", "1.5.3")
def test_a_service_is_removed_only_where_that_is_allowed(server: Server) -> None:
    extra = server.release("extra-service")
    new = server.release("release-2")

    told = run_three_times(server, "cleanup", service_url=new.url)

    assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "service_removed")
    assert "Invoices" in told.real["msg"]
    assert told.real["error"]["deployment_ids"] == [extra.id]

    told = run_three_times(server, "cleanup", service_url=new.url, allow_service_removal=True)

    assert told.real["removed"] == [extra.id]
    assert {service["name"] for service in told.after["services"]} == {
        "Counter",
        "Ledger",
        "OrderWorkflow",
        "PaymentWorkflow",
    }


@on("1.7.12", "1.5.3")
def test_an_older_revision_never_comes_back(server: Server) -> None:
    oldest, older, newest = (server.release(name, "release-1") for name in ("a", "b", "c"))

    for allow in (False, True):
        told = run_three_times(server, "cleanup", service_url=older.url, allow_service_removal=allow)
        assert reason(told.real) == ("RESTATE_SERVICE_REMOVAL_REFUSED", "older_revision_returns")
        assert told.real["error"]["deployment_ids"] == [newest.id]

    # Over the whole set: the oldest alone may go.
    told = run_three_times(server, "cleanup", service_url=older.url, keep=[newest.id])
    assert told.real["removed"] == [oldest.id]


@on("1.7.12", "1.5.3")
def test_nothing_goes_while_the_kept_deployment_is_silent(server: Server) -> None:
    _old, new = superseded(server)
    server.serve("new", None)

    told = run_three_times(server, "cleanup", service_url=new.url)

    assert reason(told.real)[0] == "RESTATE_SERVICE_UNREACHABLE"
    assert told.real["error"]["deployment_ids"] == [new.id]


def test_the_kept_deployment_is_asked_with_its_registered_headers(server: Server) -> None:
    old = server.release("release-1")
    url = server.serve("release-2", "release-2", header="x-key=the-value-of-the-key")
    server.register(url, additional_headers={"x-key": "the-value-of-the-key"})

    told = run_three_times(server, "cleanup", service_url=url)

    assert told.real["removed"] == [old.id]
    assert "the-value" not in told.told


# assume_registered


@on("1.7.12", "1.5.3")
def test_a_whole_release_is_predicted_before_anything_is_registered(server: Server) -> None:
    drained = server.release("drained", "release-1")
    current = server.release("release-1")
    server.order("order-1", "wait")
    url = server.serve("release-2", "release-2")
    before = server.snapshot()
    predicted = server.task("redeploy", check=True, service_url=url)

    foreseen = server.task(
        "cleanup",
        check=True,
        service_url=url,
        assume_registered=predicted["deployment"],
        remove="superseded",
    )

    assert server.snapshot() == before
    assert not foreseen["failed"], foreseen["msg"]
    assert foreseen["kept"] == {"service_url": url}
    assert foreseen["removed"] == [drained.id, current.id]
    assert [step["action"] for step in foreseen["steps"]] == ["remove", "wait_then_remove"]


def test_assume_registered_is_refused_outside_check_mode(server: Server) -> None:
    server.release("release-1")
    url = server.serve("release-2", "release-2")
    predicted = server.task("redeploy", check=True, service_url=url)
    before = server.snapshot()

    refused = server.task("cleanup", service_url=url, assume_registered=predicted["deployment"])

    assert reason(refused)[0] == "RESTATE_INVALID_ARGUMENT"
    assert server.snapshot() == before


def test_an_assumed_migration_looks_at_what_the_release_will_serve(server: Server) -> None:
    old = server.release("release-1")
    moved = server.order("order-1", "wait")
    left = server.await_approval("order-2")
    url = server.serve("new", "handler-removed")
    predicted = server.task("redeploy", check=True, service_url=url)

    args = {"service_url": url, **FORCED}
    foreseen = server.task("cleanup", check=True, assume_registered=predicted["deployment"], **args)

    assert foreseen["migrated"] == [moved]
    assert remaining(foreseen) == {old.id: "handler_not_served"}
    assert foreseen["error"]["invocation_ids"] == [left]
    server.register(url)
    real = server.task("cleanup", **args)
    for key in ("migrated", "removed", "remaining", "steps"):
        assert real[key] == foreseen[key]
