# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a run: what it says, in whatever is written by others, and how large it may be."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.plugin_utils.report.html import as_html
from ansible_collections.dalp.restate.plugins.plugin_utils.report.markdown import as_markdown
from ansible_collections.dalp.restate.plugins.plugin_utils.report.of_run import page_of_run
from ansible_collections.dalp.restate.plugins.plugin_utils.summary import Run

from tests.unit.runs import (
    OLD,
    OLD_URL,
    deployment,
    examined,
    finding,
    key,
    release,
    result,
    run_of,
)
from tests.unit.seen_page import SeenPage

HOSTILE = (
    "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x"
    "]]>{{ 7 * 191 }}{% raw %} | `x` [a](http://b) **c** </style></svg> \u202e\u2066evil\x1b[31m\x00"
)
SHOWN = HOSTILE.translate({0x202E: "\\u202e", 0x2066: "\\u2066", 0x1B: "\\u001b", 0: "\\u0000"})
LIMIT = 300_000


def html_of(run: Run) -> str:
    return as_html(page_of_run(run))


def seen(run: Run) -> SeenPage:
    return SeenPage(html_of(run))


def rows(run: Run, caption: str) -> list[list[str]]:
    """Return the cells of a table, from the Markdown."""
    text = as_markdown(page_of_run(run)).partition(f"{caption}:\n\n")[2].partition("\n\n")[0]
    lines = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in text.splitlines()[2:]]
    return [[cell.replace("\\", "") for cell in line] for line in lines]


def hostile(value: Any) -> Any:
    """Return a result in which all that others may have written is hostile."""
    names = (
        "msg",
        "failure",
        "message",
        "service_url",
        "service_key",
        "name",
        "remedy",
        "reason",
        "subject",
        "actor",
    )
    if isinstance(value, dict):
        return {
            name: HOSTILE if name in names and isinstance(each, str) else hostile(each)
            for name, each in value.items()
        }
    return [hostile(each) for each in value] if isinstance(value, list) else value


def hostile_run() -> Run:
    recovered = result(
        "recover_workflow",
        results=[key("k", failure="x")],
        warnings=[HOSTILE],
        reason="x",
        migrated=[HOSTILE],
        failed=True,
        error={"remedy": "x"},
    )
    recovered["audit"]["data"] |= {"reason": "x", "context": {HOSTILE: HOSTILE}, "arguments": {"a": HOSTILE}}
    before = examined(deployment(OLD, OLD_URL, 1), findings=[finding("CODE", message="x")])
    before["admin"] = {"status": "degraded", "error": {"message": "x"}}
    return run_of(hostile(before), hostile(before), recover_workflow=hostile(recovered))


def test_nothing_that_others_wrote_acts_or_hides() -> None:
    # What is looked for below would be found.
    assert {"script", "img", "onerror"} <= SeenPage(HOSTILE).foreign

    text = html_of(hostile_run())

    page = SeenPage(text)
    assert page.foreign == set()
    assert page.text.count(SHOWN) >= 12
    assert "1337" not in page.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", text)


def test_nothing_that_others_wrote_is_markup_in_markdown() -> None:
    text = as_markdown(page_of_run(hostile_run()))
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<" not in outside
    assert not re.search(r"(?<!\\)[`*_\[\]]", outside.replace(f"**{outside.splitlines()[2][2:-2]}**", ""))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", text)
    for table in re.findall(r"(?:^\|.*\n)+", outside, flags=re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize("failure", ["refused", "<" * 10_000, "\u202e" * 10_000, "é" * 10_000])
def test_a_thousand_keys_make_no_page_that_nobody_can_mail(failure: str) -> None:
    keys = [key(f"order-{number}" + "<" * 200, failure=f"{number} {failure}") for number in range(1_000)]
    recovered = result("recover_workflow", results=keys)
    recovered["audit"]["data"]["arguments"] = {
        "workflows": [{"service_key": each["service_key"]} for each in keys]
    }
    page = page_of_run(run_of(examined(), examined(), recover_workflow=recovered))
    text = as_html(page)
    assert len(text.encode()) < LIMIT
    assert len(as_markdown(page).encode()) < LIMIT
    assert all(f"OrderWorkflow/order-{number}&lt;" in text for number in range(1_000))


def test_many_thousand_keys_are_no_larger_and_what_needs_a_person_is_among_the_first() -> None:
    keys = [key(f"k-{number}") for number in range(9_999)] + [
        key("bad", "blocked", reason="active_invocation")
    ]
    run = run_of(examined(), examined(), recover_workflow=result("recover_workflow", results=keys))
    assert len(html_of(run).encode()) < LIMIT
    assert rows(run, "recover\\_workflow: each key")[0][:2] == ["OrderWorkflow/bad", "blocked"]
    assert "9,000 more keys ended as the last ones here" in seen(run).text


def test_a_long_failure_is_cut_with_what_is_left_out() -> None:
    recovered = result("recover_workflow", results=[key("k", failure="x" * 10_000)])
    text = seen(run_of(examined(), examined(), recover_workflow=recovered)).text
    assert re.search(r"x{3000}x*… \(6,\d{3} more characters\)", text)


def test_a_page_can_be_read_by_a_screen_reader_and_needs_nothing_else() -> None:
    text = html_of(release())
    page = SeenPage(text)
    headings = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(headings))
    assert page.values("lang") == ["en"]
    assert page.tags.count("table") == page.tags.count("caption") > 3
    assert set(page.values("scope")) == {"row", "col"}
    assert page.tags.count("th") == len(page.values("scope"))
    assert page.tags.count("svg") == page.tags.count("desc") == 1
    assert len(page.values("id")) == len(set(page.values("id")))
    assert {link.removeprefix("#") for link in page.values("href")} <= set(page.values("id"))
    assert not re.search(r"url\(|@import|src=|http-equiv=\"refresh|<script|<link", text)
    assert "default-src 'none'" in text


