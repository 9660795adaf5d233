# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guides show of outputs: how it is taken from a run, and whether it is of the form that the code gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.drain import draining
from ansible_collections.dalp.restate.plugins.module_utils._operations.journal import Journal
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.results import how_far
from ansible_collections.dalp.restate.plugins.module_utils._operations.waiting import wait_until
from ansible_collections.dalp.restate.plugins.plugin_utils.summary import lines
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock

from tests.integration.guides import GUIDES, Command, as_shown, commands, snippets, with_outputs
from tests.unit.runs import examined, release, run_of

OUTPUT = """
TASK [dalp.restate.runbook : Examine Restate before] ***************************
ok: [production]

TASK [dalp.restate.runbook : Summary] ******************************************
Release on production: dry run, nothing was changed; Restate is healthy

FOUND
  - Restate works.

WOULD BE DONE
  - cleanup: Would remove dp_166c8sXwRgJTNa3HSgEQUKt and end inv_193qodcX9tJp44poOi5MNQFkcV7ICJSpJu.

NEXT
  - do exactly this:
ansible-playbook x -e '{"restate_plan_digests": {"cleanup": "cleanup,1,0db5274da4,http://v2=keep:5cf1"}}'

RECORDED (fact restate_audit)
  - 2026-11-22T18:40:01.512Z dalp.restate.cleanup.planned

ok: [production]

TASK [dalp.restate.runbook : Keep the records] *********************************
"""

SHOWN = [
    command
    for guide in GUIDES
    for snippet in snippets(guide)
    if snippet.language == "console"
    for command in commands(snippet.text)
    if command.shown
]


# How it is taken from a run


def test_the_parts_that_are_shown_are_those_of_the_run_and_what_is_between_them_is_left_out() -> None:
    shown = "...\nRelease on production: other words\n...\nNEXT\n  - something older\n...\n"
    assert as_shown(shown, OUTPUT) == (
        "...\nRelease on production: dry run, nothing was changed; Restate is healthy\n...\nNEXT\n"
        '  - do exactly this:\nansible-playbook x -e \'{"restate_plan_digests": {"cleanup": "..."}}\'\n...\n'
    )


def test_parts_that_follow_one_another_have_a_line_between_them() -> None:
    assert as_shown("FOUND\n\nWOULD BE DONE\n", OUTPUT) == (
        "...\nFOUND\n  - Restate works.\n\nWOULD BE DONE\n  - cleanup: Would remove dp_... and end inv_....\n...\n"
    )


def test_what_is_written_once_is_written_so_again() -> None:
    once = as_shown("FOUND\nNEXT\n", OUTPUT)
    assert as_shown(once, OUTPUT) == once


def test_a_command_without_an_output_keeps_none() -> None:
    assert with_outputs("$ one \\\n    more\n$ two\n", [OUTPUT, OUTPUT]) == "$ one \\\n    more\n$ two\n"


def test_a_part_that_the_run_does_not_have_is_named() -> None:
    with pytest.raises(AssertionError, match="has no \\['DONE'\\]"):
        as_shown("DONE\n", OUTPUT)


# Of the form that the code gives


@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command.text.split(" -")[0])
def test_what_a_guide_shows_has_the_headings_of_a_summary(command: Command) -> None:
    runs = (release(), release(check=True), run_of(examined(), {}))
    headings = {text for run in runs for text, _colour in lines(run) if text.isupper()}
    shown = {line for line in command.shown.splitlines() if line.isupper()}
    assert shown
    assert shown <= headings


def test_the_progress_that_the_page_shows_is_what_tasks_tell() -> None:
    [page] = [guide for guide in GUIDES if guide.name == "in-process.md"]
    [block] = [one.text for one in snippets(page) if one.language == "text"]
    clock = FakeClock()
    wait_until(
        lambda: bool(clock.told),
        clock=clock,
        seconds=58,
        pause=1,
        progress=lambda: draining({"dp_14LsPzGz9HBxXIeBoH5wYUh": 3}),
    )
    journal = Journal()
    journal.done("recover", [f"recovered-{number}" for number in range(4_488)])
    journal.not_done(
        "recover", [f"blocked-{number}" for number in range(12)], "already_succeeded", outcome="blocked"
    )
    plan: Any = SimpleNamespace(recoveries=[SimpleNamespace(is_in_work=True)] * 10_000)
    assert block.splitlines() == [f"[staging] {line}" for line in (*clock.told, how_far(plan, journal))]
