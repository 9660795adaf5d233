# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A printed command runs what was run: it carries every option of ansible-playbook that decides that."""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._redact import Patterns
from ansible_collections.dalp.restate.plugins.plugin_utils.command_line import REACHING, SELECTING, Command

OF_THE_COMMAND = {"args", "extra_vars", "subset", "check", "diff"}
RUNS_NO_TASK = {"help", "version", "listhosts", "listtasks", "listtags", "syntax"}
CHANGES_ONLY_THE_OUTPUT = {"verbosity"}

GIVEN = (
    "-i hosts.yml -c ssh -u ops --private-key /k -T 30 --ssh-common-args=-4 --ssh-extra-args=-A --sftp-extra-args=-l "
    "--scp-extra-args=-3 -k -b --become-method doas --become-user restate -K -M /modules:/more -f 20 --vault-id "
    "ops@prompt --skip-tags cleanup,slow -t redeploy --step --start-at-task Register --force-handlers --flush-cache "
    "-C -D"
)


# In a process of its own: what Ansible's command line imports makes a controller of the process.
PARSER = """
import json, sys
from ansible.cli.playbook import PlaybookCLI
cli = PlaybookCLI(["ansible-playbook", *sys.argv[1:]])
cli.init_parser()
given = vars(cli.post_process_args(cli.parser.parse_args(cli.args[1:])))
print(json.dumps([given, [action.dest for action in cli.parser._actions]]))
"""


@functools.cache
def answered(*words: str) -> tuple[dict[str, Any], set[str]]:
    """Return what Ansible makes of a command line, and the names of all its options."""
    command = [sys.executable, "-c", PARSER, "dalp.restate.release", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    given, known = json.loads(ran.stdout)
    return given, set(known)


def parsed(*words: str) -> dict[str, Any]:
    """Return what Ansible makes of a command line, as it is when a task runs."""
    given = answered(*words)[0]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def test_every_option_of_ansible_is_carried_or_needs_not_be() -> None:
    known = answered("-i", "localhost,")[1]
    assert known == {*REACHING, *SELECTING, *OF_THE_COMMAND, *RUNS_NO_TASK, *CHANGES_ONLY_THE_OUTPUT}


def test_a_rerun_carries_all_that_was_given() -> None:
    given = parsed(*shlex.split(GIVEN))
    again = shlex.split(Command(given, "staging").again())
    reparsed = parsed(*again[2:])
    differing = {name for name in given if _plain(given[name]) != _plain(reparsed[name])}
    assert differing == {"subset"}
    assert reparsed["subset"] == "staging"


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (list, tuple)) else value


def test_what_is_done_for_real_is_of_the_same_tasks() -> None:
    words = shlex.split(
        Command(parsed("--check", "--tags", "redeploy", "--tags", "a"), "h").for_real({"redeploy": "d"})
    )
    assert words[words.index("--tags") + 1] == "a,redeploy"
    assert "--check" not in words


def test_what_was_not_given_is_not_carried() -> None:
    words = shlex.split(Command(parsed("-i", "localhost,"), "h").again())
    assert words == ["ansible-playbook", "dalp.restate.release", "-i", "localhost,", "--limit", "h"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("restate_service_url=http://h", 1),
        ("restate_remove=all", 1),
        ('{"restate_remove": "all"}', 1),
        ("@file.yml", 1),
    ],
)
def test_a_rerun_names_what_the_cleanup_removes_once(given: str, names: int) -> None:
    command = Command(parsed("-e", given), "h", stated={"restate_remove": "replaced"})
    for shown in (command.again(), command.for_real(), command.dry_run()):
        assert shown.count("restate_remove") == names


def test_another_runbook_is_reached_as_this_one_and_runs_whole() -> None:
    command = Command(parsed(*shlex.split(GIVEN)), "h")
    words = [
        word.partition("=")[0]
        for word in shlex.split(command.completed("ansible-playbook dalp.restate.doctor"))
    ]
    assert {"--ask-become-pass", "--become-user", "--ssh-common-args", "-M", "--forks"} <= set(words)
    assert not {*SELECTING.values(), "--check", "--diff"} & set(words)


@pytest.mark.parametrize("given", [
    """--ssh-common-args=-o ProxyCommand="sshpass -p hush ssh -W %h:%p bastion" """,
    "--ssh-extra-args=-o ProxyCommand='nc --proxy-auth ops:hush -x p %h %p'",
    "--ssh-common-args=-o ProxyCommand='connect http://ops:hush@proxy %h %p'",
    "--sftp-extra-args=card 4711-0815",
])  # fmt: skip
def test_no_secret_shows_in_the_options_that_are_carried(given: str) -> None:
    name, _, value = given.removeprefix("--").partition("=")
    command = Command(
        {"args": ("x",), name.replace("-", "_"): value}, "h", Patterns([re.compile(r"\d{4}-\d{4}")])
    )
    for text in (command.again(), command.completed("Run restate_doctor")):
        assert "<yours>" in text
        assert "hush" not in text
        assert "4711" not in text


@pytest.mark.parametrize(
    "value", ["a\n  NEXT\nb", "\x1b[31mred", "it's \\ a\ttab", "\u202eturned", "plain 'one'"]
)
def test_a_command_is_one_visible_line_and_a_shell_reads_the_same_of_it(value: str) -> None:
    command = Command(
        {"args": ("x",), "extra_vars": (json.dumps({"restate_reason": value}), f"restate_actor={value}")},
        value,
    )
    typed = command.again()
    assert typed.isprintable()
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {typed}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    words = said.stdout.decode().split("\0")[:-1]
    assert words[words.index("--limit") + 1] == value
    assert json.loads(words[words.index("-e") + 1]) == {"restate_reason": value}
