# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that was given, as one line that can be pasted; it carries all that the operator gave."""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, field

import yaml

from ..module_utils._redact import NO_PATTERNS, Patterns, visible
from ..module_utils._task.options import AUDIT_SPEC, CONNECTION_SPEC
from .options import public_variables

REACHING: dict[str, str] = {
    "inventory": "-i",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
    "connection": "-c",
    "remote_user": "-u",
    "private_key_file": "--private-key",
    "timeout": "--timeout",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
    "sftp_extra_args": "--sftp-extra-args",
    "scp_extra_args": "--scp-extra-args",
    "ask_pass": "--ask-pass",
    "connection_password_file": "--connection-password-file",
    "ask_vault_pass": "--ask-vault-pass",
    "become": "--become",
    "become_method": "--become-method",
    "become_user": "--become-user",
    "become_ask_pass": "--ask-become-pass",
    "become_password_file": "--become-password-file",
    "module_path": "-M",
    "forks": "--forks",
}
"""What decides how a host is reached, by Ansible's name for it; every printed command carries it."""

SELECTING: dict[str, str] = {
    "tags": "--tags",
    "skip_tags": "--skip-tags",
    "start_at_task": "--start-at-task",
    "step": "--step",
    "force_handlers": "--force-handlers",
    "flush_cache": "--flush-cache",
}
"""What decides which tasks of the playbook run, and how; only a command that runs the same playbook carries it."""

_DEFAULTS = {"connection": "ssh", "become_method": "sudo", "forks": 5, "tags": ("all",)}
"""Ansible's own defaults, which no command needs."""
_JOINED = {"tags": ",", "skip_tags": ",", "module_path": ":"}
"""Lists that are one word. Ansible keeps tags without an order."""
_YOURS = "<yours>"
_PLAN_DIGESTS = "restate_plan_digests"
_ANSIBLES = {"ansible_connection", "ansible_python_interpreter", "dalp_restate_in_process"}
# As far as it may reach: a password may have a slash, a comma or an @ in it.
_USERINFO = re.compile(r"(?<=://)\S*@")
# A proxy command of ssh takes a password as a word of its own.
_PASSWORD_WORD = re.compile(r"(\bsshpass\s+-p|--proxy-auth)[\s=]*[^\s'\"]+")
_WHERE = {
    *(f"restate_{name}" for name in (*CONNECTION_SPEC, *AUDIT_SPEC, "hosts")),
    *_ANSIBLES,
}
MODULE = re.compile(r"(?:(?<=[Rr]un )|(?<=\())restate_(doctor|redeploy|cleanup|resume|recover_workflow)\b")
"""A module that a remedy says to run."""
_RUNBOOK = re.compile(rf"ansible-playbook dalp\.restate\.(\w+)|{MODULE.pattern}")


