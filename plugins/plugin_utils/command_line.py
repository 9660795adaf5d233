# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that was given, as one line that can be pasted; it carries all that the operator gave."""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass

import yaml

from ..module_utils._task.options import AUDIT_SPEC, CONNECTION_SPEC
from .options import public_variables

_REPEATED = (
    ("inventory", "-i"),
    ("vault_ids", "--vault-id"),
    ("vault_password_files", "--vault-password-file"),
)
_SINGLE = (("connection", "-c"), ("remote_user", "-u"), ("private_key_file", "--private-key"))
_DEFAULT_CONNECTION = "ssh"
_FLAGS = (("ask_vault_pass", "--ask-vault-pass"), ("become", "--become"))
_YOURS = "<yours>"
_PLAN_DIGESTS = "restate_plan_digests"
_ANSIBLES = {"ansible_connection", "ansible_python_interpreter"}
# As far as it may reach: a password may have a slash, a comma or an @ in it.
_USERINFO = re.compile(r"(?<=://)\S*@")
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

    O(arguments) are Ansible's parsed ones. What a pattern of O(hidden) matches is not shown, nor is the value of a
    variable that may be secret: one of an option that is not logged, or one that is not ours.
    """

    arguments: t.Mapping[str, t.Any]
    host: str
    hidden: tuple[re.Pattern[str], ...] = ()

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
        words = ["ansible-playbook", *(self.arguments.get("args") or ()), *flags, *self._where(), *given]
        return shlex.join([*words, *(["--diff"] if self.arguments.get("diff") else [])])

    def completed(self, text: str) -> str:
        """Return a text whose commands go where this one went; what they do, they say themselves."""
        where = shlex.join([*self._where(), *self._given(of_connection=True)])
        return _RUNBOOK.sub(
            lambda found: f"ansible-playbook dalp.restate.{found[1] or found[2]} {where}", text
        )

    def _where(self) -> list[str]:
        words = []
        for name, option in _REPEATED:
            for value in self.arguments.get(name) or ():
                words += [option, value]
        for name, option in _SINGLE:
            value = self.arguments.get(name)
            words += [option, value] if value and value != _DEFAULT_CONNECTION else []
        words += [option for name, option in _FLAGS if self.arguments.get(name)]
        return [*words, "--limit", self.host]

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
        shown = _USERINFO.sub(f"{_YOURS}@", text)
        for pattern in self.hidden:
            shown = pattern.sub(_YOURS, shown)
        if shown == text:
            return value
        return _YOURS if is_json else shown


def _pairs(given: str) -> dict[str, str]:
    try:
        return dict(word.split("=", 1) for word in shlex.split(given) if "=" in word)
    except ValueError:
        # What cannot be taken apart may hold a secret.
        return {}


def _quoted(value: str) -> str:
    """Return a value as it stands among others: what has spaces is quoted for Ansible."""
    return shlex.quote(value) if " " in value else value