def test_a_dry_run_shows_what_would_become_of_each_write_and_does_not_examine_again() -> None:
    run = release(check=True)
    assert rows(run, "Writes, in their order") == [["register http://orders-v2:9080/", "would be done"]]
    text = seen(run).text
    assert "would be done if it drains in time" in text
    assert "not examined again: a dry run changes nothing" in text
    assert "would be registered" in text


@pytest.mark.parametrize(("of_cleanup", "became"), [
    ({}, "done"),
    ({"removed": [], "remaining": [{"deployment_id": OLD, "reason": "drain_timeout"}], "failed": True},
     "stays: drain_timeout"),
    ({"removed": [], "already_gone": [OLD]}, "somebody else had removed it"),
    ({"removed": [], "failed": True}, "not done"),
])  # fmt: skip
def test_a_real_run_shows_what_became_of_each_write_that_was_planned(
    of_cleanup: dict[str, Any], became: str
) -> None:
    text = as_markdown(page_of_run(release(**of_cleanup))).replace("\\", "")
    [write] = [line for line in text.splitlines() if line.startswith("| remove once drained")]
    assert write == f"| remove once drained {OLD_URL} {OLD} (3 pending) | {became} |"


def test_after_a_failure_each_write_is_done_or_not_or_unknown() -> None:
    steps = [{"action": "purge", "invocation_id": f"inv_{number}"} for number in range(3)]
    failed = result(
        "recover_workflow", steps=steps, done=steps[:1], unknown=steps[1:2], not_done=steps[2:], failed=True
    )
    told = rows(run_of(examined(), {}, recover_workflow=failed), "Writes, in their order")
    assert [became for _write, became in told] == ["done", "unknown: no answer tells", "not done"]


def test_a_step_that_was_not_tried_says_why() -> None:
    failed = result("redeploy", failed=True, msg="No.", error={"remedy": "Look."})
    text = seen(run_of(examined(), {}, check={}, redeploy=failed, cleanup={})).text
    assert "Not tried, since redeploy failed." in text
    assert "redeploy: No." in text


def test_the_health_after_says_what_is_gone_and_what_is_new() -> None:
    before = examined(findings=[finding("GONE"), finding("STAYS", message="2 of it.")])
    after = examined(findings=[finding("STAYS", message="1 of it."), finding("NEW", "critical")])
    assert rows(run_of(before, after, cleanup=result()), "Findings") == [
        ["GONE", "warning: It is so.", "gone"],
        ["STAYS", "warning: 2 of it.", "warning: 1 of it."],
        ["NEW", "not there", "critical: It is so."],
    ]


def test_a_key_shows_how_it_had_failed_from_its_result_or_from_the_examination() -> None:
    told = {"id": "inv_9", "service_name": "OrderWorkflow", "service_key": "b", "failure": "the bank is down"}
    seen_failing = {"recent_failures": [told]}
    recovered = result("recover_workflow", results=[key("a", failure="card refused"), key("b", "blocked")])
    run = run_of(examined(invocations=seen_failing), {}, recover_workflow=recovered)
    assert [[line[0], line[3]] for line in rows(run, "recover\\_workflow: each key")] == [
        ["OrderWorkflow/b", "the bank is down"],
        ["OrderWorkflow/a", "card refused"],
    ]


def test_many_keys_are_counted_by_what_they_have_in_common() -> None:
    keys = [key(str(number), failure=f"kind {number % 2}") for number in range(30)]
    run = run_of(examined(), {}, recover_workflow=result("recover_workflow", results=keys))
    alike = rows(run, "recover\\_workflow: keys that are alike")
    assert [[line[0], line[3]] for line in alike] == [["15", "kind 0"], ["15", "kind 1"]]


def test_the_records_say_in_words_what_their_fingerprints_mean() -> None:
    same = result("redeploy")
    same["audit"]["data"]["after_digest"] = same["audit"]["data"]["before_digest"]
    told = rows(run_of(examined(), {}, redeploy=same, cleanup=result()), "Audit records of this run")
    assert [line[-1] for line in told] == ["only read", "the same", "differ"]
    assert told[0][0] == "2026-11-22 18:40:01 UTC"


def test_a_run_of_which_nothing_is_known_has_a_page_too() -> None:
    text = seen(run_of({}, {}, cleanup={"failed": True, "msg": "RESTATE_INVALID_ARGUMENT: no."})).text
    assert "Restate was not examined" in text
    assert "Nothing was recorded." in text
