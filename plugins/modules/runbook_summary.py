#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runbook_summary
short_description: Tell a person what a runbook found, did and left
version_added: 0.1.0
description:
  - Prints the summary of a runbook as plain lines, each command on one line. The role P(dalp.restate.runbook#role)
    calls it at the end.
  - Where the variable C(restate_report) is set, writes a report of the run there, a self-contained HTML page, and the
    same as Markdown beside it. In check mode it shows the prediction. Where a play has several hosts, each has its own
    in the name of the file. A report that cannot be written is warned of, and does not fail a run that is done.
  - Keeps O(records) in the artifact C(restate_audit_records) of the job.
  - Runs on the controller alone.
options:
  title:
    description: What the runbook is called.
    type: str
    required: true
  steps:
    description:
      - The names of the steps, in their order.
    type: list
    elements: str
    default: []
  results:
    description:
      - The result of the examination before, of each step, and of the examination after; an empty one for what did not
        run.
    type: list
    elements: dict
    required: true
  records:
    description:
      - The audit records of this runbook. What has another record is the result of an earlier runbook.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    support: full
    description: It never changes anything but the report, which is written in check mode, too.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - The dalp.restate contributors (@dalp)
"""

EXAMPLES = r"""
- name: Summary
  dalp.restate.runbook_summary:
    title: Release
    steps: [redeploy]
    results: ["{{ examined }}", "{{ registered }}", {}]
    records: ["{{ examined.audit }}", "{{ registered.audit }}"]
"""

RETURN = r"""
lines:
  description: The summary, without colours.
  returned: always
  type: list
  elements: str
  sample: ["Release on staging: done; Restate is healthy"]
report:
  description: The files of the report, none where none was asked for.
  returned: always
  type: list
  elements: str
  sample: [/home/ops/release.html, /home/ops/release.md]
"""
