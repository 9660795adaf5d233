# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restate matches `failure_matches` itself, in Rust's syntax and in linear time."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.server import Server
from tests.integration.versions import on, on_all_versions

KINDS = {"failed": "recover_workflow", "paused": "resume", "backing_off": "resume"}


def matching(server: Server, kind: str, pattern: str) -> Any:
    select = {"limit": 10, "kinds": [kind], "failure_matches": pattern}
    return server.task(KINDS[kind], check=True, select=select, skip_blocked=True)


def one_of_each_kind(server: Server) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    server.order("again", "retry")
    server.payment("stopped")


@on_all_versions
def test_server_matches_the_failures_of_each_kind(server: Server) -> None:
    one_of_each_kind(server)

    for kind, pattern, number in (
        ("failed", "refused the c.rd$", 1),
        ("failed", r"\p{Lowercase}+ the (?i)CARD", 1),
        ("failed", "^refused", 0),
        ("failed", "it's \\' not", 0),
        ("paused", r"bank gateway timed out'\)$", 1),
        ("paused", r"^RuntimeError\(", 1),
        ("paused", "bank gateway timed in", 0),
        ("backing_off", "database is (?:down|up)", 1),
        ("backing_off", "database was down", 0),
    ):
        result = matching(server, kind, pattern)
        assert not result["failed"], result["msg"]
        assert len(result["results"]) == number, (kind, pattern)


@on_all_versions
def test_expressions_that_are_none_are_refused_before_anything_is_written(server: Server) -> None:
    one_of_each_kind(server)
    before = server.snapshot()

    for pattern in (
        "(",
        "*",
        "[a",
        "a{1,99999999999}",
        "a{1000}{1000}{1000}",
        "(?=a)",
        r"(a)\1",
        "(?P<n>a)(?P<n>b)",
    ):
        select = {"limit": 10, "failure_matches": pattern}
        started = time.monotonic()
        result = server.task("recover_workflow", select=select)
        assert time.monotonic() - started < 10, pattern
        assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT", (pattern, result["msg"])
        assert result["msg"].startswith("select.failure_matches is no regular expression: "), pattern
        assert "syntax of Rust" in result["error"]["remedy"]
    assert server.snapshot() == before


@on_all_versions
def test_expressions_that_backtrack_are_answered_at_once(server: Server) -> None:
    one_of_each_kind(server)

    for kind in KINDS:
        for pattern in ("([a-z ]+)+!$", "(a+)+$", "([a-z ]|[a-z ])*!$"):
            started = time.monotonic()
            result = matching(server, kind, pattern)
            assert not result["failed"], result["msg"]
            assert result["results"] == []
            assert time.monotonic() - started < 10, (kind, pattern)


@on("1.7.12", "1.5.3")
def test_odd_characters_in_an_expression_match_nothing_or_are_refused(server: Server) -> None:
    one_of_each_kind(server)

    for pattern in ("\0", "\u202e", "\x1b["):
        result = matching(server, "failed", pattern)
        if result["failed"]:
            assert result["error"]["code"] == "RESTATE_INVALID_ARGUMENT"
        else:
            assert result["results"] == []
