#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_resume
short_description: Let stuck invocations go on
version_added: 0.1.0
description:
  - Resumes invocations that are paused or are being retried, where they are or on another deployment. They go on from
    their journal, so this destroys nothing. It is the cure to try first.
  - Zombies, which are pinned to a deployment that is gone, go on with O(deployment=latest).
  - What has completed or is not stuck is left unchanged.
  - Resuming where it is does not cure what failed with a journal mismatch (RT0016), a protocol that the SDK does not
    speak (RT0015) or an unexpected answer (RT0012) unless the code at its URL is another one by now. A warning says so,
    with what helps. What then fails so again, there or where it was moved to, has failed.
  - DALP has no route for it, so O(backend=dalp) is refused.
extends_documentation_fragment:
  - dalp.restate.attributes
  - dalp.restate.connection
  - dalp.restate.audit
  - dalp.restate.plan
author:
  - The dalp.restate contributors (@dalp)
options:
  invocation_ids:
    description: The ids of the invocations. A text that is no id refuses the whole task, before anything is sent.
    type: list
    elements: str
  workflows:
    description: The workflows, of whose keys all unfinished invocations are meant.
    type: list
    elements: dict
    suboptions:
      service_name:
        description: The workflow service.
        type: str
        required: true
      service_key:
        description: The workflow's key.
        type: str
        required: true
  select:
    description:
      - Choose workflow runs by what is wrong with them, the oldest failure first.
    type: dict
    suboptions:
      service_name:
        description: Only this workflow service. By default all.
        type: str
      kinds:
        description:
          - V(paused) is a run that is paused, V(backing_off) one that is being retried after a failure.
        type: list
        elements: str
        choices: [paused, backing_off]
        default: [paused, backing_off]
      failed_before:
        description:
          - Only what failed before this, a time like V(2026-11-22T03:00:00Z) or an age like V(2h).
          - That is when a run paused or was last tried.
        type: str
      failed_after:
        description:
          - Only what failed at or after this, a time or an age.
          - An age is counted by the clock of Restate. If that and the clock of the host on which the module runs differ
            by more than a few seconds, the task warns.
        type: str
      failure_matches:
        description:
          - A regular expression that must be found in the failure.
          - Restate matches it, in the syntax of Rust (U(https://docs.rs/regex/latest/regex/#syntax)), which has no
            look-around and no back-references. What Restate does not take is RESTATE_INVALID_ARGUMENT.
        type: str
      limit:
        description: How many at the most. The result tells how many more there are.
        type: int
        required: true
  deployment:
    description:
      - Where to go on. V(keep) is the deployment that an invocation is pinned to, V(latest) the latest of its service;
        else the id of a registered deployment.
      - Moving what is not paused needs Restate 1.6.
      - An invocation is blocked where it would go on and does not fit, also with V(keep), as what is registered tells.
        That is where the deployment does not serve its handler, has changed the type of its service or handler, or has
        an SDK that does not speak the version of the service protocol that it began with.
    type: str
    default: keep
  skip_blocked:
    description: Whether the task succeeds although invocations were blocked.
    type: bool
    default: false
seealso:
  - module: dalp.restate.restate_recover_workflow
  - module: dalp.restate.restate_cleanup
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: The payment gateway is back, so let what paused go on
  dalp.restate.restate_resume:
    admin_url: http://restate:9070
    select:
      service_name: PaymentWorkflow
      kinds: [paused]
      limit: 500

- name: Move zombies to the live deployment
  dalp.restate.restate_resume:
    admin_url: http://restate:9070
    invocation_ids: [inv_1kiPGJZInL7n2iSjFFAcqz2dhqTsIuCDpg]
    deployment: latest
"""

RETURN = r"""
results:
  description:
    - What became of each invocation; in check mode what would.
    - C(outcome) is V(resumed), V(unchanged) (C(reason) V(completed) or V(not_stuck)), V(blocked) (V(not_found),
      V(deployment_gone), V(service_not_registered), V(handler_not_served), V(service_type_changed),
      V(handler_type_changed), V(protocol_not_supported), and, where it has not begun, V(latest_does_not_fit)) or
      V(failed) (V(not_moved), V(attempt_running), V(not_resumed), V(not_tried), V(unknown) and, where it was resumed
      and failed again at once, V(journal_mismatch), V(protocol_not_supported), V(unexpected_answer)).
    - C(deployment_id) is where it goes on.
  returned: when the invocations were looked at
  type: list
  elements: dict
  sample:
    - invocation_id: inv_1b5Wt3h6d5pN47bKCQqrRuVw8g5jMiglrz
      target: PaymentWorkflow/payment-2001/run
      outcome: resumed
      reason: null
      message: ""
      deployment_id: dp_166c8sXwRgJTNa3HSgEQUKt
summary:
  description: How many invocations had which outcome.
  returned: when the invocations were looked at
  type: dict
  sample: {resumed: 1, unchanged: 0, blocked: 0, failed: 0}
left_over:
  description: How many more runs match O(select), beyond its limit.
  returned: with O(select)
  type: int
  sample: 0
# What modules have in common: scripts/return_docs.py writes it.
plan_digest:
  description:
    - What tells this plan from any other. That of a dry run, given as O(plan_digest), lets no other plan be carried
      out.
  returned: where there is a plan that is not refused, and what comes of it can be predicted
  type: str
  sample: resume,1,0db5274da4a7f5a10c5a3ad9ee6d10c1,inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz=resume:5cf1a0b3e2
acknowledged:
  description: True where the operation succeeded, also when there was nothing to do.
  returned: success
  type: bool
  sample: true
done:
  description: The steps that were carried out before a failure.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
unknown:
  description: The steps that were sent and of which no answer tells whether they were carried out.
  returned: on failure, where there are some
  type: list
  elements: dict
  sample: []
not_done:
  description: The steps that were not carried out.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
audit:
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
    type: dalp.restate.resume.succeeded
    subject: 3 invocations
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: resume
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
error:
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
# The end of what modules have in common.
"""

from ..module_utils._operations.operation import Backend, Operation
from ..module_utils._task.module import run

ARGUMENT_SPEC = {
    "invocation_ids": {"type": "list", "elements": "str"},
    "workflows": {
        "type": "list",
        "elements": "dict",
        "options": {
            "service_name": {"type": "str", "required": True},
            "service_key": {"type": "str", "required": True, "no_log": False},
        },
    },
    "select": {
        "type": "dict",
        "options": {
            "service_name": {"type": "str"},
            "kinds": {
                "type": "list",
                "elements": "str",
                "choices": ["paused", "backing_off"],
                "default": ["paused", "backing_off"],
            },
            "failed_before": {"type": "str"},
            "failed_after": {"type": "str"},
            "failure_matches": {"type": "str"},
            "limit": {"type": "int", "required": True},
        },
    },
    "deployment": {"type": "str", "default": "keep"},
    "skip_blocked": {"type": "bool", "default": False},
}


def backend(name: str) -> Backend | None:
    """Return how it is done with a backend. DALP has no route for it."""
    if name == "dalp":
        return None
    from ..module_utils._operations.resume import restate

    return restate.BACKEND


OPERATION = Operation(
    "resume",
    ARGUMENT_SPEC,
    backend,
    {
        "required_one_of": [("invocation_ids", "workflows", "select")],
        "mutually_exclusive": [("invocation_ids", "workflows", "select")],
    },
)


def main() -> None:
    run(OPERATION)


if __name__ == "__main__":
    main()
