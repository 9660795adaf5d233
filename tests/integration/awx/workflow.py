# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks a workflow template as AWX 24.6.1 does: by success, failure and always, with somebody who answers approvals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.awx.job import Job, Jobs, LaunchRefused
from tests.integration.awx.store import EDGES
from tests.integration.awx.surveys import troubles_of_answers

NODES = "workflow_job_template_nodes"
Decide = Callable[[str], bool]
"""Told what an approval says, with what happened before it in its workflow: whether somebody approves."""


@dataclass
class Walk:
    """What became of a workflow; O(jobs) and O(statuses) are by the identifier of the node."""

    status: str = "running"
    jobs: dict[str, Job] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)


def walk(jobs: Jobs, name: str, answers: dict[str, Any], decide: Decide) -> Walk:
    """Launch a workflow template with the answers to its survey; raise LaunchRefused for what AWX answers with 400."""
    troubles = troubles_of_answers(jobs.awx.survey_of(name, "workflow_job_templates"), answers)
    if troubles:
        raise LaunchRefused(troubles)
    return _Walk(jobs, name, answers, decide).to_the_end()


class _Walk:
    def __init__(self, jobs: Jobs, name: str, answers: dict[str, Any], decide: Decide) -> None:
        self._jobs, self._decide = jobs, decide
        self._variables = jobs.extra_variables("workflow_job_templates", name, answers)
        self._told = {"workflow_job_id": 100, "workflow_job_name": name, "workflow_job_launch_type": "manual"}
        workflow = jobs.awx.id_of("workflow_job_templates", name)
        held = jobs.awx.store.objects[NODES]
        self._nodes = {
            number: one for number, one in held.items() if one["workflow_job_template"] == workflow
        }
        self._artifacts: dict[int, dict[str, Any]] = {}
        self._status: dict[int, str] = {}
        self._walk = Walk()

    def to_the_end(self) -> Walk:
        while following := [number for number in self._nodes if self._is_next(number)]:
            for number in following:
                self._do(number)
        unhandled = [
            number
            for number, status in self._status.items()
            if status == "failed" and not self._children(number, "failure_nodes", "always_nodes")
        ]
        self._walk.status = "failed" if unhandled else "successful"
        return self._walk

    def _children(self, number: int, *edges: str) -> list[int]:
        associated = self._jobs.awx.store.associated
        return [each for edge in edges for each in associated.get((NODES, number, edge), ())]

    def _parents(self, number: int) -> list[int]:
        return [each for each in self._nodes if number in self._children(each, *EDGES)]

    def _is_next(self, number: int) -> bool:
        if number in self._status:
            return False
        parents = self._parents(number)
        return not parents or any(
            number in self._reached_from(each) for each in parents if each in self._status
        )

    def _reached_from(self, number: int) -> list[int]:
        edge = "success_nodes" if self._status[number] == "successful" else "failure_nodes"
        return self._children(number, edge, "always_nodes")

    def _do(self, number: int) -> None:
        identifier = self._nodes[number]["identifier"]
        inherited = {
            name: value for each in self._parents(number) for name, value in self._artifacts[each].items()
        }
        template = self._nodes[number]["unified_job_template"]
        objects = self._jobs.awx.store.objects
        self._artifacts[number] = inherited
        if template in objects["workflow_approval_templates"]:
            approves = self._decide(objects["workflow_approval_templates"][template]["description"])
            self._status[number] = "successful" if approves else "failed"
        else:
            # The answers to the workflow's survey outrank what the jobs before left.
            given = {**inherited, **self._variables}
            job = self._jobs.run(objects["job_templates"][template]["name"], given, self._told)
            self._walk.jobs[identifier] = job
            self._status[number] = job.status
            self._artifacts[number] = {**inherited, **job.artifacts}
        self._walk.statuses[identifier] = self._status[number]
