# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that a remedy names, to be typed as they are."""

from __future__ import annotations

import json
import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9_.,/:~-]+")


def runbook(playbook: str, **variables: str) -> str:
    """Return the dry run of a playbook; JSON only for values that key=value would split or convert."""
    if all(_PLAIN.fullmatch(value) for value in variables.values()):
        # In quotes, a folder below ~ is that of the user on the host where the module runs.
        extra = "".join(f" -e {shlex.quote(f'{name}={value}')}" for name, value in variables.items())
    else:
        content = ", ".join(f"{json.dumps(name)}: {_as_yaml(value)}" for name, value in variables.items())
        extra = f" -e {shlex.quote('{' + content + '}')}"
    return f"ansible-playbook dalp.restate.{playbook} --check --diff{extra}"


def restate_cli(*words: str) -> str:
    """Return a command of the restate CLI, for what no playbook does."""
    return shlex.join(("restate", *words))


def _as_yaml(value: str) -> str:
    # Whoever submits a workflow chooses its key: Ansible must not take it for a template.
    is_template = any(mark in value for mark in ("{{", "{%", "{#"))
    return ("!unsafe " if is_template else "") + json.dumps(value, ensure_ascii=False)
