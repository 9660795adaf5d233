# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Restate's SQL is asked: values cannot become SQL, and versions differ only where they must."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._restate.literals import in_list, literal
from ansible_collections.dalp.restate.plugins.module_utils._restate.questions import Questions
from ansible_collections.dalp.restate.plugins.module_utils._restate.state_version import state_version
from ansible_collections.dalp.restate.plugins.module_utils._restate.troubled_runs import Page

OLD, NEW = Questions(has_scopes=False), Questions(has_scopes=True)

HOSTILE = [
    "it's",
    "''",
    "'",
    "\\'",
    "x' OR '1'='1",
    "x'; DROP TABLE state; --",
    "/* */ --",
    "100%_\\",
    'double "quotes"',
    "鍵\n\t\0",
    "",
]

# Every question, with arguments that tests can recognise.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "clock": {},
    "invocations_by_place": {},
    "invoked_by_activity": {"retries": 7},
    "latest_terminal_failures": {"limit": 7},
    "latest_unsettled": {"limit": 7},
    "failures": {"ids": ["TEXT", "TEXT"]},
    "last_events": {"ids": ["TEXT"]},
    "zombies": {"limit": 7},
    "pending": {},
    "pinned_kinds": {"deployment_id": "TEXT"},
    "unfinished_on": {"deployment_id": "TEXT", "services": ["TEXT"], "handlers": [("TEXT", "TEXT")]},
    "invocations": {"ids": ["TEXT", "TEXT"]},
    "held_by_invoker": {"ids": ["TEXT"]},
    "children": {"ids": ["TEXT"]},
    "callers": {"ids": ["TEXT"]},
    "cancelled": {"ids": ["TEXT"]},
    "one_way_calls": {"ids": ["TEXT"]},
    "attachments": {},
    "invocations_of_keys": {"service": "TEXT", "keys": ["TEXT", "TEXT"]},
    "state_of_keys": {"service": "TEXT", "keys": ["TEXT"]},
    "state_values": {"service": "TEXT", "keys": ["TEXT"]},
    "promise_values": {"service": "TEXT", "keys": ["TEXT", "TEXT"]},
    "status_of": {"ids": ["TEXT"]},
    "inputs": {"ids": ["TEXT", "TEXT"]},
    "troubled_runs": {
        "kind": "failed",
        "workflows": {"TEXT": ["TEXT", "TEXT"]},
        "before": "TEXT",
        "since": "TEXT",
        "after": ("TEXT", "TEXT"),
        "limit": 7,
        "matches": "TEXT",
    },
    "pattern_check": {"pattern": "TEXT"},
    "events_match": {"ids": ["TEXT"], "pattern": "TEXT"},
    "attempts": {},
    "promises_of_keys": {"service": "TEXT", "keys": ["TEXT"]},
    "some_invocations": {"limit": 7},
    "any_of_service": {"service": "TEXT"},
    "any_state_of_service": {"service": "TEXT"},
}
OF_KEYS = ["invocations_of_keys", "state_of_keys", "state_values", "promises_of_keys", "promise_values"]


def asked(questions: Questions, question: str, text: str = "TEXT") -> str:
    arguments = {name: with_text(value, text) for name, value in ARGUMENTS[question].items()}
    if question == "troubled_runs":
        arguments = {"page": Page(**arguments)}
    sql: str = getattr(questions, question)(**arguments).sql
    return sql


