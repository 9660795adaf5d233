# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which runs a selection means, and how they are read page by page."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import datetime
import re
from typing import Any, cast

import pytest
from ansible_collections.dalp.restate.plugins.module_utils import _timestamps
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.selection import (
    PAGE,
    Select,
    select_runs,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.rows import (
    EventMatch,
    TroubledRun,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.troubled_runs import Page
from ansible_collections.dalp.restate.plugins.module_utils._task.options import read_request
from ansible_collections.dalp.restate.plugins.modules.restate_resume import OPERATION
from ansible_collections.dalp.restate.tests.unit.fake_restate import FakeQuestions, Question
from ansible_collections.dalp.restate.tests.unit.wire_objects import service

SERVER_TIME = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
NOTHING: dict[str, Any] = {
    "service_name": None,
    "kinds": ["failed"],
    "failed_before": None,
    "failed_after": None,
    "failure_matches": None,
    "limit": 10,
}


def read(**asked: Any) -> Select:
    given = {
        "backend": "restate",
        "invocation_ids": None,
        "workflows": None,
        "select": {**NOTHING, **asked},
        "deployment": "keep",
        "skip_blocked": False,
    }
    backend = OPERATION.backend("restate")
    assert backend is not None
    selection: Select = read_request(OPERATION, backend, given).select
    return selection


# What is asked


@pytest.mark.parametrize(("text", "expected"), [
    ("2026-11-22T03:00:00Z", "2026-11-22T03:00:00.000Z"),
    ("2026-11-22T03:00:00.123456789Z", "2026-11-22T03:00:00.123Z"),
    ("2026-11-22T03:00:00+02:00", "2026-11-22T01:00:00.000Z"),
    ("2026-11-22T03:00:00-05:30", "2026-11-22T08:30:00.000Z"),
    ("2026-11-22 03:00:00+00:00", "2026-11-22T03:00:00.000Z"),
    (" 2026-11-22T03:00Z ", "2026-11-22T03:00:00.000Z"),
])  # fmt: skip
def test_a_time_is_told_in_utc(text: str, expected: str) -> None:
    assert read(failed_before=text).failed_before == expected
    assert read(failed_after=text).failed_after == expected


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259200), ("1w", 604800), (" 2 h ", 7200), ("0", 0)])  # fmt: skip
def test_age_is_counted_back_from_the_time_of_the_server(text: str, seconds: int) -> None:
    server = Pages(PAGE)
    chosen(server, failed_before=text, failed_after="1000w")
    assert server.asked[0].before == _timestamps.write(SERVER_TIME - datetime.timedelta(seconds=seconds))
    assert server.asked[0].since == _timestamps.write(SERVER_TIME - datetime.timedelta(weeks=1000))


@pytest.mark.parametrize("asked", [
    pytest.param({"failed_before": "yesterday"}, id="no time"),
    pytest.param({"failed_before": ""}, id="an empty time"),
    pytest.param({"failed_before": "2026-11-22T03:00:00"}, id="a time without a zone"),
    pytest.param({"failed_before": "2026-11-22"}, id="a day"),
    pytest.param({"failed_after": "2026-13-01T00:00:00Z"}, id="a thirteenth month"),
    pytest.param({"failed_after": "0001-01-01T00:00:00+05:00"}, id="before the beginning of time"),
    pytest.param({"failed_after": "9" * 30 + "w"}, id="an age beyond all time"),
    pytest.param({"failed_after": "999999w"}, id="an age before the calendar"),
    pytest.param({"failed_after": "-2h"}, id="a negative age"),
    pytest.param({"failed_after": "2y"}, id="an unknown unit"),
    pytest.param({"failed_after": "1h", "failed_before": "2h"}, id="two ages the wrong way round"),
    pytest.param({"failed_after": "2026-11-22T03:00:00Z", "failed_before": "2026-11-22T03:00:00Z"}, id="no time between"),
    pytest.param({"limit": 0}, id="a limit of none"),
    pytest.param({"limit": -1}, id="a negative limit"),
    pytest.param({"kinds": []}, id="no kind"),
])  # fmt: skip
def test_what_cannot_be_right_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(OperatorError) as raised:
        read(**asked)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert f"select.{next(iter(asked))}" in raised.value.message


