# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation under way, from its request to its report."""

from __future__ import annotations

import typing as t

from .._errors import OperatorError
from .journal import Journal
from .operation import Backend
from .report import Report, count, sample

if t.TYPE_CHECKING:
    from .approval import Approval


class Execution:
    """Carries an operation out, no other plan than what was approved, where any was.

    At any moment its report tells the truth of what was done so far.
    """

    def __init__(self, backend: Backend, server: t.Any, request: t.Any, approval: Approval | None) -> None:
        self._backend = backend
        self._server = server
        self._request = request
        self._plan: t.Any = None
        self._journal = Journal()
        self._approval = approval
        self.plan_digest: str | None = None
        """The digest of the plan that is carried out or, by a dry run, predicted."""
        self.warnings: list[str] = []

    def run(self) -> None:
        """Observe, plan, and apply the plan; in check mode, predict what applying it would do."""
        observed = self._backend.observe(self._server, self._request)
        self._plan = self._backend.plan(observed, self._request)
        if self._plan.error:
            return
        self._hold_against_approval()
        if self._server.check_mode:
            self._journal = self._backend.predict(self._plan)
        else:
            self._backend.apply(self._server, self._plan, self._journal)

    def _hold_against_approval(self) -> None:
        subjects, approval = self._backend.subjects, self._approval
        if subjects is None:
            return
        if approval is None:
            raise AssertionError("a backend whose plans can be approved was given no approval")
        now = approval.digest(subjects(self._plan))
        refusal = approval.refusal(now)
        if refusal and not self._server.check_mode:
            raise refusal
        if refusal:
            # In a workflow, a dry run is given what was approved before it, too.
            self.warnings.append(f"{refusal.message} Given for real, it would fail.")
        self.plan_digest = str(now)

    def keep_open_actions(self) -> None:
        """Keep what this task leaves open for the tasks that follow; warn if that is not possible."""
        if self._journal.is_prediction or not self._journal.changed:
            return
        # Most tasks leave nothing open.
        from .open_actions import OpenActions, open_actions_of

        left = open_actions_of(self._journal)
        try:
            OpenActions.of(self._server, getattr(self._request, "snapshot_dir", None)).keep(left)
        except OSError as exc:
            self.warnings.append(
                f"{count(len(left), 'open action')} of this task could not be kept for later tasks: {exc}. Do not run "
                f"another task on {sample(each.subject for each in left)} before write_grace has passed."
            )

    def report(self, ended_by: OperatorError | None = None) -> Report | None:
        """Return the report, or None where there is no plan yet; O(ended_by) is what ended it before its end."""
        if self._plan is None:
            return None
        if ended_by:
            self._journal.cut_off(ended_by)
        return self._backend.report(self._plan, self._journal)
