# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Restate with two releases and a failed order, and the templates that were applied for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.awx.job import Job, Jobs
from tests.integration.awx.server import Awx
from tests.integration.awx.workflow import Decide, Walk, walk
from tests.integration.server import Server

TOKEN = "a-token-of-awx"
REASON = {"restate_reason": "INC-4711"}


class World:
    """What a test of AWX has. No secret may show in what is left of a job."""

    def __init__(self, server: Server, awx: Awx, folder: Path) -> None:
        self.server = server
        self.awx = awx
        self.jobs = Jobs(awx, folder)
        self.old = server.release("release-1")
        self.failed = server.order("order-1001", "fail")
        self.new_url = server.serve("release-2", "release-2")
        self.reach(server.admin_url)

    def reach(self, admin_url: str) -> None:
        """Change the credential in AWX, as somebody does for an environment that has moved."""
        [credential] = self.awx.store.objects["credentials"].values()
        credential["inputs"] |= {"admin_url": admin_url, "ingress_url": self.server.ingress_url}

    def launch(self, runbook: str, **answers: Any) -> Job:
        """Launch a template with these answers."""
        job = self.jobs.launch(f"Restate: {runbook}", **answers)
        self._see_that_no_secret_shows()
        return job

    def walk(self, workflow: str, answers: dict[str, Any], decide: Decide) -> Walk:
        """Launch a workflow template with these answers, and decide."""
        walked = walk(self.jobs, f"Restate: {workflow}", answers, decide)
        self._see_that_no_secret_shows()
        return walked

    def _see_that_no_secret_shows(self) -> None:
        for job in self.jobs.all:
            assert TOKEN not in job.output + job.events + str(job.artifacts) + str(job.extra_variables)