@pytest.mark.parametrize("asked", [
    pytest.param({"failed_after": "1h", "failed_before": "2020-01-01T00:00:00Z"}, id="an age and a time"),
    pytest.param({"failed_after": "2029-12-31T23:30:00Z", "failed_before": "1h"}, id="a time and an age"),
    pytest.param({"failed_after": "2030-01-01T00:00:00Z", "failed_before": "0"}, id="no time between"),
])  # fmt: skip
def test_ages_and_times_in_the_wrong_order_are_refused_before_anything_is_read(asked: dict[str, Any]) -> None:
    server = Pages(PAGE)
    with pytest.raises(OperatorError, match=r"select\.failed_after must be earlier") as raised:
        chosen(server, **asked)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert server.asked == []


def test_only_ages_ask_for_the_time_of_the_server() -> None:
    server = Pages(PAGE)
    chosen(server, failed_after="2020-01-01T00:00:00Z", failed_before="2021-01-01T00:00:00Z")
    assert not server.is_time_asked
    chosen(server, failed_after="2020-01-01T00:00:00Z", failed_before="1h")
    assert server.is_time_asked


def test_nothing_but_a_limit_need_be_said() -> None:
    assert read() == Select(kinds=["failed"], limit=10)


# What is chosen


class Pages:
    """A server that has runs in trouble, and gives them by pages."""

    def __init__(self, page: int, **kinds: list[TroubledRun]) -> None:
        self.page = page
        self.kinds = kinds
        self.questions = FakeQuestions()
        self.asked: list[Page] = []
        self.failures: dict[str, str] = {}
        self.is_time_asked = False
        self.events: dict[str, list[str]] = {}

    def services(self) -> list[Any]:
        """The services that are registered."""
        return [service("Flow"), service("Other"), service("Plain", ty="Service")]

    def now(self) -> datetime.datetime:
        """What the clock says."""
        self.is_time_asked = True
        return SERVER_TIME

    def matches_empty(self, _option: str, pattern: str) -> bool:
        """Take each expression."""
        return re.search(pattern, "") is not None

    def query(self, question: Question) -> list[Any]:
        """Answer as the SQL would, by instant and id."""
        if question.name == "events_match":
            ids, pattern = question.args
            return [
                EventMatch(each, re.search(pattern, text) is not None)
                for each in ids
                for text in self.events.get(each, [])
            ]
        page: Page = question.args[0]
        self.asked.append(page)
        assert page.limit == self.page
        assert list(page.workflows.values()) == [frozenset({"run"})] * len(page.workflows)
        rows = [
            row for row in self.kinds.get(page.kind, []) if page.after is None or key(row) > _key(*page.after)
        ]
        if page.matches and page.kind != "paused":
            rows = [row for row in rows if re.search(page.matches, self.failures[row.id])]
        return sorted(rows, key=key)[: self.page]


def _key(failed_at: str, id_: str) -> tuple[datetime.datetime, str]:
    return datetime.datetime.fromisoformat(failed_at), id_


def key(row: TroubledRun) -> tuple[datetime.datetime, str]:
    return _key(row.failed_at, row.id)


def run(id_: str, second: float = 0) -> TroubledRun:
    """Make a row as a server writes it: a fraction that is zero is left out."""
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=second)
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return TroubledRun(
        id=id_,
        target_service_name="Flow",
        target_service_key=f"k{id_}",
        failed_at=text.replace("+00:00", "Z"),
    )


