# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ages are counted by the clock of Restate, and not by that of the host on which a task runs."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.integration.ansible_task import prepare
from tests.integration.server import Server
from tests.integration.versions import on_all_versions

THREE_HOURS = datetime.timedelta(hours=3)
AHEAD = pytest.mark.parametrize("ahead", [THREE_HOURS, -THREE_HOURS], ids=["ahead", "behind"])


@pytest.fixture
def skew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the clock of the host on which tasks run, and which their process inherits."""
    # The collection can be imported once Ansible has been told where it is.
    prepare()
    from ansible_collections.dalp.restate.plugins.module_utils import _timestamps

    def set_ahead(ahead: datetime.timedelta) -> None:
        monkeypatch.setattr(_timestamps, "now", lambda: datetime.datetime.now(datetime.UTC) + ahead)

    return set_ahead


def found(server: Server, module: str, **select: Any) -> list[str]:
    result = server.task(module, check=True, select={"limit": 10, **select}, skip_blocked=True)
    assert not result["failed"], result["msg"]
    return [entry.get("service_key") or entry["target"].split("/")[1] for entry in result["results"]]


@on_all_versions
@AHEAD
def test_selection_by_age_uses_the_clock_of_the_server(
    server: Server, skew: Any, ahead: datetime.timedelta
) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    server.payment("stopped")
    skew(ahead)

    for module, kind, key in (("recover_workflow", "failed", "bad"), ("resume", "paused", "stopped")):
        assert found(server, module, kinds=[kind], failed_after="1h") == [key]
        assert found(server, module, kinds=[kind], failed_before="1h") == []
        assert found(server, module, kinds=[kind], failed_before="0s") == [key]


@on_all_versions
@AHEAD
def test_cleanup_by_age_uses_the_clock_of_the_server(
    server: Server, skew: Any, ahead: datetime.timedelta
) -> None:
    old = server.release("release-1")
    new = server.release("release-2")
    skew(ahead)

    young = server.task("cleanup", service_url=new.url, min_age="1h", drain_timeout=0)
    foreseen = server.task("cleanup", check=True, service_url=new.url, drain_timeout=0)
    removed = server.task("cleanup", service_url=new.url, drain_timeout=0)

    assert not young["failed"], young["msg"]
    assert young["removed"] == []
    assert [each["reason"] for each in young["remaining"]] == ["min_age"]
    assert any("clock" in each for each in young["warnings"])
    for result in (foreseen, removed):
        assert result["removed"] == [old.id]
        assert not any("clock" in each for each in result.get("warnings", []))


@pytest.mark.parametrize(
    ("seconds", "told"), [(10800, "3 h ahead of"), (-90, "90 s behind"), (2, None)], ids=str
)
def test_a_clock_that_differs_causes_a_warning(
    server: Server, skew: Any, seconds: int, told: str | None
) -> None:
    server.release("release-1")
    skew(datetime.timedelta(seconds=seconds))

    result = server.task("recover_workflow", check=True, select={"limit": 1, "failed_after": "1h"})

    warnings = [each for each in result.get("warnings", []) if "clock" in each]
    assert len(warnings) == (1 if told else 0)
    assert told is None or told in warnings[0]


def test_times_without_ages_ask_for_no_clock(server: Server, skew: Any) -> None:
    server.release("release-1")
    skew(THREE_HOURS)

    result = server.task(
        "recover_workflow", check=True, select={"limit": 1, "failed_after": "2026-01-01T00:00:00Z"}
    )

    assert "warnings" not in result


def test_an_age_and_a_time_in_the_wrong_order_are_refused(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    select = {"limit": 1, "failed_after": "1h", "failed_before": "2020-01-01T00:00:00Z"}

    result = server.task("recover_workflow", select=select)

    assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
    assert "select.failed_after must be earlier" in result["msg"]


def test_doctor_warns_of_a_clock_that_differs(server: Server, skew: Any) -> None:
    right = server.task("doctor")
    skew(THREE_HOURS)
    wrong = server.task("doctor")

    assert "warnings" not in right
    (warning,) = wrong["warnings"]
    assert warning.startswith("The clock of this host is 3 h ahead of the clock of Restate.")
