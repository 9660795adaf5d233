# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes into the modules what their results have in common: Ansible has no fragments for RETURN.

    make docs-return

It stands in each module between two comments, and is the same but for the operation and its subject.
"""

from __future__ import annotations

import re
from pathlib import Path

MODULES = Path(__file__).resolve().parents[1] / "plugins" / "modules"
BEGIN = "# What modules have in common: scripts/return_docs.py writes it.\n"
END = "# The end of what modules have in common.\n"

SHARED = {
    "acknowledged": """acknowledged:
  description: True where the operation succeeded, also when there was nothing to do.
  returned: success
  type: bool
  sample: true
""",
    "changed_reason": """changed_reason:
  description: Why the result says changed or not, where what DALP tells before and after is no proof of it.
  returned: with O(backend=dalp), where that is so
  type: str
  sample: No answer of DALP tells whether it was carried out.
""",
    "done": """done:
  description: The steps that were carried out before a failure.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
""",
    "unknown": """unknown:
  description: The steps that were sent and of which no answer tells whether they were carried out.
  returned: on failure, where there are some
  type: list
  elements: dict
  sample: []
""",
    "not_done": """not_done:
  description: The steps that were not carried out.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
""",
    "plan_digest": """plan_digest:
  description:
    - What tells this plan from any other. That of a dry run, given as O(plan_digest), lets no other plan be carried
      out.
  returned: where there is a plan that is not refused, and what comes of it can be predicted
  type: str
  sample: SAMPLE_DIGEST
""",
    "audit": """audit:
  description:
    - The audit record of this attempt, a CloudEvents 1.0 object without secrets.
    - With O(audit_log), C(linehash) is the hash of its line in the log.
  returned: always
  type: dict
  sample:
    specversion: "1.0"
    id: 3f3f2c1e-6d0b-4b0e-9d51-0d6f7f7c8a11
    time: "2026-11-22T18:40:01.512Z"
    source: http://localhost:9070
    type: dalp.restate.OPERATION.succeeded
    subject: SUBJECT
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: OPERATION
      arguments: {}
      reason: null
      check_mode: false
      changed: true
      outcome: succeeded
      error_code: null
      error_message: null
      duration_ms: 41
      restate_version: 1.7.12
      before_digest: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
      after_digest: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
      context: {}
""",
    "error": """error:
  description: Why the task failed.
  returned: on failure
  type: dict
  contains:
    code:
      description: The error code, of L(Error codes,https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md).
      type: str
      returned: always
    message:
      description: What happened, with the server's own words.
      type: str
      returned: always
    remedy:
      description: What to do.
      type: str
      returned: always
    reason:
      description: A more precise reason.
      type: str
      returned: where there is one
    invocation_ids:
      description: The invocations concerned.
      type: list
      elements: str
      returned: where there are some
    deployment_ids:
      description: The deployments concerned.
      type: list
      elements: str
      returned: where there are some
    http:
      description: The request that failed, its C(method), C(url), C(status) and C(restate_code) or C(dalp_code).
      type: dict
      returned: where a request failed
""",
}

_STEPS = ("plan_digest", "acknowledged", "done", "unknown", "not_done")
# By module: the subject of the sample's record, and the results that it has besides the record and the error.
RETURNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "doctor": ("http://localhost:9070", ()),
    "redeploy": ("http://orders-v2:9080", ("changed_reason", *_STEPS)),
    "cleanup": ("http://orders-v2:9080", ("changed_reason", *_STEPS)),
    "recover_workflow": ("OrderWorkflow/order-1001", ("changed_reason", *_STEPS)),
    "resume": ("3 invocations", _STEPS),
}
# What a digest says of a subject, by module.
_DIGESTED = {
    "redeploy": "http://orders-v2:9080=register:5cf1a0b3e2",
    "cleanup": "http://orders-v2:9080=keep:5cf1a0b3e2",
    "recover_workflow": "OrderWorkflow/order-1001=recover:5cf1a0b3e2",
    "resume": "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz=resume:5cf1a0b3e2",
}


def shared_docs(operation: str) -> str:
    """Return what a module says of the results that it has in common with others."""
    subject, names = RETURNS[operation]
    text = "".join(SHARED[name] for name in (*names, "audit", "error"))
    sample = (
        f"{operation},1,0db5274da4a7f5a10c5a3ad9ee6d10c1,{_DIGESTED[operation]}"
        if operation in _DIGESTED
        else ""
    )
    return text.replace("OPERATION", operation).replace("SUBJECT", subject).replace("SAMPLE_DIGEST", sample)


def with_shared_docs(operation: str, source: str) -> str:
    """Return the source of a module with what it has in common with others between the comments."""
    block = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    written, number = block.subn(lambda _match: BEGIN + shared_docs(operation) + END, source)
    if number != 1:
        raise ValueError(f"restate_{operation} has not the two comments between which the text stands")
    return written


if __name__ == "__main__":
    for name in RETURNS:
        module = MODULES / f"restate_{name}.py"
        module.write_text(with_shared_docs(name, module.read_text(encoding="utf-8")), encoding="utf-8")