@pytest.fixture(params=[1, 2, 3, 100], ids="pages of {}".format)
def page(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def chosen(server: Pages, **asked: Any) -> tuple[str, int]:
    selected = select_runs(cast("Any", server), read(**asked), page=server.page)
    return " ".join(run.id for run in selected.runs), selected.beyond_limit


def test_the_oldest_come_first_over_several_kinds(page: int) -> None:
    server = Pages(
        page,
        failed=[run("f3", 3), run("f1", 1), run("f5", 5)],
        paused=[run("p2", 2), run("p4", 4)],
        backing_off=[run("b0", 0), run("b6", 6)],
    )
    kinds = ["failed", "paused", "backing_off"]
    assert chosen(server, kinds=kinds) == ("b0 f1 p2 f3 p4 f5 b6", 0)
    assert chosen(server, kinds=kinds, limit=3) == ("b0 f1 p2", 4)
    assert chosen(server, kinds=["paused"]) == ("p2 p4", 0)


def test_a_fraction_that_is_left_out_sorts_as_the_instant_that_it_is(page: int) -> None:
    # As texts, 01Z comes after 01.500Z.
    server = Pages(page, failed=[run("f", 1)], paused=[run("p", 1.5)])
    assert chosen(server, kinds=["paused", "failed"], limit=1) == ("f", 1)


@pytest.mark.parametrize("limit", [1, 4, 6, 7, 8])
def test_a_limit_is_kept_and_the_rest_counted(limit: int, page: int) -> None:
    server = Pages(page, failed=[run(f"f{each}", each) for each in range(7)])
    ids, beyond_limit = chosen(server, limit=limit)
    assert ids.split() == [f"f{each}" for each in range(min(limit, 7))]
    assert beyond_limit == max(7 - limit, 0)


def test_many_of_one_instant_are_neither_lost_nor_taken_twice(page: int) -> None:
    server = Pages(page, failed=[run(f"f{each}", 1) for each in range(8)])
    assert chosen(server) == (" ".join(f"f{each}" for each in range(8)), 0)


def test_a_run_that_changes_its_kind_between_two_pages_counts_once(page: int) -> None:
    server = Pages(page, paused=[run("x", 1)], backing_off=[run("x", 2)])
    assert chosen(server, kinds=["paused", "backing_off"]) == ("x", 0)


def test_a_kind_that_is_named_twice_counts_once(page: int) -> None:
    server = Pages(page, paused=[run("p", 2)], failed=[run("f", 1)])
    assert chosen(server, kinds=["paused", "failed", "paused"]) == ("f p", 0)
    assert list(dict.fromkeys(each.kind for each in server.asked)) == ["paused", "failed"]
    assert sum(each.kind == "paused" and each.after is None for each in server.asked) == 1


def test_nothing_in_trouble_is_nothing_chosen(page: int) -> None:
    assert chosen(Pages(page)) == ("", 0)


def test_a_failure_is_looked_for_in_the_servers_text_and_for_paused_ones_in_the_journal(page: int) -> None:
    server = Pages(
        page,
        failed=[run("f1", 1), run("f2", 2)],
        paused=[run("p1", 3), run("p2", 4), run("p3", 5), run("p4", 6)],
        backing_off=[run("b1", 7), run("b2", 8)],
    )
    server.failures = {"f1": "[500] database is down", "f2": "[500] bug"}
    server.failures |= {"b1": "database  is down", "b2": "DATABASE IS DOWN"}
    server.events = {
        "p1": ["a bug", "the database is down"],
        "p2": ["database is down"],
        "p3": ["database is down", ""],
    }
    kinds = ["failed", "paused", "backing_off"]
    assert chosen(server, kinds=kinds, failure_matches=r"database\s+is down$") == ("f1 p1 p2 b1", 0)
    assert chosen(server, kinds=kinds, failure_matches=r"(?i)database\s+is down", limit=2) == ("f1 p1", 3)
    assert chosen(server, kinds=["paused"], failure_matches="nowhere") == ("", 0)
    assert chosen(server, kinds=["paused"], failure_matches="^$") == ("p3 p4", 0)


def test_times_are_asked_of_the_server() -> None:
    server = Pages(PAGE)
    chosen(server, failed_before="2026-01-02T00:00:00Z", failed_after="2026-01-01T00:00:00Z")
    asked = server.asked[0]
    assert (asked.before, asked.since) == ("2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize(("name", "expected"), [(None, ["Flow", "Other"]), ("Other", ["Other"])])
def test_only_workflows_are_looked_at(name: str | None, expected: list[str]) -> None:
    server = Pages(PAGE)
    chosen(server, service_name=name)
    assert list(server.asked[0].workflows) == expected


@pytest.mark.parametrize("name", ["Plain", "Nope", "flow", ""])
def test_a_name_that_is_no_workflow_is_refused(name: str) -> None:
    server = Pages(PAGE)
    with pytest.raises(OperatorError) as raised:
        chosen(server, service_name=name)
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert server.asked == []
