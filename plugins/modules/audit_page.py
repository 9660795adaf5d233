#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_page
short_description: Make a page of audit records
version_added: 0.1.0
description:
  - Writes a self-contained HTML page, and the same as Markdown, on the controller. The role
    P(dalp.restate.audit_report#role) calls it.
  - The records are shown by run. A record does not name its runbook, so runs are told apart by their job, the server,
    who acted and why, and the time between records.
  - A file that is new can be read by its owner alone.
options:
  page:
    description: Where the HTML page goes; the Markdown goes beside it.
    type: path
    required: true
  records:
    description: The audit records, the oldest first.
    type: list
    elements: dict
    required: true
  verdict:
    description: What is to be said of the log that the records are from.
    type: str
    required: true
  verified:
    description: Whether the log is as it was written.
    type: bool
    default: true
  without_outcome:
    description: The records of attempts that were begun and never ended.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    support: none
    description: The page is written in check mode, too.
  diff_mode:
    support: none
    description: A page is no text to compare.
author:
  - The dalp.restate contributors (@dalp)
"""

EXAMPLES = r"""
- name: Read the log
  dalp.restate.restate_audit_info:
    path: /var/log/restate-audit.jsonl
  register: audit_log

- name: Make a page of it
  dalp.restate.audit_page:
    page: restate-audit.html
    records: "{{ audit_log.records }}"
    verdict: "{{ audit_log.msg }}"
    verified: "{{ audit_log.verified }}"
    without_outcome: "{{ audit_log.without_outcome }}"
"""

RETURN = r"""
files:
  description: The HTML page and the Markdown.
  returned: success
  type: list
  elements: str
  sample: [/home/ops/restate-audit.html, /home/ops/restate-audit.md]
"""
