# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of what is registered."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.plugin_utils.report.deployments import deployments_of
from ansible_collections.dalp.restate.plugins.plugin_utils.report.html import as_html
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_run import page_of_run
from ansible_collections.dalp.restate.plugins.plugin_utils.report.page import Drawing
from ansible_collections.dalp.restate.plugins.plugin_utils.summary import Run

from tests.unit.runs import NEW, OLD, deployment, examined, release, run_of


def drawing(run: Run) -> Drawing:
    section = deployments_of(run)
    assert section is not None
    [found] = [block for block in section.blocks if isinstance(block, Drawing)]
    return found


def stations(run: Run) -> list[tuple[str, str, list[tuple[str, bool]]]]:
    """Return what is drawn: each deployment, what became of it, and its revisions."""
    return [
        (
            each.deployment.id,
            each.deployment.fate,
            [(stop.revision, stop.is_latest) for stop in each.stops],
        )
        for each in drawing(run).picture.stations
    ]


def test_what_was_removed_is_drawn_with_what_took_its_place() -> None:
    assert stations(release()) == [
        (NEW, "registered", [("2", True)]),
        (OLD, "removed", [("1", False)]),
    ]


def test_a_dry_run_draws_what_is_there_and_what_would_come() -> None:
    assert stations(release(check=True)) == [
        ("", "would be registered", [("new", True)]),
        (OLD, "would be removed if it drains in time", [("1", True)]),
    ]
    assert [each.pending for each in drawing(release(check=True)).picture.stations] == ["", "3 pending"]


def test_the_line_of_a_service_goes_from_its_first_stop_to_its_last() -> None:
    picture = drawing(release()).picture
    [rail] = picture.rails
    stops = [stop.y for station in picture.stations for stop in station.stops]
    assert (rail.top, rail.bottom) == (stops[0], stops[-1])
    assert picture.height >= rail.bottom


def test_of_many_deployments_those_that_matter_are_drawn_and_all_are_in_the_table() -> None:
    many = [deployment(f"dp_{number}", "http://o", 1, state="drained") for number in range(40)]
    many[3]["pending_invocations"] = 7
    found = drawing(run_of(examined(*many), {}))
    drawn = [each.deployment.id for each in found.picture.stations]
    assert len(drawn) == 12
    assert {"dp_3", "dp_39"} <= set(drawn)
    assert found.picture.left_out == "28 more deployments in the table below."
    assert len(found.table.rows) == 40


def test_of_many_services_some_have_a_line_and_the_others_are_counted() -> None:
    one = deployment(OLD, "http://o", 1)
    one["services"] = [{"name": f"S{number}", "revision": 1} for number in range(9)]
    [station] = drawing(run_of(examined(one), {})).picture.stations
    assert len(station.stops) == 6
    assert station.rows[-1].text == "and 3 more services"


def test_what_dalp_tells_is_drawn_as_far_as_it_goes() -> None:
    told: Any = [{"id": OLD, "service_url": "http://o", "created_at": "2026-11-22T18:02:06Z"}]
    run = run_of(examined(deployments={"status": "ok", "items": told}), {})
    assert stations(run) == [(OLD, "", [])]
    assert "Which deployment serves what could not be read." in as_html(page_of_run(run))


def test_a_picture_of_nothing_is_not_drawn() -> None:
    assert deployments_of(run_of(examined(), {})) is None
    assert deployments_of(run_of({}, {})) is None


def test_long_urls_are_broken_where_they_can_be_and_cut_in_the_picture_alone() -> None:
    url = f"http://orders.example.com:9080/{'x' * 500}"
    found = drawing(run_of(examined(deployment(OLD, url, 1)), {}))
    lines = [row.text for row in found.picture.stations[0].rows if row.style == "url"]
    assert lines[0] == "http://"[: len(lines[0])] or lines[0].startswith("http://orders")
    assert len(lines) == 3
    assert all(len(line) <= 28 for line in lines)
    assert found.table.rows[0][1] == url