@dataclass(frozen=True)
class Command:
    """What Ansible was called to do, on one host.

    O(arguments) are Ansible's parsed ones. What one of the patterns O(hidden) matches is not shown, nor is the value of
    a variable that may be secret: one of an option that is not logged, or one that is not ours. `stated` are variables
    that a rerun names even if the run was given none: what it destroys must not depend on a default.
    """

    arguments: t.Mapping[str, t.Any]
    host: str
    hidden: Patterns = NO_PATTERNS
    stated: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def holds_plans(self) -> bool:
        """Whether what comes next is held to the plans of this run."""
        return True

    def for_real(self, plan_digests: t.Mapping[str, str] | None = None) -> str:
        """Return what does it for real, and nothing but the plans of these digests."""
        plans = ["-e", json.dumps({_PLAN_DIGESTS: dict(plan_digests)})] if plan_digests else []
        return self._words([], [*self._given(without=_PLAN_DIGESTS), *plans])

    def again(self) -> str:
        """Return what does the same once more."""
        return self._words(["--check"] if self.arguments.get("check") else [], self._given())

    def dry_run(self) -> str:
        """Return what tells anew what would be done."""
        return self._words(["--check"], self._given(without=_PLAN_DIGESTS))

    def _words(self, flags: list[str], given: list[str]) -> str:
        words = ["ansible-playbook", *(self.arguments.get("args") or ()), *flags, *self._where()]
        words += [*self._options(SELECTING), *given]
        named = {name for each in self.arguments.get("extra_vars") or () for name in _names(each)}
        for name, value in self.stated.items():
            words += [] if name in named else ["-e", f"{name}={value}"]
        return _typed([*words, *(["--diff"] if self.arguments.get("diff") else [])])

    def completed(self, text: str) -> str:
        """Return a text whose commands go where this one went; what they do, they say themselves."""
        where = _typed([*self._where(), *self._given(of_connection=True)])
        return _RUNBOOK.sub(
            lambda found: f"ansible-playbook dalp.restate.{found[1] or found[2]} {where}", text
        )

    def _where(self) -> list[str]:
        return [*self._options(REACHING), "--limit", self.host]

    def _options(self, options: t.Mapping[str, str]) -> list[str]:
        """Return those of these options that the run was given, without secrets."""
        words = []
        for name, option in options.items():
            value = self.arguments.get(name)
            if isinstance(value, (list, tuple)):
                value = _joined(name, value)
            if not value or value == _DEFAULTS.get(name):
                continue
            if value is True:
                words.append(option)
                continue
            for each in value if isinstance(value, tuple) else (value,):
                text = self._hidden_in(str(each))
                # What begins with a dash would be taken for an option of Ansible's.
                words += [f"{option}={text}"] if text.startswith("-") else [option, text]
        return words

    def _given(self, *, of_connection: bool = False, without: str = "") -> list[str]:
        words = []
        for given in self.arguments.get("extra_vars") or ():
            shown = given
            if not given.startswith("@"):
                shown = self._shown(given, of_connection=of_connection, without=without)
            words += ["-e", shown] if shown else []
        return words

    def _shown(self, given: str, *, of_connection: bool, without: str) -> str:
        """Return extra variables, or those alone by which Restate is reached and recorded."""
        is_json = given.lstrip().startswith("{")
        pairs = yaml.safe_load(given) if is_json else _pairs(given)
        kept = {
            name: self._without_secrets(name, value, is_json=is_json)
            for name, value in pairs.items()
            if name != without and (not of_connection or name in _WHERE)
        }
        if not kept:
            return ""
        if kept == pairs:
            # Ansible and a shell take quotes apart in different ways.
            return given
        if is_json:
            return json.dumps(kept)
        return " ".join(f"{name}={_quoted(value)}" for name, value in kept.items())

    def _without_secrets(self, name: str, value: t.Any, *, is_json: bool) -> t.Any:
        if name not in public_variables() | _ANSIBLES:
            return _YOURS
        text = json.dumps(value) if is_json else value
        shown = self._hidden_in(text)
        if shown == text:
            return value
        return _YOURS if is_json else shown

    def _hidden_in(self, text: str) -> str:
        shown = _PASSWORD_WORD.sub(rf"\1 {_YOURS}", _USERINFO.sub(f"{_YOURS}@", text))
        return self.hidden.replaced(shown, _YOURS)


def _typed(words: t.Iterable[str]) -> str:
    """Return words as a shell takes them, in one line: what is invisible is an escape, in quotes that know it."""
    return " ".join(shlex.quote(word) if word.isprintable() else _escaped(word) for word in words)


def _escaped(word: str) -> str:
    text = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{visible(text)}'"


def _joined(name: str, values: t.Sequence[str]) -> str | tuple[str, ...]:
    """Return the values as one word where the option takes one, and else as they are; Ansible's default as it is."""
    if name not in _JOINED or tuple(values) == _DEFAULTS.get(name):
        return tuple(values)
    return _JOINED[name].join(values if name == "module_path" else sorted(values))


def _names(given: str) -> t.Collection[str]:
    """Return the variables that an `-e` names itself."""
    if given.startswith("@"):
        return ()
    return (yaml.safe_load(given) if given.lstrip().startswith("{") else _pairs(given)).keys()


def _pairs(given: str) -> dict[str, str]:
    try:
        return dict(word.split("=", 1) for word in shlex.split(given) if "=" in word)
    except ValueError:
        # What cannot be taken apart may hold a secret.
        return {}


def _quoted(value: str) -> str:
    """Return a value as it stands among others: what has spaces is quoted for Ansible."""
    return shlex.quote(value) if " " in value else value
