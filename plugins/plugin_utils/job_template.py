# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to launch in AWX: a command would name folders that are gone with the job."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass

from .command_line import MODULE
from .option_values import PREFIX
from .written import texts_in

_DRY_RUN = " (dry run)"
_APPROVED = " with approval"
_OF_THE_ROLE = re.compile(rf"(?P<title>.+): (?P<runbook>[a-z_]+)({re.escape(_DRY_RUN)})?")
"""How the role awx calls a template."""
_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+"
_COMMAND = re.compile(
    rf"ansible-playbook dalp\.restate\.(\w+)(?: --check| --diff)*(?P<extra>(?: -e {_WORD})*)"
)
_PROPOSED = "restate_snapshot_dir"
"""What the survey proposes: a folder that stays when the job is gone."""


@dataclass(frozen=True)
class JobTemplate:
    """The template and the workflow that this job is of, by their names; O(workflow) is empty for none."""

    name: str
    workflow: str = ""

    @property
    def holds_plans(self) -> bool:
        """Whether what comes next is held to the plans of this run: a workflow of the role gives them on."""
        return (
            bool(self._title) and self.workflow.startswith(self._title) and self.workflow.endswith(_APPROVED)
        )

    def for_real(self, _plan_digests: t.Mapping[str, str] | None = None) -> str:
        """Return what does for real what this job predicted."""
        if self.holds_plans:
            return "Approve it in the workflow: the run does this, or stops before its first write."
        if self._title and self.name.endswith(_DRY_RUN):
            return f"Launch the job template {self.name.removesuffix(_DRY_RUN)!r} with the same answers."
        return f"Launch the job template {self.name!r}, as a run and not as a check."

    def again(self) -> str:
        """Return what does the same once more."""
        launched = f"workflow {self.workflow!r}" if self.workflow else f"job template {self.name!r}"
        return f"Launch the {launched} again."

    def dry_run(self) -> str:
        """Return what tells anew what would be done."""
        if self.workflow:
            return f"Launch the workflow {self.workflow!r} again, which begins with a dry run."
        if self._title:
            return f"Launch the job template {self.name.removesuffix(_DRY_RUN) + _DRY_RUN!r} with the same answers."
        return f"Launch the job template {self.name!r} as a check."

    def completed(self, text: str) -> str:
        """Return a text in which commands are templates to launch, and their variables answers to the survey."""
        text = _COMMAND.sub(
            lambda found: f"launch {self._sibling(found[1], _DRY_RUN)}{_answers(found['extra'])}", text
        )
        return MODULE.sub(lambda found: self._sibling(found[1]), text)

    @property
    def _title(self) -> str:
        found = _OF_THE_ROLE.fullmatch(self.name)
        return found["title"] if found else ""

    def _sibling(self, runbook: str, kind: str = "") -> str:
        if not self._title:
            return f"a job template of dalp.restate.{runbook}"
        return f"the job template {f'{self._title}: {runbook}' + ('' if runbook == 'doctor' else kind)!r}"


def _answers(extra: str) -> str:
    given: dict[str, t.Any] = {}
    for word in shlex.split(extra)[1::2]:
        name, _, value = word.partition("=")
        given |= texts_in(word) if word.startswith("{") else {name: value}
    answers = [
        f"{name.removeprefix(PREFIX).replace('_', ' ')}: {value}"
        for name, value in given.items()
        if name != _PROPOSED
    ]
    return f" with {', '.join(answers)}" if answers else ""
