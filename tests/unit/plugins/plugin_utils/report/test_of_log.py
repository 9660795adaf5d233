# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of an audit log, by run."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.dalp.restate.plugins.plugin_utils.report.html import as_html
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_log import Log, page_of_log, runs_of

from tests.unit.runs import result
from tests.unit.seen_page import SeenPage

START = datetime.datetime(2026, 11, 22, 18, tzinfo=datetime.UTC)


def record(operation: str, second: int, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = result(operation)["audit"]
    made["time"] = f"{(START + datetime.timedelta(seconds=second)).isoformat()[:19]}.000Z"
    made["data"] |= more
    return made


def operations(*records: dict[str, Any]) -> list[list[str]]:
    return [[each["data"]["operation"] for each in run] for run in runs_of(records)]


def test_a_runbook_is_one_run_from_its_examination_to_the_next() -> None:
    assert operations(
        record("doctor", 0),
        record("redeploy", 5),
        record("cleanup", 70, duration_ms=60_000),
        record("doctor", 72),
        record("doctor", 80),
        record("doctor", 90),
        record("resume", 95),
    ) == [["doctor", "redeploy", "cleanup", "doctor"], ["doctor"], ["doctor", "resume"]]


def test_a_long_task_belongs_to_its_run_and_what_comes_long_after_does_not() -> None:
    slow = record("cleanup", 3600, duration_ms=3_590_000)
    assert operations(record("doctor", 0), slow) == [["doctor", "cleanup"]]
    assert operations(record("doctor", 0), record("cleanup", 3600)) == [["doctor"], ["cleanup"]]


def test_two_jobs_at_the_same_time_are_two_runs() -> None:
    jobs = [{"awx_job_id": "1"}, {"awx_job_id": "2"}]
    mixed = [record(name, 1, context=job) for name in ("doctor", "redeploy") for job in jobs]
    assert operations(*mixed) == [["doctor", "redeploy"], ["doctor", "redeploy"]]
    by_others = [
        record("doctor", 0),
        record("redeploy", 1, actor="they"),
        record("cleanup", 2, check_mode=True),
    ]
    assert operations(*by_others) == [["doctor"], ["redeploy"], ["cleanup"]]


def test_a_time_that_is_none_begins_a_run() -> None:
    odd = record("cleanup", 1)
    odd["time"] = "yesterday"
    assert operations(record("doctor", 0), odd) == [["doctor"], ["cleanup"]]


def test_dry_runs_are_apart_from_real_ones_and_what_never_ended_is_first() -> None:
    killed = record("recover_workflow", 0, outcome="attempted")
    log = Log(
        [killed, record("redeploy", 1), record("cleanup", 500, check_mode=True)], "Whole.", True, [killed]
    )
    page = page_of_log(log)
    assert [section.name for section in page.sections] == ["open", "real", "dry"]
    seen = SeenPage(as_html(page))
    assert seen.foreign == set()
    assert "1, of which 1 changed something" in seen.text
    assert "begun, never ended" in seen.text


def test_a_chain_that_is_broken_is_said_first() -> None:
    text = as_html(page_of_log(Log([], "Line 3 is not as it was written.", False)))
    assert text.index("NOT as it was written") < text.index("<main>")
