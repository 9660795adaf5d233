# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of this collection that write have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of a plan that was approved."""

    DOCUMENTATION = r"""
options:
  plan_digest:
    description:
      - The RV(plan_digest) that a dry run returned, so that exactly what it predicted is done. A plan that differs
        fails the task with C(RESTATE_PLAN_CHANGED), with what differs, before anything is written.
      - It covers what is done to each deployment, key or invocation, why and by which rule, and what is destroyed
        with the time at which it was created. How much work still has to drain or to move may change meanwhile.
      - In check mode a plan that differs is told in a warning.
    type: str
"""
