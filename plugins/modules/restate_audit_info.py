#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_audit_info
short_description: Read and verify an audit log
version_added: 0.1.0
description:
  - Reads the log that O(dalp.restate.restate_cleanup#module:audit_log) writes, with the files that it was rotated to
    (C(NAME.1), C(NAME-20261122), not compressed) in the order of their records.
  - Verifies the chain, that is whether each line has the hash of the line before it, and names the first line that was
    edited, removed or moved. The end of a log is anchored by C(audit.linehash) in the results of the tasks.
  - Names the attempts that began to write and have no outcome, since the task was killed.
requirements:
  - Python >= 3.11 (on the host that runs the module)
options:
  path:
    description: The audit log, on the host that runs the module.
    type: path
    required: true
  operation:
    description: Only records of this operation, such as V(cleanup).
    type: str
  actor:
    description: Only records of this actor.
    type: str
  outcome:
    description: Only records with this outcome.
    type: str
    choices: [attempted, succeeded, failed, refused, planned]
  since:
    description: Only records at or after this time, such as V(2026-11-22T03:00:00Z), or of this age, such as V(2h).
    type: str
  until:
    description: Only records before this time, or older than this.
    type: str
  limit:
    description: Return only the last so many of the matching records; V(0) returns all.
    type: int
    default: 0
  fail_if_broken:
    description: Whether the task fails where the chain is broken.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: none
author:
  - The dalp.restate contributors (@dalp)
seealso:
  - module: dalp.restate.restate_cleanup
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: Verify the log, and see what failed today
  dalp.restate.restate_audit_info:
    path: /var/log/restate-audit.jsonl
    outcome: failed
    since: "2026-11-22T00:00:00Z"
    fail_if_broken: true
"""

RETURN = r"""
verified:
  description: Whether the chain is whole.
  returned: when the log was read
  type: bool
  sample: true
broken:
  description:
    - The first line that is not as it was written, or null.
    - C(reason) is V(reordered), V(not_a_record) or V(edited_or_followed_by_removed_lines), which the chain cannot tell
      apart.
  returned: when the log was read
  type: dict
  sample: null
torn_lines:
  description: Half lines that a crash left, after which the log went on. They do not break the chain.
  returned: when the log was read
  type: list
  elements: dict
  sample: []
without_outcome:
  description: The records of attempts that began to write and whose end was never recorded.
  returned: when the log was read
  type: list
  elements: dict
  sample: []
follows:
  description: The hash of the line before the first, where the log goes on from a file that is not here; else empty.
  returned: when the log was read
  type: str
  sample: ""
last_hash:
  description: The hash of the last line.
  returned: when the log was read
  type: str
  sample: 9b74c9897bac770ffc029102a200c5de11d1a6b7a5b4a5f5a7f6c8e3e0d9c1b2
lines:
  description: How many lines there are.
  returned: when the log was read
  type: int
  sample: 12
matching:
  description: How many records match.
  returned: when the log was read
  type: int
  sample: 2
records:
  description: The matching records, the oldest first.
  returned: when the log was read
  type: list
  elements: dict
  sample: []
error:
  description: Why the task failed.
  returned: on failure
  type: dict
  sample:
    code: RESTATE_AUDIT_UNAVAILABLE
    message: >-
      The chain of 12 records is broken: line 7 of /var/log/restate-audit.jsonl is not as it was written (not_a_record).
    remedy: Repair the audit log, then run the task again.
    reason: not_a_record
"""

from ..module_utils._task.audit_info import run_audit_info

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "operation": {"type": "str"},
    "actor": {"type": "str"},
    "outcome": {"type": "str", "choices": ["attempted", "succeeded", "failed", "refused", "planned"]},
    "since": {"type": "str"},
    "until": {"type": "str"},
    "limit": {"type": "int", "default": 0},
    "fail_if_broken": {"type": "bool", "default": False},
}


def main() -> None:
    run_audit_info(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
