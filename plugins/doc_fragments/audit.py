# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of this collection record of an attempt."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the audit record."""

    DOCUMENTATION = r"""
options:
  reason:
    description: Why this is done, for the audit record.
    type: str
  actor:
    description: Who does it, for the audit record. By default the user that the module runs as.
    type: str
  audit_context:
    description: What else the audit record should tell, such as a change ticket or the id of a job.
    type: dict
    default: {}
  audit_log:
    description:
      - A file to which every record is appended, one JSON object a line, each with the hash of the line before it. It
        is made with mode 0600.
      - The attempt is on disk before the first write call to Restate, and its outcome after the last. A log that
        cannot be written, is a symbolic link, is open to others or is no such log refuses the operation.
      - If not set, the environment variable E(RESTATE_AUDIT_LOG) is used, where the module runs.
      - M(dalp.restate.restate_audit_info) reads and verifies it.
    type: path
  audit_detail:
    description:
      - V(digest) records SHA-256 digests of what was there before and after, V(full) what the C(diff) shows, too.
      - The digests are of what was read. A recovery of more than 100 keys reads the names of state and promises that go
        with a run only for V(full), with C(--diff), or where runs are submitted again.
    type: str
    choices: [digest, full]
    default: digest
  audit_webhook:
    description:
      - A URL (https, or http on this machine) to which every record is posted as a CloudEvent in structured mode, with
        the TLS options of the connection and none of its credentials. It is treated as a secret.
      - If not set, the environment variable E(RESTATE_AUDIT_WEBHOOK) is used.
    type: str
  audit_required:
    description:
      - Whether a record that O(audit_webhook) does not take refuses the operation (before its first write call), or
        fails the task (after its last), rather than giving a warning.
    type: bool
    default: false
  redact_patterns:
    description:
      - Regular expressions of what a site calls secret. Matches are hidden in values that came from outside, such as
        failures, the messages of servers, O(reason) and O(audit_context).
      - Names of results, codes, numbers, the collection's own sentences, ids of invocations and deployments, and the
        scheme and authority of URLs are never changed.
      - The key of a workflow is hidden in messages, diffs, summaries, pages and records. It stays whole in the result's
        lists, such as C(results), which later tasks need. The files of C(snapshot_dir) hold everything.
      - All matching of a task together may take two seconds. After that, texts from outside are hidden as a whole, with
        a warning.
      - The patterns are not shown; arguments and records have their number.
    type: list
    elements: str
    default: []
"""