def with_text(value: Any, text: str) -> Any:
    """Put a text wherever an argument says TEXT."""
    if isinstance(value, dict):
        return {with_text(key, text): with_text(one, text) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(with_text(one, text) for one in value)
    return text if value == "TEXT" else value


def tokens(sql: str) -> list[str]:
    """Split SQL as a parser does: a literal ends at the first quote that is not doubled."""
    return re.findall(r"'(?:[^']|'')*'|[^']+|'", sql)


def test_every_question_is_tested_here() -> None:
    assert ARGUMENTS.keys() == {
        name
        for name, _member in inspect.getmembers(Questions, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("value", HOSTILE)
def test_a_literal_is_one_literal_and_holds_the_value(value: str) -> None:
    text = literal(value)
    assert tokens(text) == [text]
    assert text[1:-1].replace("''", "'") == value


def test_a_list_is_of_literals() -> None:
    assert in_list(["a", "b'c"]) == "('a', 'b''c')"


@pytest.mark.parametrize("questions", [OLD, NEW], ids=["before 1.7", "from 1.7"])
@pytest.mark.parametrize("question", ARGUMENTS)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_never_becomes_sql(questions: Questions, question: str, value: str) -> None:
    plain, hostile = tokens(asked(questions, question)), tokens(asked(questions, question, value))
    assert len(hostile) == len(plain)
    for was, token in zip(plain, hostile, strict=True):
        assert token == (literal(value) if was == "'TEXT'" else was)


ABOUT_SCOPES = ("invocations_by_place", "failures")


def without_columns_of_scopes(sql: str) -> str:
    for column in (", scope IS NOT NULL AS is_scoped", ", scope IS NOT NULL", "scope, "):
        sql = sql.replace(column, "", 1)
    return sql


@pytest.mark.parametrize("question", ARGUMENTS)
def test_versions_differ_only_where_scopes_matter(question: str) -> None:
    old, new = asked(OLD, question), asked(NEW, question)
    if question in OF_KEYS:
        # Without the scope a server from 1.7 on reads the whole table.
        assert new == old.replace("WHERE ", "WHERE scope IS NULL AND ", 1)
        assert "WHERE scope IS NULL AND " in new
    elif question == "troubled_runs":
        # Scoped instances are left alone.
        assert new.replace(" AND scope IS NULL", "", 1) == old
        assert "scope IS NULL" in new
    elif question in ABOUT_SCOPES:
        assert without_columns_of_scopes(new) == old
    else:
        assert new == old
    assert "scope" not in old


@pytest.mark.parametrize("questions", [OLD, NEW], ids=["before 1.7", "from 1.7"])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_look_at_all_invocations_asks_for_the_same_ones(questions: Questions, value: str) -> None:
    by_key, by_scan = (
        questions.invocations_of_keys(value, [value], by_scan=by_scan).sql for by_scan in (False, True)
    )
    assert by_scan == by_key.replace("target_service_key IN", "target_service_key || '' IN", 1) != by_key


@pytest.mark.parametrize("question", ["pending", "unfinished_on", "zombies", "children"])
def test_completed_invocations_never_count_as_pending(question: str) -> None:
    # From 1.5 on they keep their pin.
    assert "status != 'completed'" in asked(NEW, question)


def test_unpinned_work_is_listed_if_it_is_attempted_there_or_of_a_service_or_handler() -> None:
    attempted = (
        "(pinned_deployment_id IS NULL AND ((status = 'running' AND last_attempt_deployment_id = 'dp_1')"
    )
    assert f"{attempted}))" in NEW.unfinished_on("dp_1", []).sql
    assert f"{attempted} OR target_service_name IN ('A')" in NEW.unfinished_on("dp_1", ["A"]).sql
    assert (
        "OR (target_service_name = 'A' AND target_handler_name = 'run')"
        in NEW.unfinished_on("dp_1", [], [("A", "run")]).sql
    )
    # The alternative must not escape from the condition that it is unfinished.
    assert re.search(
        r"WHERE status != 'completed' AND \(.* OR .*\) ORDER", NEW.unfinished_on("dp_1", ["A"]).sql
    )


@pytest.mark.parametrize("question", ["latest_terminal_failures", "latest_unsettled", "zombies"])
def test_a_sample_is_limited(question: str) -> None:
    assert asked(NEW, question).endswith("LIMIT 7")


# Runs in trouble

KINDS = {
    "failed": ("sys_invocation_status", "completed_at", "completion_failure"),
    "paused": ("sys_invocation_status", "modified_at", None),
    "backing_off": ("sys_invocation", "last_start_at", "last_failure"),
}


def in_trouble(kind: str = "failed", **asked: Any) -> str:
    arguments: dict[str, Any] = {
        "workflows": {"Flow": ["run"]},
        "before": None,
        "since": None,
        "after": None,
        "limit": 10,
    }
    return NEW.troubled_runs(Page(kind=kind, **{**arguments, **asked})).sql


@pytest.mark.parametrize("kind", KINDS)
def test_runs_come_oldest_first_by_when_they_failed(kind: str) -> None:
    table, instant, _failure = KINDS[kind]
    assert re.fullmatch(
        rf"SELECT id, target_service_name, target_service_key, {instant} AS failed_at FROM {table} "
        rf"WHERE .* ORDER BY {instant}, id LIMIT 10",
        in_trouble(kind),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_server_matches_failures_of_kinds_whose_table_has_them(kind: str) -> None:
    _table, _instant, failure = KINDS[kind]
    assert "regexp_like" not in in_trouble(kind)
    condition = f" AND regexp_like(COALESCE({failure}, ''), 'it''s \\s+') ORDER BY"
    assert (condition in in_trouble(kind, matches=r"it's \s+")) == (failure is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_times_bound_a_kind_by_its_own_instant(kind: str) -> None:
    _table, instant, _failure = KINDS[kind]
    sql = in_trouble(kind, before="B", since="S", after=("A", "inv_9"))
    assert f" AND {instant} < TIMESTAMP 'B' AND {instant} >= TIMESTAMP 'S' AND " in sql
    assert f"({instant} > TIMESTAMP 'A' OR ({instant} = TIMESTAMP 'A' AND id > 'inv_9'))" in sql


def test_only_run_handlers_are_selected_and_the_alternatives_cannot_escape() -> None:
    sql = in_trouble(workflows={"B": ["run"], "A": ["go", "start"]})
    assert (
        "AND ((target_service_name = 'A' AND target_handler_name IN ('go', 'start')) OR "
        "(target_service_name = 'B' AND target_handler_name IN ('run'))) AND"
    ) in sql


# The version of a state


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param({"name": b"bob"}, "tDqA04Lj3_qJ-PgNPTecXDGZgpwy6jm2Ni2BYqJIthM", id="one entry"),
        pytest.param({}, "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", id="no entry"),
        # with which 1.5.3 and 1.7.12 cleared this state
        pytest.param(
            {"\uffff": b"1", "a": b"xyz", "\U0001f600": b"2", "b": b""},
            "pjdzt_CctSMRrlfQDExV_ekFsdH3RsyYdAW3IhL7QxE",
            id="several, one empty, sorted by their bytes",
        ),
    ],
)
def test_a_states_version_is_restates_own(entries: dict[str, bytes], expected: str) -> None:
    assert state_version(entries) == expected


def test_the_order_of_entries_makes_no_difference_and_their_place_does() -> None:
    assert state_version({"a": b"1", "b": b"2"}) == state_version({"b": b"2", "a": b"1"})
    assert (
        len({state_version(one) for one in ({"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}, {"a": b"1"})})
        == 3
    )
